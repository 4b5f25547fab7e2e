import random
random.seed(42)
print([random.randrange(1000) for _ in range(10)])
