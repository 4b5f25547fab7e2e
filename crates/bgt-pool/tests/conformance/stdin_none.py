import sys
print(repr(sys.stdin.read()), sys.stdin.isatty(), sys.stdin.name, sys.stdin.mode)
