import os, signal
print('lost')
os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))
