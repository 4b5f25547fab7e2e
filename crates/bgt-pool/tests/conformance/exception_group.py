import sys
if sys.version_info >= (3, 11):
    raise ExceptionGroup('many', [ValueError(1), TypeError(2)])
raise ValueError('many')
