import subprocess, sys
out = subprocess.run([sys.executable, '-c', 'print(input()[::-1])'], input='abc', capture_output=True, text=True)
print(out.stdout, out.stderr, out.returncode)
