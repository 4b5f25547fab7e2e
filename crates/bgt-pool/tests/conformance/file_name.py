import os, sys
print(os.path.basename(__file__), os.path.isabs(__file__), __name__)
print(sys.modules['__main__'].__file__ == __file__, vars(sys.modules['__main__']) is globals())
