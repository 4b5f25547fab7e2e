import subprocess, sys
print('first', flush=True)
subprocess.run([sys.executable, '-c', 'print("from the child")'])
done = subprocess.run([sys.executable, '-c', 'raise SystemExit(3)'])
print(done.returncode)
