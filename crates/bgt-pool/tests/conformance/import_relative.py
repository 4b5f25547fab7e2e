from . import helper_beside
