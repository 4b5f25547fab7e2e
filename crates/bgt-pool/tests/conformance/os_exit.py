import os
print('lost in the buffer')
os.write(1, b'kept\n')
os._exit(11)
