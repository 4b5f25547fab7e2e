import os
print('x' * 10000)
os._exit(0)
