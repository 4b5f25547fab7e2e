from . import __name__ as parent


def up():
    return parent
