x: int = 3
print(__annotations__ if '__annotations__' in globals() else 'lazy')
from dataclasses import dataclass
@dataclass
class P:
    y: int
print(P(2))
