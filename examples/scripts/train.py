"""Stands for a long training: says how far it is, warns now and then, and saves its state when it is asked to stop.

train.py [EPOCHS [SECONDS_AN_EPOCH]]
"""
import random
import signal
import sys
import time

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 60
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0


def stop(*_):
    print("asked to stop: state saved")
    sys.exit(3)


signal.signal(signal.SIGTERM, stop)
loss = 2.3
for epoch in range(1, epochs + 1):
    for batch in range(1, 5):
        time.sleep(seconds / 4)
        loss *= random.uniform(0.95, 1.01)
        print(f"  batch {batch}: loss {loss:.4f}")
    if epoch % 7 == 0:
        print(f"WARNING: epoch {epoch} has a gradient above 1", file=sys.stderr)
    print(f"epoch {epoch}/{epochs} loss {loss:.4f}")
