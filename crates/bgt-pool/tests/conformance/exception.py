def outer():
    inner()
def inner():
    raise ValueError('no such row')
print('before')
outer()
