import threading, time
def work():
    time.sleep(0.05)
    print('the thread is done')
threading.Thread(target=work).start()
print('main is done')
