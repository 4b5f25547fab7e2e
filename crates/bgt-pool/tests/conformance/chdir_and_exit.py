import os
os.mkdir('sub')
os.chdir('sub')
open('x', 'w').write('1')
