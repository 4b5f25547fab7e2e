import builtins
print(sorted(globals()))
print(list(globals()))
print(__builtins__ is builtins, __doc__, __package__, __spec__, __cached__ if '__cached__' in globals() else None)
print(type(__loader__).__name__, __loader__.name, __loader__.path == __file__)
