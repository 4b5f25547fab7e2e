import os
if not hasattr(os, 'fork'):
    raise SystemExit
print('parent', flush=True)
child = os.fork()
if child == 0:
    print('child', flush=True)
    os._exit(6)
print(os.WEXITSTATUS(os.waitpid(child, 0)[1]))
