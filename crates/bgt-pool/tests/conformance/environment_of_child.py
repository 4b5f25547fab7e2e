# env: GREETING=hello
import subprocess, sys
code = "import os; print(sorted(set(os.environ) - {'BGT_TREE', 'LC_CTYPE'}))"
print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout)
