import warnings
def f():
    warnings.warn('careful', UserWarning)
f()
warnings.warn('old', DeprecationWarning)
