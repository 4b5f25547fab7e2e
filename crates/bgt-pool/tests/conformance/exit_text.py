import sys
sys.stdout.write('no newline')
sys.exit('sorry: it failed')
