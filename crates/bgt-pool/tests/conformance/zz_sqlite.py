import sqlite3
base = sqlite3.connect('base.db')
base.execute('create table t (x)')
base.execute('insert into t values (7)')
base.commit()
print(base.execute('select * from t').fetchall())
