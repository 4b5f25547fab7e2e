import atexit, os
def last():
    print('last', flush=True)
    os._exit(9)
atexit.register(last)
raise SystemExit(3)
