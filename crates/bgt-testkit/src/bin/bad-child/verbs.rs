//! The table of verbs, and nothing else: what each takes and does, and where it lives.

mod ending;
mod family;
mod host;
mod input;
mod output;
mod worker;

use std::ffi::OsString;
use std::io;

use crate::state::State;

pub(crate) struct Verb {
    pub(crate) name: &'static str,
    /// One word an argument; `REST...` takes all that follow, `then` included.
    pub(crate) takes: &'static str,
    pub(crate) does: &'static str,
    pub(crate) run: fn(&mut State, &[OsString]) -> Result<(), Trouble>,
}

impl Verb {
    /// How many arguments; none when it takes all that follow.
    pub(crate) fn arity(&self) -> Option<usize> {
        (self.takes != "REST...").then(|| self.takes.split_whitespace().count())
    }
}

pub(crate) enum Trouble {
    /// The test is wrong.
    Usage(String),
    /// The machine is in the way.
    Failed(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

const fn verb(
    name: &'static str,
    takes: &'static str,
    does: &'static str,
    run: fn(&mut State, &[OsString]) -> Result<(), Trouble>,
) -> Verb {
    Verb { name, takes, does, run }
}

#[rustfmt::skip]
pub(crate) const VERBS: &[Verb] = &[
    // how it ends
    verb("exit", "N", "exit with this code", ending::exit),
    verb("signal", "NAME|N", "die by this signal (Windows: terminate with 128 + N)", ending::signal),
    verb("abort", "", "abort", ending::abort),
    verb("ignore-term", "", "ignore the polite signals; on Unix programs started later inherit it", ending::ignore_term),
    verb("on-term-exit", "N", "from now on a polite signal prints `polite` and exits with N", ending::on_term_exit),
    verb("on-term-write", "BYTES", "from now on a polite signal writes so many `d` and a newline, exits with 0", ending::on_term_write),
    verb("sleep", "SECONDS", "sleep, fractions allowed, at most ten minutes", ending::sleep),
    verb("hang", "", "sleep for ever (ten minutes)", ending::hang),
    verb("spin", "MILLISECONDS", "burn so much user time", ending::spin),
    verb("alloc", "MIB", "touch so much memory and keep it", ending::alloc),
    // what it prints
    verb("print", "TEXT", "a line to stdout", output::print),
    verb("eprint", "TEXT", "a line to stderr", output::eprint),
    verb("no-newline", "TEXT", "text without a final newline", output::no_newline),
    verb("hex", "HEXBYTES", "these bytes to stdout", output::hex),
    verb("ehex", "HEXBYTES", "these bytes to stderr", output::ehex),
    verb("invalid-utf8", "", "one line to stdout that is not UTF-8", output::invalid_utf8),
    verb("line", "BYTES", "one line of so many `x`", output::line),
    verb("flood", "BYTES", "so many bytes (100, 64K, 10M, 1G) to stdout, 64 KiB a write, 64 bytes a line", output::flood),
    verb("eflood", "BYTES", "the same to stderr", output::eflood),
    verb("endless", "", "lines to stdout until it breaks", output::endless),
    verb("chatter", "SECONDS", "a line to stdout every 10 ms", output::chatter),
    verb("alternate", "N", "`1 out` to stdout, `2 err` to stderr, and so on for N lines", output::alternate),
    verb("ready", "", "the line `ready`: a handshake", output::ready),
    verb("ignore-pipe", "", "live on when a pipe breaks, instead of exiting with 141", output::ignore_pipe),
    verb("close-stdout", "", "close stdout and live on", output::close_stdout),
    verb("close-stderr", "", "close stderr and live on", output::close_stderr),
    // what it reads
    verb("read-stdin", "", "copy stdin to stdout until its end", input::read_stdin),
    verb("count-stdin", "", "print how many bytes came until the end of stdin", input::count_stdin),
    verb("read-some", "N", "read N bytes of stdin, or to its end", input::read_some),
    verb("no-stdin", "", "nothing: says that the test means stdin to stay unread", input::no_stdin),
    verb("close-stdin", "", "close stdin and live on", input::close_stdin),
    // whom it starts; each is really running (and recorded) before the next verb
    verb("quiet-grandchild", "SECONDS", "a copy that keeps the pipes and sleeps", family::quiet),
    verb("chatty-grandchild", "SECONDS", "a copy that prints a line every 10 ms", family::chatty),
    verb("closed-grandchild", "SECONDS", "a copy with null for stdin, stdout, stderr that sleeps", family::closed),
    verb("stubborn-grandchild", "SECONDS", "a copy that ignores polite signals, keeps the pipes and sleeps", family::stubborn),
    verb("own-group-grandchild", "SECONDS", "a copy in a session (Windows: group, if possible out of the job) of its own that keeps the pipes", family::own_group),
    verb("daemon", "SECONDS", "double fork, setsid, descriptors closed (Windows: own group, null streams)", family::daemon),
    verb("fork-storm", "N", "N <= 2000 generations, each starts the next and exits; the last hangs", family::fork_storm),
    verb("pids-to", "PATH", "append the own pid to this file now, and that of every descendant as it starts", family::pids_to),
    verb("pid", "", "print the own pid", family::pid),
    // what it sees and touches
    verb("echo-args", "REST...", "all further arguments, each as a line of hexadecimal digits (UTF-8)", host::echo_args),
    verb("env", "NAME", "the variable's value, or `<unset>`", host::env),
    verb("env-all", "", "every variable as hex=hex, sorted", host::env_all),
    verb("priority", "", "Unix: the own niceness; Windows: `normal`, `low` or `idle`", host::priority),
    verb("cwd", "", "the current folder", host::cwd),
    verb("first-only", "PATH", "create this file and go on; hang where it is there already", host::first_only),
    verb("touch", "PATH", "create this file", host::touch),
    verb("wait-file", "PATH", "wait until this file exists, at most a minute", host::wait_file),
    verb("append", "PATH TEXT", "append a line to this file, in one write", host::append),
    verb("no-pidfds", "REST...", "become this program, to which the system refuses pidfds (Linux)", host::no_pidfds),
    // as a warm worker, which is told by each request how to answer it: see worker.rs
    verb("worker-ready", "VERSION", "say that it is ready, in this version of the protocol", worker::ready),
    verb("worker", "", "answer requests on stdin until its end", worker::serve),
    verb("worker-hasty", "", "answer the first request before it is read to its end", worker::hasty),
    // for descendants
    verb("deadline", "MILLISECONDS", "internal: end of life, since 1970", family::deadline),
    verb("started", "TOKEN", "internal: tell the parent that this process runs", family::started),
    verb("generation", "N", "internal: start the next of N generations and exit", family::generation),
];
