# args: --help
import argparse
parser = argparse.ArgumentParser(description='counts')
parser.add_argument('--count', type=int, help='how many')
parser.parse_args()
