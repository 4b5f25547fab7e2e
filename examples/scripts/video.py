"""Stands in for ffmpeg where there is none: the same steps on raw grey video (Y4M), in plain Python.

video.py make   OUT FRAMES SEED          a clip of a moving gradient, 320x180
video.py encode IN OUT                   half the size: each pixel is the mean of four
video.py join   OUT IN...                one film of all clips, each pixel blended with the frame before

Says how far it is in the words of `ffmpeg -progress`.
"""
import sys

WIDTH, HEIGHT = 320, 180


def frames(path):
    """The size of a clip, and its frames one by one."""
    with open(path, "rb") as file:
        fields = file.readline().decode().split()
        width, height = int(fields[1][1:]), int(fields[2][1:])
        yield width, height
        while file.readline() == b"FRAME\n":
            yield file.read(width * height)


def write(path, width, height, made):
    with open(path, "wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 Cmono\n".encode())
        for number, frame in enumerate(made, 1):
            file.write(b"FRAME\n" + frame)
            if number % 5 == 0:
                print(f"frame={number}", flush=True)
    print(f"frame={number}\nprogress=end", flush=True)


def make(out, count, seed):
    ramp = bytes(range(256)) * 3

    def frame(number):
        # Each row is a piece of one long ramp, a little further on.
        starts = ((2 * y + 3 * number + 40 * int(seed)) % 256 for y in range(HEIGHT))
        return b"".join(ramp[start:start + WIDTH] for start in starts)

    write(out, WIDTH, HEIGHT, map(frame, range(int(count))))


def encode(source, out):
    clip = frames(source)
    width, height = next(clip)

    def half(frame):
        rows = [frame[y * width:(y + 1) * width] for y in range(height)]
        return b"".join(
            bytes((a + b + c + d) // 4 for a, b, c, d in zip(up[::2], up[1::2], down[::2], down[1::2]))
            for up, down in zip(rows[::2], rows[1::2])
        )

    write(out, width // 2, height // 2, map(half, clip))


def join(out, *sources):
    clips = [frames(source) for source in sources]
    width, height = [next(clip) for clip in clips][0]

    def blended():
        before = None
        for clip in clips:
            for frame in clip:
                before = frame if before is None else bytes((a + b) // 2 for a, b in zip(before, frame))
                yield before

    write(out, width, height, blended())


if __name__ == "__main__":
    {"make": make, "encode": encode, "join": join}[sys.argv[1]](*sys.argv[2:])
