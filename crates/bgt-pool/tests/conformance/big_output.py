import sys
for _ in range(160):
    sys.stdout.write('0123456789abcdef' * 4096)
sys.stderr.write('x' * 100000)
