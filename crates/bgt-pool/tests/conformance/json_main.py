import json, sys
print(json.dumps({'numbers': list(range(5)), 'text': 'häß'}, sort_keys=True))
