//! pueue: a daemon, and a program that is started for each job, which is how its documentation has jobs added.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::callers::CALLERS;
use crate::{Bench, Result, Side, rivals};

/// The least ratio that ours is to have.
const GOAL: f64 = 50.0;

/// How long the daemon may take until it answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where it is installed; each slice has a daemon of its own, which has no jobs yet.
pub(super) fn enqueue<'a>(bench: &Bench, slice: Duration, folder: &'a Path) -> Option<Side<'a>> {
    let (Some(client), Some(daemon)) = (rivals::find("pueue"), rivals::find("pueued")) else {
        bench.say("enqueue_durable: skipped pueue: it is not installed");
        return None;
    };
    if !cfg!(unix) {
        bench.say("enqueue_durable: left out pueue: its daemon gets a socket of its own on Unix only");
        return None;
    }
    let measure = move || Daemon::start(&client, &daemon, folder)?.measure(slice);
    Some(Side { name: "pueue", goal: Some(GOAL), measure: Box::new(measure) })
}

/// A daemon with its own folders; dropping it kills it. Its jobs are stashed, so it has started nothing.
struct Daemon {
    child: Child,
    client: PathBuf,
    /// What it keeps on disk.
    records: tempfile::TempDir,
    /// What has to have a short path: its socket.
    runtime: tempfile::TempDir,
}

impl Daemon {
    fn start(client: &Path, daemon: &Path, folder: &Path) -> Result<Self> {
        let (records, runtime) = (tempfile::tempdir_in(folder)?, tempfile::tempdir()?);
        let settings = serde_json::json!({
            "client": {}, "daemon": {},
            "shared": {
                "pueue_directory": records.path(), "runtime_directory": runtime.path(),
                "use_unix_socket": true, "unix_socket_path": runtime.path().join("socket"),
            },
        });
        // JSON is YAML, too.
        let file = runtime.path().join("pueue.yml");
        std::fs::write(&file, settings.to_string())?;
        let mut command = Command::new(daemon);
        command.arg("--config").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut started = Self { child: command.spawn()?, client: client.to_owned(), records, runtime };
        let start = Instant::now();
        // It tells nobody when it is ready; the first job that it takes does.
        while !started.add()? {
            if let Some(status) = started.child.try_wait()? {
                return Err(format!("the daemon ended with {status}").into());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("the daemon did not answer within {PATIENCE:?}").into());
            }
        }
        Ok(started)
    }

    /// Adds a job that is not to run, and says whether that was a success.
    fn add(&self) -> Result<bool> {
        let mut command = Command::new(&self.client);
        command.arg("--config").arg(self.runtime.path().join("pueue.yml"));
        command.args(["add", "--stashed", "--", "true"]);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        Ok(status.success())
    }

    /// How many jobs a second are accepted; as many as its own record has more afterwards, or it is an error.
    fn measure(self, slice: Duration) -> Result<f64> {
        let before = self.recorded()?;
        let start = Instant::now();
        let caller = || {
            let mut calls = 0;
            while start.elapsed() < slice {
                if !self.add()? {
                    return Err("a job was not accepted".into());
                }
                calls += 1;
            }
            Ok(calls)
        };
        let calls = thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(caller)).collect();
            callers.into_iter().map(|caller| caller.join().expect("a caller")).sum::<Result<usize>>()
        })?;
        let elapsed = start.elapsed().as_secs_f64();
        let found = self.recorded()? - before;
        if found != calls {
            return Err(format!("{calls} jobs were acknowledged, but {found} are in its record").into());
        }
        Ok(calls as f64 / elapsed)
    }

    /// How many jobs are in the file that it would start from again.
    fn recorded(&self) -> Result<usize> {
        let text = std::fs::read_to_string(self.records.path().join("state.json"))?;
        let state: serde_json::Value = serde_json::from_str(&text)?;
        Ok(state["tasks"].as_object().ok_or("its record has no tasks")?.len())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
