import sys
print(sys.flags, sys.dont_write_bytecode, sys.executable, sys.prefix, sys.getrecursionlimit(), sys.warnoptions)
print(sys.getfilesystemencoding(), sys.getdefaultencoding(), sys.platform, sys.byteorder)
