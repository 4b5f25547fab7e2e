"""Becomes a Python script that somebody orders, with the interpreter started and the imports done.

Run as `python -c THIS prestarted|zygote MODULE...`. As `prestarted` it becomes one script itself: a frame on
stdin orders it. As `zygote` it forks for each order that comes through the socket that is its stdin. Needs nothing but
Python 3.8, and as a zygote ctypes and Linux.
"""

import sys

# What an interpreter has when it has just been started: scripts expect these modules, and no others, to be there already.
FRESH = frozenset(sys.modules)
NAMES = [name for name in globals() if name.startswith("__")]

import os

if sys.path and sys.path[0] == "":
    del sys.path[0]

READY, FORKED, FAILED, PART, THREADS = b"R", b"F", b"E", b"P", b"T"
NO_STDIN, NO_STDOUT, NO_STDERR, COMBINED = 1, 2, 4, 8


def number(value):
    return value.to_bytes(4, "little")


def read_exactly(fd, size):
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            # Nobody wants this any more.
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_frame(fd):
    frame = read_exactly(fd, int.from_bytes(read_exactly(fd, 4), "little"))
    end = 5 + int.from_bytes(frame[1:5], "little")
    return frame[0], frame[5:end], frame[end:].split(b"\0")


def write(fd, data):
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        os._exit(0)


def stamp(path):
    state = os.stat(path)
    return state.st_mtime_ns, state.st_size, state.st_ino, state.st_dev


def is_settled(changed, since=None):
    """Whether a change after that moment, now without one, would show: the clock of file systems is coarse."""
    import time

    now = time.time_ns()
    return changed < (since or now) - 100_000_000 or changed > now + 100_000_000


def preload(modules):
    """Imports, and answers which files that has come from; of the standard library only its heart."""
    import time

    began = time.time_ns()
    for module in modules:
        __import__(module)
    library = os.path.dirname(os.__file__) + os.sep
    files = {os.__file__}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and (
            not file.startswith(library) or "-packages" + os.sep in file[len(library) :]
        ):
            files.add(file)
    fields = []
    for file in sorted(files):
        try:
            state = stamp(file)
        except OSError:
            continue
        settled = is_settled(state[0], began)
        fields += [os.fsencode(file), *(b"%d" % part for part in state[:2]), b"1" if settled else b"0"]
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    return b"\0".join(fields)


CODES = {}


def code_of(script):
    """The script, compiled once for each of its states. None when it is not that simple: a warning, an error."""
    import warnings

    try:
        state = stamp(script)
        settled = is_settled(state[0])
        known = CODES.get(script)
        if known and known[0] == state:
            return known[1]
        with open(script, "rb") as file:
            source = file.read()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            code = compile(source, script, "exec", 0, True)
        if settled and stamp(script) == state:
            if len(CODES) >= 256:
                CODES.clear()
            CODES[script] = state, code
        return code
    except Exception:
        return None


class Order:
    def __init__(self, tree, fields):
        count = int(fields[3])
        self.folder, self.program, self.script = map(os.fsdecode, fields[:3])
        self.args = [os.fsdecode(word) for word in fields[4 : 4 + count]]
        self.environment = {}
        for variable in fields[4 + count :]:
            at = variable.index(b"=", 1)
            self.environment[os.fsdecode(variable[:at])] = os.fsdecode(variable[at + 1 :])
        tree = os.fsdecode(tree) or os.environ.get("BGT_TREE")
        if tree:
            self.environment["BGT_TREE"] = tree

    def set_environment(self):
        now, wanted = dict(os.environ), self.environment
        if list(now) != list(wanted):
            # Their order is seen by whoever lists them, and by what he starts.
            os.environ.clear()
            now = {}
        for name, value in wanted.items():
            if now.get(name) != value:
                os.environ[name] = value

    def set_arguments(self):
        sys.argv[:] = [self.script, *self.args]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv[:] = [self.program, self.script, *self.args]
        if not getattr(sys.flags, "safe_path", False):
            # As the interpreter does, which follows no links on Windows.
            whole = os.path.abspath if os.name == "nt" else os.path.realpath
            sys.path.insert(0, os.path.dirname(whole(self.script)))

    def become_cold(self):
        """Starts all over, as what was ordered: for what only the interpreter itself can say as it does."""
        command = [self.program, self.script, *self.args]
        if os.name == "nt":
            import subprocess

            # A crash has a number above those that the call takes.
            status = subprocess.Popen(command).wait() & 0xFFFFFFFF
            os._exit(status - (1 << 32) if status >> 31 else status)
        import signal

        for name in ("SIGPIPE", "SIGXFSZ"):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.execv(self.program, command)

    def forget_shadowed(self):
        """A module beside the script comes before one of the same name that was imported ahead of it."""
        if getattr(sys.flags, "safe_path", False):
            return
        try:
            beside = {name.partition(".")[0] for name in os.listdir(sys.path[0])}
        except OSError:
            return
        named = [name for name in beside if name in sys.modules and name not in FRESH]
        if not named:
            return
        finders = sys.path_importer_cache.copy()
        mine = {name for name in named if is_shadowed(name)}
        # A script finds what it has written itself, even if that was only now.
        sys.path_importer_cache.clear()
        sys.path_importer_cache.update(finders)
        if mine:
            for name in [name for name in sys.modules if name.partition(".")[0] in mine]:
                del sys.modules[name]

    def main(self):
        """A `__main__` as a script finds it."""
        import builtins

        main = type(sys)("__main__")
        space = main.__dict__
        loader = sys.modules["_frozen_importlib_external"].SourceFileLoader
        values = {"__loader__": loader("__main__", self.script), "__annotations__": {}, "__builtins__": builtins}
        values["__name__"] = "__main__"
        space.clear()
        for name in NAMES:
            space[name] = values.get(name)
        space["__file__"] = self.script
        space["__cached__"] = None
        sys.modules["__main__"] = main
        return space


def is_shadowed(name):
    """Whether `import` finds another module of this name beside the script: no data file, no folder of data."""
    origin = getattr(getattr(sys.modules[name], "__spec__", None), "origin", None)
    if origin in ("built-in", "frozen"):
        return False
    try:
        found = sys.modules["_frozen_importlib_external"].PathFinder.find_spec(name, sys.path[:1])
    except Exception:
        return True
    if found is None or found.loader is None or not found.origin:
        return False
    return origin is None or os.path.realpath(found.origin) != os.path.realpath(origin)


def renew(name, fd):
    """The same stream on what its descriptor is now, as the interpreter makes it at its start."""
    stream = getattr(sys, name)
    if stream is None:
        return
    unbuffered = sys.__stderr__ is not None and sys.__stderr__.write_through
    # Windows translates the ends of lines both ways.
    newline = None if os.name == "nt" else "\n"
    if fd == 0:
        buffer = open(fd, "rb", closefd=False)
    else:
        buffer = open(fd, "wb", 0 if unbuffered else -1, closefd=False)
    raw = getattr(buffer, "raw", buffer)
    raw.name = "<" + name + ">"
    line = not unbuffered and (stream.line_buffering or raw.isatty())
    through = unbuffered
    stream.__init__(buffer, stream.encoding, stream.errors, newline, line, through)


def freshen():
    """Lets modules that were imported ahead see this process, and not the one that imported them."""
    loaded = sys.modules.get
    logging = loaded("logging")
    if logging is not None and hasattr(logging, "_startTime"):
        import time

        logging._startTime = time.time() if isinstance(logging._startTime, float) else time.time_ns()
    threading = loaded("threading")
    if threading is not None and hasattr(threading.main_thread(), "_set_native_id"):
        threading.main_thread()._set_native_id()
    process = loaded("multiprocessing.process")
    if process is not None:
        process.ORIGINAL_DIR = os.path.abspath(os.getcwd())
        process._current_process._config["authkey"] = process.AuthenticationString(os.urandom(32))
    tempfile = loaded("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None
    numpy = loaded("numpy.random")
    if numpy is not None:
        numpy.seed()


def flush():
    for stream in (sys.stderr, sys.stdout):
        try:
            stream.flush()
        except Exception:
            pass


def flush_all():
    """Flushes every file that the script has left open. Those that were there before it are frozen, and not among these."""
    import gc

    import _io

    for kinds in ((_io.TextIOWrapper,), (_io.BufferedWriter, _io.BufferedRandom)):
        for thing in gc.get_objects():
            if type(thing) in kinds:
                try:
                    thing.flush()
                except Exception:
                    pass


def without_first(failure):
    return failure.with_traceback(failure.__traceback__ and failure.__traceback__.tb_next)


def show(failure):
    """Shows an exception that nobody has caught, as the interpreter does. What its hook raises is shown, too."""
    kind, trace = type(failure), failure.__traceback__
    sys.last_type, sys.last_value, sys.last_traceback = kind, failure, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = failure
    hook = getattr(sys, "excepthook", None)
    wrong = None
    try:
        if hook is None:
            raise RuntimeError
        hook(kind, failure, trace)
    except SystemExit:
        raise
    except BaseException as error:
        wrong = error
    if wrong is None:
        return
    if hook is None:
        sys.stderr.write("sys.excepthook is missing\n")
    else:
        wrong = without_first(wrong)
        sys.stderr.write("Error in sys.excepthook:\n")
        sys.__excepthook__(type(wrong), wrong, wrong.__traceback__)
        sys.stderr.write("\nOriginal exception was:\n")
    sys.__excepthook__(kind, failure, trace)


def status_of(leaving):
    """What a SystemExit says, said as the interpreter says it."""
    code = leaving.code
    if code is None:
        return 0
    if isinstance(code, int) and os.name == "nt":
        return code if -(1 << 31) <= code < 1 << 31 else -1
    if isinstance(code, int):
        return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
    try:
        sys.stderr.write(str(code))
    except Exception:
        pass
    try:
        sys.stderr.write("\n")
    except Exception:
        pass
    return 1


def leave(status, interrupted, loaded):
    """Ends this process as the interpreter does, but for what was there before the script: that nobody would miss.

    Returns when only the interpreter itself can end it.
    """
    import _thread
    import atexit
    import gc

    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    try:
        atexit._run_exitfuncs()
    except BaseException:
        pass
    if _thread._count() or sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__:
        return
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            try:
                stream.flush()
            except Exception:
                return
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    # Before anything is taken apart: collected in a circle, a file may be closed before what is in front of it is flushed.
    flush_all()
    alive = []
    import _weakref

    for name in [name for name in sys.modules if name not in loaded or name == "__main__"]:
        module = sys.modules.pop(name)
        if type(module) is type(sys):
            alive.append(_weakref.ref(module))
        del module
    gc.collect()
    for module in reversed(alive):
        module = module()
        if module is not None:
            space = module.__dict__
            for name in [name for name in space if isinstance(name, str) and name[:1] == "_" and name[1:2] != "_"]:
                space[name] = None
            for name in [name for name in space if name != "__builtins__"]:
                space[name] = None
            del module, space
    gc.collect()
    flush_all()
    flush()
    if interrupted:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status)


class Block:
    """What others see of the environment of this process: it is where the system had put it when the process was started."""

    def __init__(self, memmove):
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        self.memmove = memmove
        # The 50th and the 51st field of all; two of them come before these.
        self.start, self.end = int(fields[47]), int(fields[48])
        self.show(os.environb.get(b"BGT_TREE", b""))

    def show(self, tree):
        """Writes as many variables as there is room for, the one by which strays are found before all others."""
        room = self.end - self.start
        shown = b"BGT_TREE=" + tree + b"\0" if tree else b""
        for name, value in os.environb.items():
            variable = name + b"=" + value + b"\0"
            if name != b"BGT_TREE" and len(shown) + len(variable) <= room:
                shown += variable
        self.memmove(self.start, shown.ljust(room, b"\0"), room)


class Zygote:
    """Forks so that what is born is a child of whoever started this process."""

    def __init__(self, modules):
        import ctypes
        import gc
        import select
        import signal

        import _socket

        # For those who come after; here so that it is paid for once.
        import _thread, _weakref, atexit, builtins, subprocess, time, warnings

        self.ctypes, self.signal, self.select = ctypes, signal, select
        self.libc = ctypes.PyDLL(None, use_errno=True)
        self.libc.syscall.restype = ctypes.c_long
        self.clone = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
        self.tid = ctypes.c_void_p()
        # Where the C library keeps the number of its thread: the kernel writes it there when it clones.
        if self.libc.prctl(40, ctypes.byref(self.tid), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "PR_GET_TID_ADDRESS")
        # It was there to make room. The others move to memory of their own: nothing points to where they were.
        os.environ.pop("BGT_ROOM", None)
        variables = dict(os.environ)
        tree = variables.pop("BGT_TREE", None)
        os.environ.clear()
        os.environ.update(variables)
        if tree is not None:
            # Where an order has it, so that no other variable has to move.
            os.environ["BGT_TREE"] = tree
        self.block = Block(ctypes.memmove)
        fd = os.dup(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self.door = _socket.socket(fileno=fd)
        self.space = _socket.CMSG_SPACE(16)
        self.cloexec = _socket.MSG_CMSG_CLOEXEC
        self.living = []
        stamps = preload(modules)
        if len(os.listdir("/proc/self/task")) > 1:
            # They do not survive a fork. That will be no different until the modules are.
            self.say(THREADS, stamps)
            os._exit(0)
        self.loaded = frozenset(sys.modules)
        gc.collect()
        gc.freeze()
        self.say(READY, stamps)

    def say(self, kind, data):
        """In parts: a message has its size."""
        while len(data) > 1 << 15:
            self.door.send(PART + data[: 1 << 15])
            data = data[1 << 15 :]
        self.door.send(kind + data)

    def fork(self):
        ctypes, api = self.ctypes, self.ctypes.pythonapi
        pidfd = ctypes.c_int(-1)
        # SIGCHLD, CLONE_PARENT, CLONE_PIDFD, CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID
        flags = ctypes.c_ulong(17 | 0x8000 | 0x1000 | 0x01000000 | 0x00200000)
        place = (self.tid, None) if self.clone == 56 else (None, self.tid)
        api.PyOS_BeforeFork()
        pid = self.libc.syscall(self.clone, flags, None, ctypes.byref(pidfd), *place)
        if pid == 0:
            api.PyOS_AfterFork_Child()
            return 0
        error = ctypes.get_errno()
        api.PyOS_AfterFork_Parent()
        if pid < 0:
            raise OSError(error, os.strerror(error))
        self.living.append((pid, pidfd.value))
        return pid

    def bury(self):
        """Forgets those that have ended, and answers the others."""
        poll = self.select.poll()
        for _, pidfd in self.living:
            poll.register(pidfd, self.select.POLLIN)
        ended = {pidfd for pidfd, _ in poll.poll(0)}
        for pidfd in ended:
            os.close(pidfd)
        self.living = [child for child in self.living if child[1] not in ended]

    def end(self):
        """The host is gone, without a word: what it had started goes, too."""
        self.bury()
        for pid, pidfd in self.living:
            # Who is stopped cannot end by itself, so the number stays its own.
            self.libc.syscall(424, pidfd, self.signal.SIGSTOP, None, 0)
        self.bury()
        for pid in self.strays({pid for pid, _ in self.living}):
            os.kill(pid, self.signal.SIGKILL)
        for pid, _ in self.living:
            try:
                os.killpg(pid, self.signal.SIGKILL)
            except OSError:
                os.kill(pid, self.signal.SIGKILL)
        os._exit(0)

    def strays(self, living):
        """Those of their trees that have left their groups: they have the token of one of them in their environment."""

        def tokens(pid):
            try:
                with open("/proc/%d/environ" % pid, "rb") as file:
                    for variable in file.read().split(b"\0"):
                        if variable.startswith(b"BGT_TREE="):
                            return [token for token in variable[9:].split(b":") if token]
            except OSError:
                pass
            return []

        trees = {tokens(pid)[-1] for pid in living if tokens(pid)}
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) not in living and trees.intersection(tokens(int(name))):
                yield int(name)

    def serve(self):
        """Answers in each child."""
        while True:
            try:
                message, passed, _, _ = self.door.recvmsg(1 << 16, self.space, self.cloexec)
            except OSError:
                message = b""
            if not message:
                self.end()
            came = passed[0][2] if passed else b""
            fds = [int.from_bytes(came[at : at + 4], sys.byteorder) for at in range(0, len(came), 4)]
            if len(fds) < 4:
                # There is no room for more: whoever asks sees the end of his stream.
                for fd in fds:
                    os.close(fd)
                self.bury()
                continue
            code = code_of(os.fsdecode(message))
            try:
                pid = self.fork()
                if pid == 0:
                    return self.child(fds, code)
                said = FORKED + number(pid)
            except OSError as error:
                said = FAILED + number(error.errno)
            try:
                os.write(fds[3], said)
            except OSError:
                pass
            for fd in fds:
                os.close(fd)
            if len(self.living) >= 32:
                self.bury()

    def child(self, fds, code):
        os.setpgid(0, 0)
        self.door.close()
        for _, pidfd in self.living:
            os.close(pidfd)
        for target in range(3):
            os.dup2(fds[target], target)
            os.close(fds[target])
        line = fds[3]
        _, tree, fields = read_frame(line)
        order = Order(tree, fields)
        try:
            os.chdir(order.folder)
        except OSError as error:
            write(line, FORKED + number(os.getpid()) + FAILED + number(error.errno))
            os._exit(0)
        order.set_environment()
        self.block.show(tree or os.environb.get(b"BGT_TREE", b""))
        write(line, READY + number(os.getpid()))
        os.close(line)
        return order, code, self.loaded


def prestarted(modules):
    stdin, stdout = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    stamps = preload(modules)
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    os.close(stdin)
    os.close(stdout)
    write(1, READY + number(len(stamps)) + stamps)
    flags, tree, fields = read_frame(0)
    order = Order(tree, fields)
    try:
        os.chdir(order.folder)
    except OSError as error:
        write(1, FAILED + number(error.errno))
        os._exit(0)
    write(1, READY + number(os.getpid()))
    nothing = os.open(os.devnull, os.O_RDWR)
    for flag, target in ((NO_STDIN, 0), (NO_STDOUT, 1), (NO_STDERR, 2)):
        if flags & flag:
            os.dup2(nothing, target)
    if flags & COMBINED:
        os.dup2(1, 2)
    os.close(nothing)
    return order, code_of(order.script), None


def begin():
    mode, modules = sys.argv[1], sys.argv[2:]
    if sys.version_info < (3, 8):
        raise RuntimeError("warm scripts need Python 3.8")
    if mode == "zygote":
        order, code, loaded = Zygote(modules).serve()
    else:
        order, code, loaded = prestarted(modules)
    if loaded is None:
        order.set_environment()
    if code is None:
        order.become_cold()
    for name, fd in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        renew(name, fd)
    order.set_arguments()
    order.forget_shadowed()
    freshen()
    return type(begin)(code, order.main()), loaded


def finish(failure, space, loaded):
    flush()
    status, interrupted = 0, False
    try:
        if failure is not None and not isinstance(failure, SystemExit):
            status, interrupted = 1, isinstance(failure, KeyboardInterrupt)
            show(failure)
            flush()
    except SystemExit as leaving:
        failure = leaving
    if isinstance(failure, SystemExit):
        status, interrupted = status_of(failure), False
    else:
        # When it runs its last functions a script is nowhere.
        space.pop("__file__", None)
        space.pop("__cached__", None)
    failure = space = None
    if loaded is not None:
        leave(status, interrupted, loaded)
    if interrupted:
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt
    raise SystemExit(status)


FAILURE = None
SCRIPT, LOADED = begin()
try:
    # Here and not in a function: this is the only frame below those of the script.
    SCRIPT()
except BaseException as failure:
    FAILURE = without_first(failure)
finish(globals().pop("FAILURE"), globals().pop("SCRIPT").__globals__, LOADED)
