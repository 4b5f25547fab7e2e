import atexit
def look():
    print('__file__' in globals(), __name__)
atexit.register(look)
