# env: PYTHONWARNINGS=default
open(__file__)
print('x')
