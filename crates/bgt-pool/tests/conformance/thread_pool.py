from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(4)
print(list(pool.map(lambda n: n + 1, range(10))))
