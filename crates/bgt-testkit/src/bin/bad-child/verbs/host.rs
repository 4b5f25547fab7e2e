//! What the process sees of its surroundings, and the files that it touches.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Trouble;
use super::output::line_to;
use crate::number::to_hex;
use crate::raw::{self, Stream};
use crate::state::{self, State};

const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub(super) fn echo_args(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let lines: String = arguments.iter().map(|argument| to_hex(argument) + "\n").collect();
    raw::write(Stream::Out, lines.as_bytes());
    Ok(())
}

pub(super) fn env(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    line_to(Stream::Out, &std::env::var_os(&arguments[0]).unwrap_or_else(|| "<unset>".into()));
    Ok(())
}

pub(super) fn env_all(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    let mut lines: Vec<String> =
        std::env::vars_os().map(|(name, value)| format!("{}={}\n", to_hex(&name), to_hex(&value))).collect();
    lines.sort();
    raw::write(Stream::Out, lines.concat().as_bytes());
    Ok(())
}

pub(super) fn priority(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    line_to(Stream::Out, crate::sys::priority()?.as_ref());
    Ok(())
}

pub(super) fn no_pidfds(_: &mut State, program: &[OsString]) -> Result<(), Trouble> {
    #[cfg(target_os = "linux")]
    return Err(crate::sys::become_without_pidfds(program).into());
    #[cfg(not(target_os = "linux"))]
    return Err(Trouble::Failed(format!("there are none here to refuse to {program:?}")));
}

pub(super) fn cwd(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    line_to(Stream::Out, std::env::current_dir()?.as_os_str());
    Ok(())
}

pub(super) fn first_only(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    match std::fs::File::create_new(&arguments[0]) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => super::ending::hang(state, &[]),
        created => Ok(created.map(drop)?),
    }
}

pub(super) fn touch(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    OpenOptions::new().create(true).append(true).open(&arguments[0])?;
    Ok(())
}

pub(super) fn wait_file(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let (path, began) = (Path::new(&arguments[0]), Instant::now());
    while !path.exists() {
        if began.elapsed() > LONGEST_WAIT {
            return Err(Trouble::Failed(format!("{} did not appear", path.display())));
        }
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

pub(super) fn append(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    state::append(Path::new(&arguments[0]), &[arguments[1].as_encoded_bytes(), b"\n"].concat())
}
