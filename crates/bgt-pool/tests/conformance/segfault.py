import os, signal
print('kept', flush=True)
if os.name != 'nt':
    os.kill(os.getpid(), signal.SIGSEGV)
