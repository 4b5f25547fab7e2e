import pickle
class Point:
    def __init__(self, x):
        self.x = x
data = pickle.dumps(Point(4), protocol=2)
print(data)
print(pickle.loads(data).x, Point.__module__)
