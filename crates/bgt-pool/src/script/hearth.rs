//! What is kept warm: a fire for each interpreter and environment that matters.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bgt_process::{Command, Order};
use tokio::sync::{Mutex as Turns, OwnedMutexGuard};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::error::NotWarm;
use super::isolation::{Isolation, Tally};
use super::key::Key;
use super::shelf::{self, Ready, Shelf};
use super::stamp::Stamps;
use super::zygote::WarmZygote;

/// The program that becomes scripts.
const WARM: &str = include_str!("../python/bgt_warm.py");

/// How many different interpreters and environments are kept warm; who comes beyond that takes the place of the one that was
/// not used for the longest time.
const FIRES: usize = 8;

/// How many bytes of variables that are its own a run of a zygote can show in `/proc/PID/environ`.
const ROOM: usize = 8 << 10;

/// How often a shelf is filled anew because somebody takes from it while it is filled.
const ATTEMPTS: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) preload: Vec<String>,
    pub(super) matters: Vec<OsString>,
    pub(super) spare: usize,
    pub(super) limit: Duration,
}

#[derive(Debug)]
pub(super) struct Hearth {
    /// The pool's own.
    command: Command,
    settings: Settings,
    pub(super) tally: Tally,
    pub(super) minders: TaskTracker,
    /// None after it was put out.
    fires: Mutex<Option<Fires>>,
}

type Fires = HashMap<Key, (Instant, Arc<Fire>)>;

impl Hearth {
    pub(super) fn new(command: &Command, settings: Settings, isolation: Isolation) -> Self {
        let tally = Tally::new(isolation);
        let (minders, fires) = (TaskTracker::new(), Mutex::new(Some(HashMap::new())));
        Self { command: command.clone(), settings, tally, minders, fires }
    }

    fn fires(&self) -> std::sync::MutexGuard<'_, Option<Fires>> {
        self.fires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fire for this order; none after they were put out.
    pub(super) fn fire(&self, order: &Order<'_>, environment: &[(OsString, OsString)]) -> Option<Arc<Fire>> {
        let key = Key::new(order.program(), environment, &self.settings.matters);
        let now = Instant::now();
        let mut gone = None;
        let mut guard = self.fires();
        let fires = guard.as_mut()?;
        if let Some((used, fire)) = fires.get_mut(&key) {
            *used = now;
            return Some(fire.clone());
        }
        if fires.len() >= FIRES {
            let oldest = fires.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            gone = oldest.and_then(|key| fires.remove(&key));
        }
        let environment = key.environment(self.command.open_environment(), &self.settings.matters);
        let fire = Arc::new(Fire::new(key.program.clone(), environment));
        fires.insert(key, (now, fire.clone()));
        drop(guard);
        drop(gone);
        Some(fire)
    }

    /// Lets all of them go out, for good.
    pub(super) fn put_out(&self) {
        let fires = self.fires().take();
        drop(fires);
    }

    pub(super) fn is_out(&self) -> bool {
        self.fires().is_none()
    }

    pub(super) fn waiting(&self) -> usize {
        self.fires().iter().flatten().map(|(_, (_, fire))| fire.shelf.waiting()).sum()
    }

    pub(super) fn zygotes(&self) -> Vec<u32> {
        let fires = self.fires();
        let zygotes =
            fires.iter().flatten().filter_map(|(_, (_, fire))| fire.burning().map(|zygote| zygote.pid));
        zygotes.collect()
    }

    fn command(&self, fire: &Fire, mode: &str) -> Command {
        let settings = &self.settings;
        Command::new(&fire.program)
            .args(["-c", WARM, mode])
            .args(&settings.preload)
            .env_clear()
            .envs(fire.environment.iter().map(|(name, value)| (name, value)))
    }

    /// A zygote that is warm. Making one goes on when this is dropped: others want it, too.
    ///
    /// Nobody waits for it where the last attempt has failed, unless that is what he is there for.
    pub(super) async fn zygote(
        self: &Arc<Self>,
        fire: &Arc<Fire>,
        patient: bool,
    ) -> Result<Arc<WarmZygote>, NotWarm> {
        if let Some(zygote) = fire.good() {
            return Ok(zygote);
        }
        if let Some(trouble) = fire.trouble(Isolation::Zygote).filter(|_| !patient) {
            let turn = fire.turn.clone().try_lock_owned();
            if let (false, Ok(turn)) = (trouble.stands(), turn) {
                drop(self.light(fire, turn));
            }
            return Err(trouble.last);
        }
        fire.may_ever()?;
        let turn = fire.turn.clone().lock_owned().await;
        // Whoever had the turn before may have made it, or have failed.
        if let Some(zygote) = fire.good() {
            return Ok(zygote);
        }
        fire.may_ever()?;
        if let Some(trouble) = fire.trouble(Isolation::Zygote).filter(|_| !patient) {
            return Err(trouble.last);
        }
        self.light(fire, turn).await.unwrap_or_else(|_| Err(NotWarm::new("the runtime is shutting down")))
    }

    /// Makes a zygote, in a task of its own.
    fn light(
        self: &Arc<Self>,
        fire: &Arc<Fire>,
        turn: OwnedMutexGuard<()>,
    ) -> JoinHandle<Result<Arc<WarmZygote>, NotWarm>> {
        let (hearth, fire) = (self.clone(), fire.clone());
        tokio::spawn(async move {
            let _turn = turn;
            let command = hearth.command(&fire, "zygote").env("BGT_ROOM", "-".repeat(ROOM));
            let stamps = Stamps::of(&fire.program);
            let start = WarmZygote::start(&command, stamps, &hearth.minders);
            let limit = hearth.settings.limit;
            let made = timeout(limit, start).await;
            let made = made
                .unwrap_or_else(|_| Err(NotWarm::new(format!("it was not ready within {limit:?}"))))
                .map(Arc::new);
            hearth.note(&fire, Isolation::Zygote, made.as_ref().err());
            fire.set(made.as_ref().ok().cloned());
            made
        })
    }

    /// An interpreter that waits for a script; made now, where none does and the last attempt has not failed.
    pub(super) async fn prestarted(self: &Arc<Self>, fire: &Arc<Fire>) -> Result<Ready, NotWarm> {
        let taken = fire.shelf.take().await;
        let trouble = fire.trouble(Isolation::Prestarted);
        match &trouble {
            None => self.restock(fire, self.settings.spare),
            // One is enough to see.
            Some(trouble) if !trouble.stands() => self.restock(fire, 1),
            Some(_) => {}
        }
        match (taken, trouble) {
            (Some(ready), _) => Ok(ready),
            (None, Some(trouble)) => Err(trouble.last),
            (None, None) => {
                let command = self.command(fire, "prestarted");
                let stamps = Stamps::of(&fire.program);
                let made = shelf::within(self.settings.limit, &command, stamps).await;
                self.note(fire, Isolation::Prestarted, made.as_ref().err());
                made
            }
        }
    }

    /// Makes as many as are missing, in the background.
    fn restock(self: &Arc<Self>, fire: &Arc<Fire>, wanted: usize) {
        for place in fire.shelf.missing(wanted) {
            let (hearth, fire) = (Arc::downgrade(self), fire.clone());
            let command = self.command(&fire, "prestarted");
            let limit = self.settings.limit;
            self.minders.spawn(async move {
                let made = shelf::within(limit, &command, Stamps::of(&fire.program)).await;
                if let Some(hearth) = hearth.upgrade() {
                    hearth.note(&fire, Isolation::Prestarted, made.as_ref().err());
                }
                place.fill(made.ok());
            });
        }
    }

    /// Waits until as many wait as are to, whoever makes them.
    pub(super) async fn stock(self: &Arc<Self>, fire: &Arc<Fire>) -> Result<(), NotWarm> {
        fire.shelf.clear_out();
        for _ in 0..ATTEMPTS {
            self.restock(fire, self.settings.spare);
            fire.shelf.made().await;
            if fire.shelf.waiting() >= self.settings.spare {
                return Ok(());
            }
            if let Some(trouble) = fire.trouble(Isolation::Prestarted) {
                return Err(trouble.last);
            }
            // Nothing was wrong: somebody has taken one meanwhile.
        }
        Ok(())
    }

    fn note(&self, fire: &Fire, way: Isolation, failed: Option<&NotWarm>) {
        let count = if failed.is_some() { &self.tally.not_warmed } else { &self.tally.warmed };
        count.fetch_add(1, Relaxed);
        fire.note(way, failed);
    }
}

/// What is warm of one interpreter in one environment.
#[derive(Debug)]
pub(super) struct Fire {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    shelf: Shelf,
    /// Whose turn it is to make a zygote.
    turn: Arc<Turns<()>>,
    zygote: Mutex<Option<Arc<WarmZygote>>>,
    /// Of each way its own: where no zygote can be made, an interpreter for one script can.
    troubles: Mutex<[Option<Trouble>; 2]>,
}

/// What went wrong the last time.
#[derive(Clone, Debug)]
struct Trouble {
    until: Instant,
    pause: Duration,
    last: NotWarm,
}

impl Fire {
    fn new(program: PathBuf, environment: Vec<(OsString, OsString)>) -> Self {
        Self {
            program,
            environment,
            shelf: Shelf::default(),
            turn: Arc::default(),
            zygote: Mutex::default(),
            troubles: Mutex::default(),
        }
    }

    fn good(&self) -> Option<Arc<WarmZygote>> {
        self.burning().filter(|zygote| zygote.is_good())
    }

    fn burning(&self) -> Option<Arc<WarmZygote>> {
        self.zygote.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, zygote: Option<Arc<WarmZygote>>) {
        let before =
            std::mem::replace(&mut *self.zygote.lock().unwrap_or_else(PoisonError::into_inner), zygote);
        drop(before);
    }

    /// Lets go of a zygote that does not do its work, if it is still the one.
    pub(super) fn give_up(&self, zygote: &Arc<WarmZygote>) {
        let mut burning = self.zygote.lock().unwrap_or_else(PoisonError::into_inner);
        let before = burning.take_if(|burning| Arc::ptr_eq(burning, zygote));
        drop(burning);
        drop(before);
    }

    fn trouble(&self, way: Isolation) -> Option<Trouble> {
        self.troubles()[way as usize].clone()
    }

    /// That a zygote is not out of the question: then asking for it is of no use, either.
    fn may_ever(&self) -> Result<(), NotWarm> {
        let trouble = self.trouble(Isolation::Zygote);
        match trouble.filter(|trouble| trouble.last.lasts.is_some() && trouble.stands()) {
            Some(trouble) => Err(trouble.last),
            None => Ok(()),
        }
    }

    /// A second after the first failure, doubling up to half a minute. Several at once are one.
    fn note(&self, way: Isolation, failed: Option<&NotWarm>) {
        let trouble = &mut self.troubles()[way as usize];
        let now = Instant::now();
        *trouble = failed.map(|last| match &*trouble {
            Some(Trouble { until, pause, .. }) if *until > now => {
                Trouble { until: *until, pause: *pause, last: last.clone() }
            }
            earlier => {
                let pause = earlier.as_ref().map_or(Duration::from_secs(1), |earlier| earlier.pause * 2);
                let pause = pause.min(Duration::from_secs(30));
                Trouble { until: now + pause, pause, last: last.clone() }
            }
        });
    }

    fn troubles(&self) -> std::sync::MutexGuard<'_, [Option<Trouble>; 2]> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trouble {
    /// Whether it is too early to try again.
    fn stands(&self) -> bool {
        match &self.last.lasts {
            Some(files) => files.hold(),
            None => self.until > Instant::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as are to be spare fail at once: once that made the first pause the longest.
    #[tokio::test(start_paused = true)]
    async fn failures_at_once_are_one_failure() {
        let fire = Fire::new(PathBuf::from("python3"), Vec::new());
        let way = Isolation::Prestarted;
        for _ in 0..5 {
            fire.note(way, Some(&NotWarm::new("no")));
        }
        assert!(fire.trouble(way).unwrap().stands() && fire.trouble(Isolation::Zygote).is_none());
        tokio::time::advance(Duration::from_millis(1001)).await;
        assert!(!fire.trouble(way).unwrap().stands());
        fire.note(way, Some(&NotWarm::new("no")));
        assert_eq!(fire.trouble(way).unwrap().pause, Duration::from_secs(2));
        fire.note(way, None);
        assert!(fire.trouble(way).is_none());
    }
}
