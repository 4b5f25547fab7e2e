# args: häß 日本 🦀
import sys
print([ascii(word) for word in sys.argv[1:]], sys.argv[1:])
