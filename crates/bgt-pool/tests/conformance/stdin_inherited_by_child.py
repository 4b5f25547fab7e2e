# stdin: for the child
import subprocess, sys
subprocess.run([sys.executable, '-c', 'print(input())'])
