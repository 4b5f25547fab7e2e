import threading, time
def work():
    print('begun', flush=True)
    ready.set()
    time.sleep(600)
    print('never')
ready = threading.Event()
threading.Thread(target=work, daemon=True).start()
ready.wait()
print('main is done')
