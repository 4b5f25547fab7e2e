# env: PYTHONUNBUFFERED=1
import os, sys
print('not lost')
print(sys.stdout.write_through, type(sys.stdout.buffer).__name__)
os._exit(1)
