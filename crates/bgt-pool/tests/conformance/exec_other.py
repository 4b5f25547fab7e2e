import os, sys
if os.name == 'nt':
    raise SystemExit
print('before', flush=True)
os.execv(sys.executable, [sys.executable, '-c', 'print("after"); raise SystemExit(4)'])
