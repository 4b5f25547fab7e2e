"""The worker's side of bgt's protocol: requests are lines of JSON on stdin, answers are lines on stdout.

Run as `python bgt_worker.py MODULE:FUNCTION`. Needs nothing but Python 3.
"""

import importlib
import io
import json
import os
import queue
import signal
import sys
import threading
import traceback


def own_streams():
    """Takes stdin and stdout for the protocol: what the handler prints goes to stderr, and it has nothing to read."""
    requests = io.open(os.dup(0), "rb")
    answers = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def say(answers, text):
    line = memoryview((text + "\n").encode("ascii"))
    while line:
        line = line[os.write(answers, line) :]


class Reader(threading.Thread):
    """Reads while the handler works, so that a request can be cancelled in the middle of it."""

    def __init__(self, requests):
        super().__init__(daemon=True)
        self.requests = requests
        self.waiting = queue.SimpleQueue()
        self.lock = threading.Lock()
        self.current = None

    def run(self):
        try:
            for line in self.requests:
                request = json.loads(line)
                if request.get("cancel"):
                    self.cancel(request["requestId"])
                else:
                    self.waiting.put(request)
        finally:
            # Also after a line that is no request: nobody knows what the next ones would be.
            self.waiting.put(None)

    def cancel(self, number):
        with self.lock:
            if number == self.current:
                self.current = None
                interrupt()


def interrupt():
    if hasattr(signal, "pthread_kill"):
        # The signal itself, so that a sleep or a read of the main thread ends too.
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()


def answer(number, code, output, **more):
    return json.dumps({"requestId": number, "exitCode": code, "output": output, **more}, allow_nan=False)


def call(handler, number, arguments):
    """The answer, as a line. What cannot be JSON is an error of the handler's, as any other."""
    try:
        return answer(number, 0, handler(*arguments))
    except SystemExit as end:
        if end.code is None:
            return answer(number, 0, None)
        if isinstance(end.code, int) and -(2**31) <= end.code < 2**31:
            return answer(number, int(end.code), None)
        return answer(number, 1, str(end.code))
    except Exception:
        return answer(number, 1, traceback.format_exc())


def main():
    requests, answers = own_streams()
    sys.path.insert(0, os.getcwd())
    module, _, name = sys.argv[1].partition(":")
    sys.argv[:] = [module]
    handler = importlib.import_module(module)
    for part in name.split("."):
        handler = getattr(handler, part)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    reader = Reader(requests)
    reader.start()
    say(answers, json.dumps({"protocol": 1}))
    while True:
        request = reader.waiting.get()
        if request is None:
            return
        number = request["requestId"]
        with reader.lock:
            reader.current = number
        try:
            line = call(handler, number, request.get("arguments", []))
            with reader.lock:
                reader.current = None
        except KeyboardInterrupt:
            line = answer(number, 130, None, wasCancelled=True)
        sys.stdout.flush()
        say(answers, line)


main()
