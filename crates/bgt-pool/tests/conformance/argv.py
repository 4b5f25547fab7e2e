# args: one  two=2 --three=3
import sys
print(sys.argv, sys.argv[0] == __file__)
print(getattr(sys, 'orig_argv', None))
