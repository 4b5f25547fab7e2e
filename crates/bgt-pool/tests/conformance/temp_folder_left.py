import os, tempfile
folder = tempfile.TemporaryDirectory(dir='.')
open(os.path.join(folder.name, 'x'), 'w').write('x')
print(len(os.listdir('.')))
