import signal
for name in sorted(n for n in dir(signal) if n.startswith('SIG') and not n.startswith('SIG_')):
    try:
        handler = signal.getsignal(getattr(signal, name))
    except ValueError:
        continue
    print(name, getattr(handler, '__name__', handler))
if hasattr(signal, 'pthread_sigmask'):
    print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
