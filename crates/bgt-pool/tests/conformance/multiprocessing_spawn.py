import multiprocessing
def cube(n):
    return n ** 3
if __name__ == '__main__':
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        print(pool.map(cube, range(4)))
