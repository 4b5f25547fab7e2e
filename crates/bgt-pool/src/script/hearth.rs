//! What is kept warm: a fire for each interpreter and environment that matters.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bgt_process::{Command, Order};
use tokio::sync::Mutex as Turns;
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

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) preload: Vec<String>,
    pub(super) scripts: Vec<PathBuf>,
    pub(super) matters: Vec<OsString>,
    pub(super) spare: usize,
    pub(super) limit: Duration,
}

#[derive(Debug)]
pub(super) struct Hearth {
    settings: Settings,
    pub(super) tally: Tally,
    pub(super) minders: TaskTracker,
    fires: Mutex<HashMap<Key, (Instant, Arc<Fire>)>>,
}

impl Hearth {
    pub(super) fn new(settings: Settings, isolation: Isolation) -> Self {
        let tally = Tally::new(isolation);
        Self { settings, tally, minders: TaskTracker::new(), fires: Mutex::default() }
    }

    fn fires(&self) -> std::sync::MutexGuard<'_, HashMap<Key, (Instant, Arc<Fire>)>> {
        self.fires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fire for this order.
    pub(super) fn fire(&self, order: &Order<'_>, environment: &[(OsString, OsString)]) -> Arc<Fire> {
        let key = Key::new(order.program(), environment, &self.settings.matters);
        let now = Instant::now();
        let mut gone = None;
        let mut fires = self.fires();
        if let Some((used, fire)) = fires.get_mut(&key) {
            *used = now;
            return fire.clone();
        }
        if fires.len() >= FIRES {
            let oldest = fires.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            gone = oldest.and_then(|key| fires.remove(&key));
        }
        let fire = Arc::new(Fire::new(key.program.clone(), environment.to_vec()));
        fires.insert(key, (now, fire.clone()));
        drop(fires);
        drop(gone);
        fire
    }

    /// Lets all of them go out.
    pub(super) fn put_out(&self) {
        let fires = std::mem::take(&mut *self.fires());
        drop(fires);
    }

    pub(super) fn waiting(&self) -> usize {
        self.fires().values().map(|(_, fire)| fire.shelf.waiting()).sum()
    }

    pub(super) fn zygotes(&self) -> Vec<u32> {
        let fires = self.fires();
        let zygotes = fires.values().filter_map(|(_, fire)| fire.burning().map(|zygote| zygote.pid));
        zygotes.collect()
    }

    fn command(&self, fire: &Fire, mode: &str) -> Command {
        let settings = &self.settings;
        Command::new(&fire.program)
            .args(["-c", WARM, mode])
            .arg(settings.scripts.len().to_string())
            .args(&settings.scripts)
            .args(&settings.preload)
            .env_clear()
            .envs(fire.environment.iter().map(|(name, value)| (name, value)))
    }

    /// A zygote that is warm. Making one goes on when this is dropped: others want it, too.
    pub(super) async fn zygote(self: &Arc<Self>, fire: &Arc<Fire>) -> Result<Arc<WarmZygote>, NotWarm> {
        if let Some(zygote) = fire.burning().filter(|zygote| zygote.is_good()) {
            return Ok(zygote);
        }
        let turn = fire.turn.clone().lock_owned().await;
        // Whoever had the turn before may have made it.
        if let Some(zygote) = fire.burning().filter(|zygote| zygote.is_good()) {
            return Ok(zygote);
        }
        fire.may_try()?;
        let (hearth, fire) = (self.clone(), fire.clone());
        let made = tokio::spawn(async move {
            let _turn = turn;
            let command = hearth.command(&fire, "zygote");
            let stamps = Stamps::of(&fire.program);
            let start = WarmZygote::start(&command, stamps, &hearth.minders);
            let limit = hearth.settings.limit;
            let made = timeout(limit, start).await;
            let made = made
                .unwrap_or_else(|_| Err(NotWarm::new(format!("it was not ready within {limit:?}"))))
                .map(Arc::new);
            hearth.note(&fire, made.as_ref().err());
            fire.set(made.as_ref().ok().cloned());
            made
        });
        made.await.unwrap_or_else(|_| Err(NotWarm::new("the runtime is shutting down")))
    }

    /// An interpreter that waits for a script; made now, where none does.
    pub(super) async fn prestarted(self: &Arc<Self>, fire: &Arc<Fire>) -> Result<Ready, NotWarm> {
        let taken = fire.shelf.take().await;
        if taken.is_none() {
            fire.may_try()?;
        }
        self.restock(fire);
        match taken {
            Some(ready) => Ok(ready),
            None => {
                let command = self.command(fire, "prestarted");
                let stamps = Stamps::of(&fire.program);
                let made = shelf::within(self.settings.limit, &command, stamps).await;
                self.note(fire, made.as_ref().err());
                made
            }
        }
    }

    /// Makes as many as are missing, in the background.
    fn restock(self: &Arc<Self>, fire: &Arc<Fire>) {
        for _ in 0..fire.shelf.missing(self.settings.spare) {
            let (hearth, fire) = (Arc::downgrade(self), fire.clone());
            let command = self.command(&fire, "prestarted");
            let limit = self.settings.limit;
            self.minders.spawn(async move {
                let made = shelf::within(limit, &command, Stamps::of(&fire.program)).await;
                if let Some(hearth) = hearth.upgrade() {
                    hearth.note(&fire, made.as_ref().err());
                }
                fire.shelf.made(made.ok());
            });
        }
    }

    /// Waits until as many wait as are to.
    pub(super) async fn stock(self: &Arc<Self>, fire: &Arc<Fire>) -> Result<(), NotWarm> {
        for _ in 0..fire.shelf.missing(self.settings.spare) {
            let command = self.command(fire, "prestarted");
            let made = shelf::within(self.settings.limit, &command, Stamps::of(&fire.program)).await;
            let failed = made.as_ref().err().cloned();
            self.note(fire, failed.as_ref());
            fire.shelf.made(made.ok());
            if let Some(failed) = failed {
                return Err(failed);
            }
        }
        Ok(())
    }

    fn note(&self, fire: &Fire, failed: Option<&NotWarm>) {
        let count = if failed.is_some() { &self.tally.not_warmed } else { &self.tally.warmed };
        count.fetch_add(1, Relaxed);
        fire.note(failed);
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
    trouble: Mutex<Option<Trouble>>,
}

#[derive(Debug)]
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
            trouble: Mutex::default(),
        }
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

    /// Not for a while after it went wrong; who asks is told what it was.
    fn may_try(&self) -> Result<(), NotWarm> {
        match &*self.trouble() {
            Some(trouble) if trouble.until > Instant::now() => Err(trouble.last.clone()),
            _ => Ok(()),
        }
    }

    /// A second after the first failure, doubling up to half a minute.
    fn note(&self, failed: Option<&NotWarm>) {
        let mut trouble = self.trouble();
        *trouble = failed.map(|last| {
            let pause = trouble.as_ref().map_or(Duration::from_secs(1), |trouble| trouble.pause * 2);
            let pause = pause.min(Duration::from_secs(30));
            Trouble { until: Instant::now() + pause, pause, last: last.clone() }
        });
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
