//! Hosts that are killed −9, paused and replaced at random moments, with programs and functions in flight; and in the end
//! nothing is lost, nothing is done twice that must not be, nobody survives that nobody knows, and nothing hangs.
//!
//! Hosts and shims are this program again. What programs and functions did they write to a ledger themselves, so that it is
//! known from outside. `BGT_CHAOS_ROUNDS=1000` makes more of it (40 without), `BGT_CHAOS_SEED` the same of it again:
//!
//! ```sh
//! BGT_CHAOS_ROUNDS=1000 cargo test -p bgt-detached --test chaos
//! ```

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bgt_detached::{
    Builder, Command, Context, Detached, Exit, Job, Retry, RunEventKind, RunId, Status, Stop, TaskError,
};
use bgt_testkit::{Ledger, Other, Scratch, assert_gone, bad, hear, read_pids, role, say, skip, under_wine};

const LEASE: Duration = Duration::from_millis(300);
/// How many rounds share the same records.
const ROUNDS_A_FILE: u64 = 10;
/// Far beyond slowness.
const HANG: Duration = Duration::from_secs(120);

fn main() {
    bgt_detached::shim_entry();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(folder) = role() {
        return runtime.block_on(plays_a_host(PathBuf::from(folder)));
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = filters.is_empty() || filters.iter().any(|filter| "chaos".contains(&***filter));
    if arguments.iter().any(|argument| argument == "--list" || argument == "--ignored") || !is_wanted {
        return;
    }
    runtime.block_on(chaos());
}

async fn chaos() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    // Wine takes its time to start a program.
    let rounds: u64 = number("BGT_CHAOS_ROUNDS", if under_wine() { 4 } else { 40 });
    let seed = number("BGT_CHAOS_SEED", fastrand::u64(..));
    println!("{rounds} rounds, seed {seed}");
    if under_wine() {
        // A killed host is in `survival.rs` there as well, at moments when it starts nothing.
        skip!(
            "chaos: hosts that are killed at any moment",
            "Wine keeps a process for ever whose creator is killed meanwhile"
        );
    }
    let (began, mut random, mut total) = (Instant::now(), fastrand::Rng::with_seed(seed), Total::default());
    let mut round = 0;
    while round < rounds {
        let many = ROUNDS_A_FILE.min(rounds - round);
        Field::new(random.fork()).play(round, many, &mut total).await;
        round += many;
    }
    println!("{total}");
    println!(
        "0 lost, 0 with two successes, 0 programs started twice, 0 survivors, 0 stuck; {:?}",
        began.elapsed()
    );
}

/// A host: works until it is killed, or told to end.
async fn plays_a_host(folder: PathBuf) {
    let ledger = Ledger::at(folder.join("ledger"));
    let work = move |cx: Context, (key, pause, fails): (String, u64, bool)| {
        let ledger = ledger.clone();
        async move {
            ledger.append(&format!("{key} begun"));
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(pause)) => {}
                _ = cx.cancelled() => cx.check()?,
            }
            if fails && cx.attempt() == 1 {
                return Err(TaskError::msg("the first time it fails"));
            }
            ledger.append(&format!("{key} done"));
            Ok(key)
        }
    };
    let host = Builder::new()
        .lease(LEASE)
        .queue("programs", 6)
        .queue("functions", 6)
        .function("work", work)
        .open(folder.join("runs.db"))
        .await
        .expect("a host");
    say("up");
    tokio::task::spawn_blocking(|| while hear().is_some() {}).await.unwrap();
    host.shutdown(HANG).await;
}

/// What was asked for, and has to come of it.
enum Expected {
    Program { exit: i32, is_cancelled: bool },
    Function,
}

struct Field {
    scratch: Scratch,
    ledger: Ledger,
    random: fastrand::Rng,
    expected: HashMap<RunId, (String, Expected)>,
}

#[derive(Default)]
struct Total {
    programs: u64,
    functions: u64,
    killed: u64,
    paused: u64,
    handed_over: u64,
    adopted: u64,
    called_again: u64,
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { programs, functions, killed, paused, handed_over, adopted, called_again } = self;
        write!(
            f,
            "{programs} programs and {functions} functions; {killed} hosts killed, {paused} paused, {handed_over} shut \
             down; {adopted} runs taken over, {called_again} functions called again"
        )
    }
}

impl Field {
    fn new(random: fastrand::Rng) -> Self {
        let scratch = Scratch::new();
        let ledger = Ledger::at(scratch.path("ledger"));
        Self { scratch, ledger, random, expected: HashMap::new() }
    }

    fn host(&self) -> Other {
        let mut command = Other::command("chaos", self.scratch.dir());
        command.stderr(std::process::Stdio::null());
        let mut host = Other::of(command).expect("this very program");
        assert_eq!(host.hear(), "up");
        host
    }

    async fn play(mut self, first: u64, rounds: u64, total: &mut Total) {
        let asks =
            Builder::new().without_workers().open(self.scratch.path("runs.db")).await.expect("the records");
        let mut hosts = vec![self.host(), self.host()];
        for round in first..first + rounds {
            self.detach_some(&asks, round, total).await;
            // By what they have done and not by time alone, so that a slow machine is not killed before it has begun.
            let lines = self.ledger.lines().len() + self.random.usize(1..8);
            let _ = self.ledger.wait_for_lines(lines, HANG);
            self.cancel_some(&asks).await;
            tokio::time::sleep(Duration::from_micros(self.random.u64(..20_000))).await;
            self.disturb(&mut hosts, total).await;
        }
        self.judge(&asks, first, total).await;
        hosts.into_iter().for_each(Other::end);
        self.nobody_is_left();
    }

    async fn detach_some(&mut self, asks: &Detached, round: u64, total: &mut Total) {
        let (ledger, pids) = (self.scratch.text("ledger"), self.scratch.text("pids"));
        let mut jobs = Vec::new();
        for n in 0..self.random.u64(2..6) {
            let (key, exit) = (format!("p{round}.{n}"), self.random.i32(0..4));
            let pause = format!("{:.3}", self.random.f64() * 0.5);
            let (begun, done, code) = (format!("{key} begun"), format!("{key} done"), exit.to_string());
            let (program, args) = bad([
                "pids-to", &*pids, "then", "append", &*ledger, &*begun, "then", "sleep", &*pause, "then",
                "append", &*ledger, &*done, "then", "exit", &*code,
            ]);
            let command = Command::new(program).args(args).stop(Stop::default());
            let job =
                Job::program(command).queue("programs").label("key", &key).priority(self.random.i32(..4));
            jobs.push((job, key, Expected::Program { exit, is_cancelled: false }));
            total.programs += 1;
        }
        for n in 0..self.random.u64(2..6) {
            let key = format!("f{round}.{n}");
            let retry = Retry::attempts(3).backoff(Duration::from_millis(20), Duration::from_millis(100));
            let job = Job::call("work", &(&key, self.random.u64(..300), self.random.bool()));
            let delay = Duration::from_millis(self.random.u64(..100));
            jobs.push((
                job.queue("functions").label("key", &key).retry(retry).delay(delay),
                key,
                Expected::Function,
            ));
            total.functions += 1;
        }
        let mut expected = Vec::new();
        let jobs = jobs.into_iter().map(|(job, key, what)| {
            expected.push((key, what));
            job
        });
        let ids = asks.detach_all(jobs.collect::<Vec<_>>()).await.expect("accepted runs");
        self.expected.extend(ids.into_iter().zip(expected));
    }

    /// Sometimes one is not wanted any more, wherever it stands.
    async fn cancel_some(&mut self, asks: &Detached) {
        if !self.random.bool() {
            return;
        }
        let programs = self.expected.iter_mut().filter_map(|(id, (key, what))| match what {
            Expected::Program { is_cancelled, .. } => Some((key, id, is_cancelled)),
            Expected::Function => None,
        });
        // In the order of their names, which is the same for the same seed.
        let mut programs: Vec<_> = programs.collect();
        programs.sort();
        if let Some(at) = (!programs.is_empty()).then(|| self.random.usize(..programs.len())) {
            let (_, id, is_cancelled) = &mut programs[at];
            let _ = asks.run(**id).cancel().await.expect("a wish that is kept");
            **is_cancelled = true;
        }
    }

    async fn disturb(&mut self, hosts: &mut [Other], total: &mut Total) {
        let which = self.random.usize(..hosts.len());
        match self.random.u32(..10) {
            0..=4 if !under_wine() => {
                let _ = std::mem::replace(&mut hosts[which], self.host()).kill();
                total.killed += 1;
            }
            // Both at once, so that nobody is there for a while.
            5..=6 if !under_wine() => {
                for host in hosts.iter() {
                    bgt_sys::Identity::of(host.id()).map(|host| host.kill().expect("a kill"));
                }
                for host in hosts.iter_mut() {
                    let _ = std::mem::replace(host, self.host()).kill();
                    total.killed += 1;
                }
            }
            7..=8 if signal("-STOP", hosts[which].id()) => {
                let pause = LEASE + Duration::from_millis(self.random.u64(..600));
                tokio::time::sleep(pause).await;
                assert!(signal("-CONT", hosts[which].id()));
                total.paused += 1;
            }
            _ => {
                let old = std::mem::replace(&mut hosts[which], self.host());
                tokio::task::spawn_blocking(|| old.end()).await.expect("a host that ends well");
                total.handed_over += 1;
            }
        }
    }

    /// Everything has come to its end, and to the right one.
    async fn judge(&self, asks: &Detached, first: u64, total: &mut Total) {
        for id in self.expected.keys() {
            let run = asks.run(*id);
            if tokio::time::timeout(HANG, run.wait()).await.is_err() {
                panic!("{id} is stuck: {:?} {:?}", run.record().await, run.history(0, 1000).await);
            }
        }
        let mut count = BTreeMap::<String, u32>::new();
        self.ledger.lines().into_iter().for_each(|line| *count.entry(line).or_default() += 1);
        for (id, (key, expected)) in &self.expected {
            let run = asks.run(*id);
            let told = format!("files of round {first}, run {key} {id}");
            let record = run.record().await;
            let record = record.unwrap_or_else(|error| panic!("{told} is lost: {error}"));
            let history = run.history(0, 1000).await.expect("a history");
            let of = |kind| history.iter().filter(|event| event.kind == kind).count();
            assert_eq!(of(RunEventKind::Ended), 1, "{told} {history:?}");
            total.adopted += of(RunEventKind::Adopted) as u64;
            let times = |what: &str| count.get(&format!("{key} {what}")).copied().unwrap_or(0);
            match expected {
                Expected::Program { exit, is_cancelled } => {
                    assert!(times("begun") <= 1, "{told} was started {} times: {history:?}", times("begun"));
                    if *is_cancelled && record.status == Status::Cancelled {
                        continue;
                    }
                    let status = if *exit == 0 { Status::Succeeded } else { Status::Failed };
                    assert_eq!(record.status, status, "{told} {record:?} {history:?}");
                    let end = run.program_end().await.expect("an end");
                    assert_eq!(end.exit, Some(Exit::Code(*exit)), "{told} {end:?}");
                    assert_eq!((times("begun"), times("done")), (1, 1), "{told} {history:?}");
                }
                Expected::Function => {
                    assert_eq!(record.status, Status::Succeeded, "{told} {record:?} {history:?}");
                    assert_eq!(&run.result::<String>().await.expect("an answer"), key, "{told}");
                    assert!(times("done") >= 1, "{told} {history:?}");
                    total.called_again += u64::from(times("done") - 1);
                }
            }
        }
    }

    fn nobody_is_left(&self) {
        let pids = self.scratch.path("pids");
        if pids.exists() {
            assert_gone(&read_pids(&pids), HANG);
        }
        // Whoever looks after a program holds its lock.
        let until = Instant::now() + HANG;
        for lock in locks(&self.scratch.path("runs.db.d")) {
            while bgt_sys::FileLock::try_new(&lock).expect("a lock").is_none() {
                assert!(Instant::now() < until, "somebody still is at {}", lock.display());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn locks(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.map(|entry| entry.expect("an entry").path());
    let found = entries.flat_map(|path| match path.is_dir() {
        true => locks(&path),
        false if path.ends_with("lock") => vec![path],
        false => Vec::new(),
    });
    found.collect()
}

/// Whether the system's own `kill` could send it.
fn signal(signal: &str, pid: u32) -> bool {
    let sent = std::process::Command::new("kill").args([signal, &pid.to_string()]).output();
    sent.is_ok_and(|sent| sent.status.success())
}
