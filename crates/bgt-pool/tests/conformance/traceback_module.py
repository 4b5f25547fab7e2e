import traceback
try:
    raise ValueError('shown')
except ValueError:
    traceback.print_exc()
    print(traceback.format_exc().count('File'))
