# -*- coding: latin-1 -*-
print('\xe4 \u2713')
