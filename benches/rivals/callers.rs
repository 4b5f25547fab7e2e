//! What the rivals of the suite `detached` have in common: 256 callers that are warm before the suite says go, and one slice.
//!
//! A rival is called as `RIVAL CASE FILE MILLISECONDS`, says `ready`, waits for a line, and says how many in how many seconds.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

const CALLERS: usize = 256;

pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// What the suite wants to know.
#[derive(Clone, Copy, PartialEq)]
pub enum Case {
    /// Jobs that are accepted.
    Enqueue,
    /// Jobs whose final status is on disk.
    Lifecycle,
}

pub struct Asked {
    pub case: Case,
    pub path: PathBuf,
    slice: Duration,
}

impl Asked {
    pub fn on_the_command_line() -> Result<Self> {
        let words: Vec<_> = std::env::args().skip(1).collect();
        let [case, path, milliseconds] = words.as_slice() else {
            return Err("wanted: enqueue_durable|lifecycle FILE MILLISECONDS".into());
        };
        let case = match case.as_str() {
            "enqueue_durable" => Case::Enqueue,
            "lifecycle" => Case::Lifecycle,
            other => return Err(format!("`{other}` is no case").into()),
        };
        Ok(Self { case, path: path.into(), slice: Duration::from_millis(milliseconds.parse()?) })
    }

    /// Has the callers call on and on, and counts at both ends of one slice what is on record.
    pub async fn measure<Called, Counted>(
        self,
        call: impl Fn() -> Called + Clone + Send + 'static,
        count: impl Fn() -> Counted,
    ) -> Result
    where
        Called: Future<Output = Result> + Send,
        Counted: Future<Output = Result<i64>>,
    {
        for _ in 0..CALLERS {
            let call = call.clone();
            tokio::spawn(async move {
                loop {
                    if let Err(error) = call().await {
                        eprintln!("a call failed: {error}");
                        std::process::exit(1);
                    }
                }
            });
        }
        tokio::time::sleep(self.slice / 2).await;
        say("ready")?;
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
        let start = Instant::now();
        let before = count().await?;
        tokio::time::sleep(self.slice).await;
        let seconds = start.elapsed().as_secs_f64();
        let after = count().await?;
        say(&format!("{} {seconds}", after - before))
    }
}

fn say(line: &str) -> Result {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// Callers that wait until the job with their number has run.
///
/// The job itself tells them. That is earlier than its status is on disk, and spares the rival what it would take its callers
/// to ask for that again and again.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    next: Arc<AtomicU64>,
    callers: Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>,
}

impl Waiting {
    pub fn next(&self) -> (u64, oneshot::Receiver<()>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = oneshot::channel();
        self.callers.lock().unwrap_or_else(PoisonError::into_inner).insert(number, tell);
        (number, told)
    }

    pub fn has_run(&self, number: u64) {
        if let Some(tell) = self.callers.lock().unwrap_or_else(PoisonError::into_inner).remove(&number) {
            let _ = tell.send(());
        }
    }
}
