try:
    {}['x']
except KeyError:
    int('y')
