"""How a line sounds, for a pool of warm workers: a plain function, imported once."""

import os
import re

GOOD = {"works", "proper", "properly", "fits", "best", "excellent", "never", "everything"}
BAD = {"trap", "kills", "killed", "lost", "fails", "crash", "hang", "corrupts", "dead"}


def score(text):
    words = re.findall(r"[a-z]+", text.lower())
    good, bad = sum(word in GOOD for word in words), sum(word in BAD for word in words)
    return {"words": len(words), "good": good, "bad": bad, "pid": os.getpid()}
