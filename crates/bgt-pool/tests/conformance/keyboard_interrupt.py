import os, signal
if os.name == 'nt':
    raise SystemExit
print('before')
import atexit
atexit.register(print, 'bye')
os.kill(os.getpid(), signal.SIGINT)
print('after')
