# stdin: a\r\nb\x00c
import sys
print(sys.stdin.buffer.read())
