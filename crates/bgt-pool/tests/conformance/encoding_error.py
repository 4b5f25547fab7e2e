import sys
print(sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors, sys.stdin.encoding)
sys.stderr.write('\udc80 ok\n')
print('\udc80')
