import contextlib, io
with contextlib.redirect_stdout(io.StringIO()) as text:
    print('inside')
print(text.getvalue().upper())
