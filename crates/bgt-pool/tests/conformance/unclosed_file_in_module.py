import json
json.KEPT = open('in a module.txt', 'w')
json.KEPT.write('held by a module')
