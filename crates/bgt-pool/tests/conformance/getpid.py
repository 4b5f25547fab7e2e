import os
print(os.getpid() == os.getpgrp() if hasattr(os, 'getpgrp') else True)
