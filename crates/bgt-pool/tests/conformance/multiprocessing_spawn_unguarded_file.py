import multiprocessing as mp, os
def child(queue):
    queue.put((__name__, os.path.basename(__file__)))
if __name__ == '__main__':
    context = mp.get_context('spawn')
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    print(queue.get())
    process.join()
    print(process.exitcode, mp.current_process().name)
