import __main__
print(__main__.__name__, __main__.__file__ == __file__)
import importlib
print(importlib.import_module('__main__') is __main__)
