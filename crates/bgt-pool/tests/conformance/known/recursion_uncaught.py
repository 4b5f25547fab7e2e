def down():
    down()
down()
