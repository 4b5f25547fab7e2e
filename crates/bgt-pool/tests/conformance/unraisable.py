class Odd:
    def __del__(self):
        raise ValueError('in del')
Odd()
print('on')
