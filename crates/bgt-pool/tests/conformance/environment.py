# env: GREETING=hello world
# env: EMPTY=
import os
print(os.environ['GREETING'], repr(os.environ['EMPTY']), os.getenv('NOTHING'))
names = [name for name in os.environ if name != 'BGT_TREE']
print(names)
os.environ['MINE'] = '1'
with os.popen('echo $MINE $GREETING') as shell:
    print(shell.read())
