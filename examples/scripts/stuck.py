"""Starts a helper and waits for ever, as a script does whose server never answers."""
import subprocess
import sys
import time

helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("waiting for the printer", file=sys.stderr, flush=True)
time.sleep(600)
