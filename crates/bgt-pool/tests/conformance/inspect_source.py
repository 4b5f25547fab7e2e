import inspect
def double(x):
    return 2 * x
print(inspect.getsource(double))
print(inspect.getfile(double) == __file__)
