//! One step: it is done through the orchestrator, and what has to be in the ledger afterwards is told.

use std::time::Duration;

use bgt_concurrent::batch;
use bgt_detached::{Job, Retry};
use bgt_orchestrator::{Error, Orchestrator, Status, TaskError};
use bgt_periodic::{Running, Schedule};
use bgt_pool::{Request, WorkerPool};
use bgt_simple::{Command, Context, task_fn};
use bgt_streaming::{From, StreamEvent};
use bgt_testkit::{Ledger, assert_gone, bad, wait_for_pids};
use tokio::sync::mpsc;

use super::host::WORK;
use super::plan::{Habit, Step};
use crate::Result;

/// Far beyond slowness.
pub(super) const HANG: Duration = Duration::from_secs(120);

/// A round kills no more than so many workers.
const MOST_KILLS: u32 = 3;

/// What a step needs.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) bgt: Orchestrator,
    pub(super) pool: WorkerPool,
    pub(super) ledger: Ledger,
    /// The file in which every child and each of its descendants is.
    pub(super) pids: String,
}

/// What the ledger must hold: a line, and how often at least and at most.
pub(super) type Expected = (String, u32, u32);

impl Field {
    /// Does one step.
    ///
    /// # Errors
    /// Where it ends otherwise than it must.
    pub(super) async fn step(&self, key: String, step: Step) -> Result<Vec<Expected>> {
        let done = format!("{key} done");
        match step {
            Step::Simple(habit) => self.simple(&key, habit).await?,
            Step::Streaming { lines } => self.streaming(&key, lines).await?,
            Step::Concurrent { items, failing } => return self.concurrent(&key, items, failing).await,
            Step::Periodic { ticks } => return self.periodic(&key, ticks).await,
            Step::Pooled { calls } => return self.pooled(&key, calls).await,
            Step::Program { pause_ms, exit } => self.program(&key, pause_ms, exit).await?,
            Step::Function { pause_ms, fails } => {
                self.function(&key, pause_ms, fails).await?;
                // Who is killed after its work and before its record does it again: at least once is what is promised.
                return Ok(vec![(done, 1, u32::MAX)]);
            }
        }
        Ok(vec![(done, 1, 1)])
    }

    /// A child that says in the ledger that it is done, and then does the rest.
    fn child(&self, key: &str, rest: &[&str]) -> Command {
        let done = format!("{key} done");
        let mut verbs = vec!["pids-to", &self.pids, "then", "append"];
        let ledger = self.ledger.path().to_string_lossy();
        verbs.extend([&*ledger, &done]);
        if !rest.is_empty() {
            verbs.push("then");
            verbs.extend(rest);
        }
        let (program, args) = bad(verbs);
        Command::new(program).args(args).grace(Duration::from_millis(200))
    }

    async fn simple(&self, key: &str, habit: Habit) -> Result {
        let code;
        let (rest, expected): (&[&str], _) = match habit {
            Habit::Exits(exit) => {
                code = exit.to_string();
                (&["exit", &code], if exit == 0 { Status::Succeeded } else { Status::Failed })
            }
            Habit::Aborts => (&["abort"], Status::Failed),
            Habit::Floods => (&["flood", "4M"], Status::Succeeded),
            Habit::LeavesGrandchild => (&["quiet-grandchild", "300"], Status::Succeeded),
            Habit::Hangs => {
                (&["ignore-term", "then", "stubborn-grandchild", "300", "then", "hang"], Status::TimedOut)
            }
            Habit::Killed => return self.killed(key).await,
        };
        let run = self.bgt.simple(self.child(key, rest));
        let deadline = if expected == Status::TimedOut { Duration::from_secs(3) } else { HANG };
        let report = run.deadline(deadline).report().await;
        same(key, report.status(), expected, &report.result.err())
    }

    async fn killed(&self, key: &str) -> Result {
        let own = format!("{}.{key}", self.pids);
        let (wanted, stubborn) =
            (own.clone(), ["pids-to", &own, "then", "stubborn-grandchild", "300", "then", "hang"]);
        let run = tokio::spawn(self.bgt.simple(self.child(key, &stubborn)).report());
        // The child's own line is there as soon as it is called; the grandchild's comes second.
        let pids = tokio::task::spawn_blocking(move || wait_for_pids(wanted, 2, HANG)).await?;
        kill(pids[0]);
        let report = run.await?;
        tokio::task::spawn_blocking(move || assert_gone(&pids, HANG)).await?;
        same(key, report.status(), Status::Failed, &report.result.err())
    }

    async fn streaming(&self, key: &str, lines: u32) -> Result {
        let many = lines.to_string();
        let run = self.bgt.streaming(self.child(key, &["alternate", &many])).start();
        let mut events = run.subscribe(From::Start);
        let mut seen = 0;
        while let Some(event) = events.next().await {
            match event {
                StreamEvent::Line(_) => seen += 1,
                StreamEvent::End(_) => break,
                _ => {}
            }
        }
        run.await?;
        if seen == lines { Ok(()) } else { Err(format!("{key}: {seen} lines of {lines} came").into()) }
    }

    async fn concurrent(&self, key: &str, items: u32, failing: u32) -> Result<Vec<Expected>> {
        let keys: Vec<_> = (0..items).map(|n| format!("{key}.{n}")).collect();
        let programs = keys
            .iter()
            .enumerate()
            .map(|(n, key)| self.child(key, &["exit", if n < failing as usize { "1" } else { "0" }]));
        let programs: Vec<_> = programs.collect();
        let counts = self.bgt.concurrent(batch(programs)).max_concurrent(3).await?.counts;
        if (counts.succeeded, counts.failed) != ((items - failing) as _, failing as _) {
            return Err(format!("{key}: {failing} of {items} were to fail: {counts:?}").into());
        }
        Ok(keys.into_iter().map(|key| (format!("{key} done"), 1, 1)).collect())
    }

    async fn periodic(&self, key: &str, ticks: u32) -> Result<Vec<Expected>> {
        let (tell, mut told) = mpsc::unbounded_channel();
        let (ledger, line) = (self.ledger.clone(), format!("{key} tick"));
        let said = line.clone();
        let work = task_fn("tick", move |_cx: Context| {
            let (ledger, line, tell) = (ledger.clone(), line.clone(), tell.clone());
            async move {
                ledger.append(&line);
                let _ = tell.send(());
                Ok::<_, TaskError>(())
            }
        });
        let schedule = self.bgt.periodic(key, Schedule::every(Duration::from_millis(20)), work).await?;
        for _ in 0..ticks {
            told.recv().await.ok_or("the schedule was dropped")?;
        }
        schedule.remove(Running::Finish).await;
        let runs = u32::try_from(schedule.statistics().succeeded)?;
        Ok(vec![(said, runs.max(ticks), runs)])
    }

    async fn pooled(&self, key: &str, calls: u32) -> Result<Vec<Expected>> {
        let mut expected = Vec::new();
        for n in 0..calls {
            let line = format!("{key}.{n} done");
            let mut killed = 0;
            // A call whose worker is killed fails, and says so; who called decides whether it may be done twice.
            loop {
                let request = Request::new().arg(self.ledger.path()).arg(&line);
                match self.pool.call(request).await {
                    Ok(answer) if answer.json::<String>().is_ok_and(|said| said == line) => break,
                    Ok(answer) => return Err(format!("{line} was answered with {:?}", answer.text()).into()),
                    Err(error) if killed < MOST_KILLS => {
                        killed += 1;
                        drop::<Error>(error);
                    }
                    Err(error) => return Err(format!("{line}: {error:#}").into()),
                }
            }
            expected.push((line, 1, 1 + killed));
        }
        Ok(expected)
    }

    async fn program(&self, key: &str, pause_ms: u64, exit: i32) -> Result {
        let (pause, code) = (format!("{:.3}", pause_ms as f64 / 1000.0), exit.to_string());
        let program = self.child(key, &["sleep", &pause, "then", "exit", &code]);
        let id = self.bgt.detached(Job::program(program)).await?;
        let record = self.bgt.run(id)?.wait().await?;
        let expected = if exit == 0 { Status::Succeeded } else { Status::Failed };
        same(key, record.status, expected, &Some(&record))
    }

    async fn function(&self, key: &str, pause_ms: u64, fails: bool) -> Result {
        let retry = Retry::attempts(3).backoff(Duration::from_millis(20), Duration::from_millis(100));
        let job = Job::call(WORK, &(self.ledger.path(), key, pause_ms, fails)).retry(retry);
        let id = self.bgt.detached(job).await?;
        let record = self.bgt.run(id)?.wait().await?;
        same(key, record.status, Status::Succeeded, &Some(&record))
    }
}

fn same(key: &str, status: Status, expected: Status, more: &Option<impl std::fmt::Debug>) -> Result {
    if status == expected {
        Ok(())
    } else {
        Err(format!("{key} is {status}, not {expected}: {more:?}").into())
    }
}

/// Kill −9 from outside, as the system's own program does it; somebody who has just ended is fine.
pub(super) fn kill(pid: u32) -> bool {
    let pid = pid.to_string();
    let (program, words): (_, &[&str]) =
        if cfg!(windows) { ("taskkill", &["/F", "/PID", &pid]) } else { ("kill", &["-9", &pid]) };
    std::process::Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
}
