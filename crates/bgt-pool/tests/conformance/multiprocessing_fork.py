import multiprocessing, os
def square(n):
    return n * n
if __name__ == '__main__' and os.name != 'nt':
    with multiprocessing.get_context('fork').Pool(2) as pool:
        print(pool.map(square, range(6)))
