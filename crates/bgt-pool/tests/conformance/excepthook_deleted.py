import sys
del sys.excepthook
raise OSError('first')
