import os, tempfile
with tempfile.TemporaryDirectory(dir='.') as folder:
    open(os.path.join(folder, 'x'), 'w').write('x')
kept = tempfile.NamedTemporaryFile(dir='.')
kept.write(b'y')
print(sorted(os.listdir('.')) == [os.path.basename(kept.name)])
