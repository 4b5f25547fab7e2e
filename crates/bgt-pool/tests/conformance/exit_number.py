import sys
print('to stdout')
sys.exit(42)
