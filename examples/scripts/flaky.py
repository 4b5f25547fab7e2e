"""Fails at its first attempt, because the file that it writes then is not there yet."""
import pathlib
import sys

marker = pathlib.Path(sys.argv[1])
if not marker.exists():
    marker.write_text("seen")
    sys.exit("the server is still waking up")
print("second attempt: the server is awake")
