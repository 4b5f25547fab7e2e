file = open('unflushed.txt', 'w')
file.write('kept')
raise ValueError
