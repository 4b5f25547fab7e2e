class Loud:
    def __del__(self):
        print('gone', helper())
def helper():
    return 42
thing = Loud()
