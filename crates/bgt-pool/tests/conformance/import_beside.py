import helper_beside, helper_package.inner as inner
print(helper_beside.VALUE, helper_beside.__name__, inner.up())
from helper_package import inner as again
print(again is inner)
