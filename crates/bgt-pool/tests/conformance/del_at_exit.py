class Loud:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        print('gone', self.name)
one = Loud('one')
two = Loud('two')
two.me = two
print('main')
