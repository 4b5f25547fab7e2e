import os, sys
print('lost')
print('kept', flush=True)
os.abort()
