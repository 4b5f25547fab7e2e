import os
before = os.umask(0o27)
print(oct(before))
open('masked', 'w').close()
