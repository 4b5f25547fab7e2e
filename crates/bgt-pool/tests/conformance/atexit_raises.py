import atexit
def wrong():
    raise ValueError('too late')
atexit.register(wrong)
print('main')
