import os
print(os.getcwd() == os.environ['WORK'], os.path.abspath('x') == os.path.join(os.getcwd(), 'x'))
open('made here', 'w').write('yes')
