//! One step: it is done through the orchestrator, and what has to be in the ledger afterwards is told.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use bgt_concurrent::batch;
use bgt_detached::{Job, Retry};
use bgt_orchestrator::{Error, Orchestrator, Status, TaskError};
use bgt_periodic::{Overlap, Running, Schedule, with_tick};
use bgt_pool::{CallError, Request, StartError, WorkerPool};
use bgt_simple::{Command, Context, task_fn};
use bgt_streaming::{From, StreamEvent};
use bgt_testkit::{Ledger, bad, under_wine, wait_for_pids};
use tokio::sync::mpsc;

use super::books::Expected;
use super::host::WORK;
use super::left::{MARK, NAME};
use super::plan::{Habit, Step};
use crate::Result;

/// Far beyond slowness.
pub(super) const HANG: Duration = Duration::from_secs(120);

/// How often a schedule fires.
const INTERVAL: Duration = Duration::from_millis(20);
/// By so much a slot may be off its place, for the wall clock is being set all the time: far less than half an interval.
const OFF: Duration = Duration::from_millis(5);

/// What a step needs.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) bgt: Orchestrator,
    pub(super) pool: WorkerPool,
    pub(super) ledger: Ledger,
    /// The file in which every child is, and each of its descendants but for those of a child that is killed.
    pub(super) pids: String,
    pub(super) kills: Arc<Kills>,
}

/// Who was killed in a round, and what came of it.
#[derive(Default)]
pub(super) struct Kills {
    pub(super) hosts: AtomicU32,
    pub(super) workers: AtomicU32,
    pub(super) children: AtomicU32,
    /// Calls that failed because their worker died.
    pub(super) calls: AtomicU32,
    /// The children that were killed, and their descendants.
    trees: Mutex<Vec<u32>>,
}

impl Kills {
    pub(super) fn trees(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
                // A host that is killed after the work and before its record: another does it again, and nobody else may.
                return Ok(vec![(done, 1, 1 + self.kills.hosts.load(Ordering::SeqCst))]);
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
        Command::new(program).args(args).env(NAME, &*MARK).grace(Duration::from_millis(200))
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
        if !kill(pids[0]) {
            return Err(format!("{key}: the child could not be killed").into());
        }
        self.kills.children.fetch_add(1, Ordering::SeqCst);
        self.kills.trees().extend(pids);
        let report = run.await?;
        // Whom Wine's `taskkill` ends says 0.
        let expected = if under_wine() { Status::Succeeded } else { Status::Failed };
        same(key, report.status(), expected, &report.result.err())
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
        let (ledger, line, slots) = (self.ledger.clone(), format!("{key} tick"), Arc::new(Slots::default()));
        let (said, first) = (line.clone(), slots.clone());
        let work = with_tick(move |tick| {
            let (ledger, tell) = (ledger.clone(), tell.clone());
            let (slot, missed) = (slots.number(tick.scheduled_at, tick.missed), tick.missed);
            let line = format!("{line} {}", slot.map_or("beside".to_owned(), |slot| slot.to_string()));
            task_fn("tick", move |_cx: Context| {
                ledger.append(&line);
                let _ = tell.send((slot, missed));
                async { Ok::<_, TaskError>(()) }
            })
        });
        // Who waits for its turn is not skipped, so that each slot is either done or said to be missed by the next that is.
        let every = Schedule::every(INTERVAL).overlap(Overlap::Queue(1000));
        let before = SystemTime::now();
        let schedule = self.bgt.periodic(key, every, work).await?;
        let after = SystemTime::now();
        let mut seen = Vec::new();
        while seen.len() < ticks as usize {
            seen.push(told.recv().await.ok_or("the schedule was dropped")?);
        }
        schedule.remove(Running::Finish).await;
        while let Ok(slot) = told.try_recv() {
            seen.push(slot);
        }
        let seen = in_order(&seen).map_err(|what| format!("{key}: {what}"))?;
        first.is_between(before, after).map_err(|what| format!("{key}: {what}"))?;
        Ok(seen.into_iter().map(|slot| (format!("{said} {slot}"), 1, 1)).collect())
    }

    async fn pooled(&self, key: &str, calls: u32) -> Result<Vec<Expected>> {
        let mut expected = Vec::new();
        for n in 0..calls {
            let line = format!("{key}.{n} done");
            let mut died = 0;
            // A call whose worker is killed fails, and says so; who called decides whether it may be done twice.
            loop {
                let request = Request::new().arg(self.ledger.path()).arg(&line);
                match self.pool.call(request).await {
                    Ok(answer) if answer.json::<String>().is_ok_and(|said| said == line) => break,
                    Ok(answer) => return Err(format!("{line} was answered with {:?}", answer.text()).into()),
                    Err(error) if worker_died(&error) => {
                        // That no more died than were killed is judged at the end of the round; here it must have an end.
                        let all = self.kills.calls.fetch_add(1, Ordering::SeqCst);
                        died += 1;
                        if all > 100 {
                            return Err(format!("{line}: workers die again and again: {error:#}").into());
                        }
                    }
                    Err(error) => return Err(format!("{line}: {error:#}").into()),
                }
            }
            expected.push((line, 1, 1 + died));
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

/// The slots of a schedule, from 0 up, by the times that its ticks are for.
#[derive(Default)]
struct Slots {
    first: OnceLock<SystemTime>,
}

impl Slots {
    /// The number of the slot at this time, which stands for so many before it; nothing if there is no slot then.
    fn number(&self, at: SystemTime, missed: u64) -> Option<u64> {
        let missed = INTERVAL * u32::try_from(missed).ok()?;
        let first = *self.first.get_or_init(|| at - missed);
        let since = at.duration_since(first - OFF).ok()?.as_nanos();
        let (number, off) = (since / INTERVAL.as_nanos(), since % INTERVAL.as_nanos());
        (off <= 2 * OFF.as_nanos()).then(|| u64::try_from(number).ok())?
    }

    /// Whether the first is an interval after the schedule was added.
    fn is_between(&self, before: SystemTime, after: SystemTime) -> Result<(), String> {
        let first = self.first.get().copied().unwrap_or(SystemTime::UNIX_EPOCH);
        if (before + INTERVAL - OFF..=after + INTERVAL + OFF).contains(&first) {
            return Ok(());
        }
        let late = first.duration_since(before + INTERVAL);
        Err(format!("the first slot is not an interval after the schedule was added, but {late:?} later"))
    }
}

/// Each slot once, one after the other, but for those that the next one says it stands for.
fn in_order(ticks: &[(Option<u64>, u64)]) -> Result<Vec<u64>, String> {
    let mut next = 0;
    let mut slots = Vec::new();
    for (slot, missed) in ticks {
        let wanted = next + missed;
        if *slot != Some(wanted) {
            return Err(format!(
                "a tick was for slot {slot:?}, not {wanted}, with {missed} missed: {ticks:?}"
            ));
        }
        slots.push(wanted);
        next = wanted + 1;
    }
    Ok(slots)
}

/// Whether the call has failed because the worker was killed: at its work, or before it was ready.
fn worker_died(error: &Error) -> bool {
    let died = |error: &CallError| matches!(error, CallError::Crashed { .. });
    match (error.find::<CallError>(), error.find::<StartError>()) {
        (Some(error), _) => died(error),
        (None, Some(StartError::NotReady { what, .. })) => died(what),
        _ => false,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_is_left_out_doubled_or_out_of_turn_is_found() {
        let slots =
            |slots: &[(u64, u64)]| in_order(&slots.iter().map(|(n, m)| (Some(*n), *m)).collect::<Vec<_>>());
        assert_eq!(slots(&[(0, 0), (1, 0), (4, 2)]).unwrap(), [0, 1, 4]);
        for wrong in [&[(1, 0)][..], &[(0, 0), (2, 0)], &[(0, 0), (0, 0)], &[(0, 0), (2, 1), (1, 0)]] {
            slots(wrong).unwrap_err();
        }
        in_order(&[(None, 0)]).unwrap_err();
    }
    #[test]
    fn slots_are_numbered_by_their_times_and_the_first_has_its_place() {
        let (added, ms) = (SystemTime::UNIX_EPOCH + Duration::from_secs(1000), Duration::from_millis);
        let slots = Slots::default();
        let numbers = [(60, 2), (80, 0), (119, 0), (121, 0), (130, 0), (0, 0)];
        let numbers = numbers.map(|(at, missed)| slots.number(added + ms(at), missed));
        assert_eq!(numbers, [Some(2), Some(3), Some(5), Some(5), None, None]);
        slots.is_between(added, added + ms(1)).unwrap();
        for (before, after) in [(added - ms(20), added - ms(10)), (added + ms(10), added + ms(20))] {
            slots.is_between(before, after).unwrap_err();
        }
    }
}
