import io, sys
print('first')
sys.stdout = io.StringIO()
print('nowhere')
