# shadow
import json
print(json.WHO)
