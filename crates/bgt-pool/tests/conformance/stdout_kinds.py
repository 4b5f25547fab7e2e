import sys
for stream in (sys.stdin, sys.stdout, sys.stderr):
    print(stream.name, stream.mode, stream.line_buffering, stream.write_through, stream.isatty(), stream.fileno(), stream.newlines)
    print(stream.buffer.name, type(stream.buffer).__name__, getattr(stream.buffer, 'raw', None) and stream.buffer.raw.name)
print(sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__, repr(sys.stdout))
