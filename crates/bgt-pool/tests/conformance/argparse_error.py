# args: --count x
import argparse
parser = argparse.ArgumentParser()
parser.add_argument('--count', type=int)
print(parser.parse_args())
