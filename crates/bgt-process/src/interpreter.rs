//! Which interpreter runs a script.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::prepare::absolute;
use crate::probe::{self, Family};
use crate::{CommandError, resolve, shebang};

/// A program and the arguments that come before the user's own.
pub(crate) type Launch = (PathBuf, Vec<OsString>);

/// How a script is run: its interpreter as an absolute path, and the script among its arguments.
pub(crate) async fn resolve(
    script: &Path,
    wanted: Option<&OsStr>,
    env: &Environment,
    cwd: Option<&Path>,
) -> Result<Launch, CommandError> {
    let script = readable(script)?;
    let extension = script.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    if let Some(name) = wanted {
        // As it is: whoever names a wrapper wants the wrapper.
        return Ok((resolve::program(name, env)?, vec![script.into()]));
    }
    match &*extension {
        "py" | "pyw" | "js" | "mjs" | "cjs" | "rb" | "pl" => {
            let family = Family::of_extension(&extension).expect("each of these has a family");
            let found = find(&script, family, env)?;
            Ok((probe::real(found, Some(family), env, cwd).await?, vec![script.into()]))
        }
        "ps1" => powershell(&script, env),
        "cmd" | "bat" if cfg!(windows) => Ok((script, Vec::new())),
        "cmd" | "bat" => Err(none(&script, "batch files run on Windows only")),
        _ => by_shebang(&script, &extension, env, cwd).await,
    }
}

/// The Python that a script would get.
pub(crate) async fn python(
    wanted: Option<&OsStr>,
    env: &Environment,
    cwd: Option<&Path>,
) -> Result<PathBuf, CommandError> {
    if let Some(name) = wanted {
        return resolve::program(name, env);
    }
    let found = find(Path::new("-c"), Family::Python, env)?;
    probe::real(found, Some(Family::Python), env, cwd).await
}

fn readable(script: &Path) -> Result<PathBuf, CommandError> {
    if script.as_os_str().is_empty() {
        return Err(CommandError::EmptyProgram);
    }
    let not_found = |source| CommandError::ScriptNotFound { path: script.to_owned(), source };
    let path = std::path::absolute(script).map_err(not_found)?;
    let not_found = |source| CommandError::ScriptNotFound { path: path.clone(), source };
    let file = path.metadata().map_err(not_found)?;
    if !file.is_file() {
        let what = if file.is_dir() { "it is a folder" } else { "it is no regular file" };
        return Err(not_found(io::Error::other(what)));
    }
    Ok(path)
}

fn find(script: &Path, family: Family, env: &Environment) -> Result<PathBuf, CommandError> {
    if let (Family::Python, Some(folder)) =
        (family, env.get("VIRTUAL_ENV").filter(|folder| !folder.is_empty()))
    {
        let folder = absolute(Path::new(&folder));
        let python = folder.join(if cfg!(windows) { r"Scripts\python.exe" } else { "bin/python" });
        if python.is_file() {
            return Ok(python);
        }
    }
    let path = env.path();
    let names = family.programs();
    // An alias of the Store may be Python, or an offer to install it: taken when there is nothing else, and asked.
    let first = |wanted: fn(&Path) -> bool| {
        names.iter().find_map(|name| resolve::first_in_path(OsStr::new(name), &path, wanted))
    };
    first(|found| !bgt_sys::is_store_alias(found)).or_else(|| first(|_| true)).ok_or_else(|| {
        let tried = names.join(", ");
        none(
            script,
            &format!("none of {tried} is in the PATH; install one, or name one with .interpreter(…)"),
        )
    })
}

fn powershell(script: &Path, env: &Environment) -> Result<Launch, CommandError> {
    let path = env.path();
    let names: &[&str] = if cfg!(windows) { &["pwsh", "powershell"] } else { &["pwsh"] };
    let found = names.iter().find_map(|name| resolve::first_in_path(OsStr::new(name), &path, |_| true));
    let found = found.ok_or_else(|| none(script, "PowerShell (pwsh) is not in the PATH; install it"))?;
    // A profile could print, and the default policy of Windows refuses local scripts.
    let args = ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"];
    Ok((found, args.iter().map(Into::into).chain([script.into()]).collect()))
}

async fn by_shebang(
    script: &Path,
    extension: &str,
    env: &Environment,
    cwd: Option<&Path>,
) -> Result<Launch, CommandError> {
    let mut beginning = [0; 512];
    let read = std::fs::File::open(script).and_then(|mut file| file.read(&mut beginning));
    let read = read.map_err(|source| CommandError::ScriptNotFound { path: script.to_owned(), source })?;
    let Some(line) = shebang::parse(&beginning[..read]) else {
        return match extension {
            "sh" | "bash" => Ok((shell(script, extension, env)?, vec![script.into()])),
            _ => match resolve::program(script.as_os_str(), env) {
                Ok(program) => Ok((program, Vec::new())),
                Err(_) => Err(none(
                    script,
                    "its extension is not known, it has no #! line and is not executable; use .interpreter(…)",
                )),
            },
        };
    };
    let found = shebang_program(script, &line, env, cwd)?;
    let family = Family::of_program(&found);
    let found = probe::real(found, family, env, cwd).await?;
    let args = line.args.iter().map(Into::into).chain([script.into()]).collect();
    Ok((found, args))
}

fn shebang_program(
    script: &Path,
    line: &shebang::Shebang,
    env: &Environment,
    cwd: Option<&Path>,
) -> Result<PathBuf, CommandError> {
    let by_path = Path::new(&line.program);
    // As the system does it, a relative path starts where the program is to run.
    let there = absolute(&absolute(cwd.unwrap_or(Path::new("."))).join(by_path));
    if !line.by_name && there.is_file() {
        return Ok(there);
    }
    // Windows has no /bin: what the path ends in is looked up, and so is what env was to look up.
    let name =
        if line.by_name { Some(by_path.as_os_str()) } else { by_path.file_name().filter(|_| cfg!(windows)) };
    let path = env.path();
    name.and_then(|name| resolve::first_in_path(name, &path, |found| !is_wsl(found)))
        .ok_or_else(|| none(script, &format!("its #! line names {:?}, which is not there", line.program)))
}

fn shell(script: &Path, name: &str, env: &Environment) -> Result<PathBuf, CommandError> {
    let path = env.path();
    let names: &[&str] = if name == "bash" { &["bash"] } else { &["sh", "bash"] };
    names
        .iter()
        .find_map(|name| resolve::first_in_path(OsStr::new(name), &path, |found| !is_wsl(found)))
        .ok_or_else(|| none(script, "no shell in the PATH; on Windows, Git for Windows brings one"))
}

/// The `bash.exe` of Windows' own folder starts a Linux machine, which sees other paths.
fn is_wsl(program: &Path) -> bool {
    let parent = program.parent().and_then(Path::file_name);
    cfg!(windows) && parent.is_some_and(|folder| folder.eq_ignore_ascii_case("system32"))
}

fn none(script: &Path, hint: &str) -> CommandError {
    CommandError::NoInterpreter { script: script.to_owned(), hint: hint.to_owned() }
}
