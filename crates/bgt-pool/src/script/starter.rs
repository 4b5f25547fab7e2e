//! Which way a script is started.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bgt_core::{TaskError, async_trait};
use bgt_process::{Order, Prestarted, Started, Starter};

use super::error::{NotWarm, ScriptError};
use super::hearth::Hearth;
use super::isolation::{Isolation, Warmth};
use super::words::words;
use super::zygote::WarmZygote;

#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) hearth: Arc<Hearth>,
    pub(super) isolation: Isolation,
    pub(super) refuse_cold: bool,
}

/// The way of one run. It keeps the zygote that it was born of until the run is over: should the host be killed, that is who
/// ends what it has started, and it may be the last one who uses it.
#[derive(Debug)]
pub(super) struct OneRun<'a> {
    way: &'a Way,
    keeps: Mutex<Option<Arc<WarmZygote>>>,
    taken: Mutex<Warmth>,
}

impl<'a> OneRun<'a> {
    pub(super) fn new(way: &'a Way) -> Self {
        let taken = Warmth { isolation: way.isolation, why: None };
        Self { way, keeps: Mutex::default(), taken: Mutex::new(taken) }
    }

    /// How it was started.
    pub(super) fn taken(self) -> Warmth {
        self.taken.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, isolation: Isolation, why: Option<&str>) {
        self.way.hearth.tally.started(isolation, why);
        let taken = Warmth { isolation, why: why.map(str::to_owned) };
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    }
}

/// What came of one way.
enum Tried {
    Started(Started),
    /// The script has not begun.
    Not(NotWarm),
    Failed(ScriptError),
}

impl OneRun<'_> {
    async fn by_zygote(&self, order: &Order<'_>, script: &[u8], words: &[u8]) -> Tried {
        let environment = order.environment();
        let Some(fire) = self.way.hearth.fire(order, &environment) else {
            return Tried::Not(NotWarm::closed());
        };
        let mut last = NotWarm::default();
        // The first one may have gone at this very moment.
        for _ in 0..2 {
            let zygote = match self.way.hearth.zygote(&fire, false).await {
                Ok(zygote) => zygote,
                Err(why) => return Tried::Not(why),
            };
            match zygote.birth(order, script, words).await {
                Ok(started) => {
                    *self.keeps.lock().unwrap_or_else(PoisonError::into_inner) = Some(zygote);
                    return Tried::Started(started);
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    fire.give_up(&zygote);
                    return Tried::Failed(ScriptError::Stuck { pid: zygote.pid });
                }
                Err(error) => {
                    last = NotWarm::new(format!("the warm interpreter did not start it: {error}"));
                    if error.raw_os_error().is_some_and(|_| zygote.is_good()) {
                        // It says what is wrong: the folder has gone, or there is no room for another process.
                        break;
                    }
                    fire.give_up(&zygote);
                }
            }
        }
        Tried::Not(last)
    }

    async fn by_prestarted(&self, order: &Order<'_>, words: &[u8]) -> Tried {
        if !Prestarted::suits(order) {
            let why = "a prestarted interpreter has pipes, and this command sends a stream elsewhere";
            return Tried::Not(NotWarm::new(why));
        }
        let environment = order.environment();
        let Some(fire) = self.way.hearth.fire(order, &environment) else {
            return Tried::Not(NotWarm::closed());
        };
        let mut last = NotWarm::default();
        for _ in 0..2 {
            let ready = match self.way.hearth.prestarted(&fire).await {
                Ok(ready) => ready,
                Err(why) => return Tried::Not(why),
            };
            match ready.interpreter.take_on(order, words).await {
                Ok(started) => return Tried::Started(started),
                Err(error) => last = NotWarm::new(format!("the warm interpreter did not start it: {error}")),
            }
        }
        Tried::Not(last)
    }
}

#[async_trait]
impl Starter for OneRun<'_> {
    async fn start(&self, order: Order<'_>) -> Result<Started, TaskError> {
        let mut why = None::<NotWarm>;
        if self.way.isolation != Isolation::Cold {
            let wanted = match order.python_script() {
                Some((script, args)) => {
                    let words = words(&order, script.as_os_str(), &args, &order.environment());
                    Ok((script.as_os_str().as_encoded_bytes().to_vec(), words))
                }
                None => Err(NotWarm::new("it is no script for Python")),
            };
            match wanted {
                Err(not) => {
                    self.note(Isolation::Cold, Some(&not.why));
                    return order.cold().await;
                }
                Ok((script, words)) => {
                    let ways = [Isolation::Zygote, Isolation::Prestarted];
                    for way in ways.into_iter().filter(|way| *way as usize >= self.way.isolation as usize) {
                        let tried = match way {
                            Isolation::Zygote => self.by_zygote(&order, &script, &words).await,
                            _ => self.by_prestarted(&order, &words).await,
                        };
                        match tried {
                            Tried::Started(started) => {
                                self.note(way, why.as_ref().map(|not| &*not.why));
                                return Ok(started);
                            }
                            Tried::Failed(error) => return Err(error.into_task_error()),
                            Tried::Not(not) => why = why.or(Some(not)),
                        }
                    }
                }
            }
        }
        match why {
            Some(NotWarm { why, tail, .. }) if self.way.refuse_cold => {
                Err(ScriptError::NotWarm { why, tail }.into_task_error())
            }
            why => {
                self.note(Isolation::Cold, why.as_ref().map(|not| &*not.why));
                order.cold().await
            }
        }
    }

    async fn get_ready(&self, order: Order<'_>) -> Result<(), TaskError> {
        if self.way.isolation == Isolation::Cold || order.python_script().is_none() {
            return Ok(());
        }
        let environment = order.environment();
        let not_warm = |NotWarm { why, tail, .. }| ScriptError::NotWarm { why, tail }.into_task_error();
        let Some(fire) = self.way.hearth.fire(&order, &environment) else {
            return Err(not_warm(NotWarm::closed()));
        };
        let mut zygote = Err(None);
        if self.way.isolation == Isolation::Zygote {
            zygote = self.way.hearth.zygote(&fire, true).await.map(drop).map_err(Some);
        }
        let made = match zygote {
            Ok(()) => Ok(()),
            // As in a run: the next best. Where that is wrong, too, the first is what was asked for.
            Err(first) => self.way.hearth.stock(&fire).await.map_err(|second| first.unwrap_or(second)),
        };
        made.map_err(not_warm)
    }
}
