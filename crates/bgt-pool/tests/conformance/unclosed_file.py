file = open('unflushed.txt', 'w')
file.write('kept all the same')
binary = open('unflushed.bin', 'wb')
binary.write(b'and this')
