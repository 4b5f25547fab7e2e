import signal, sys
if not hasattr(signal, 'setitimer'):
    raise SystemExit
def late(*_):
    print('alarm')
    sys.exit(8)
signal.signal(signal.SIGALRM, late)
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
