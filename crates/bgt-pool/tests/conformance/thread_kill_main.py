import signal, threading, sys
if not hasattr(signal, 'pthread_kill'):
    raise SystemExit
signal.signal(signal.SIGUSR1, lambda *_: print('got it'))
threading.Thread(target=lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)).start()
signal.sigtimedwait([], 0.05)
print(threading.main_thread().native_id == threading.get_native_id() if sys.version_info >= (3, 8) else True)
