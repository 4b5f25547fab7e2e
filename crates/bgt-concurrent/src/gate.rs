//! Gates: while the machine is too busy, tasks do not start.
//!
//! Owns: when a gate is open, and who is let through one that is closed. Never does: measure the machine.

use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::BatchError;
use crate::tally::Tally;

/// How busy the machine is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// How busy its processors are, all together, from 0 to 1.
    pub cpu: f64,
    /// The bytes of memory that programs could still get.
    pub free_memory: u64,
}

impl Reading {
    /// A reading of your own, for [`Batch::readings`](crate::Batch::readings).
    #[must_use]
    pub const fn new(cpu: f64, free_memory: u64) -> Self {
        Self { cpu, free_memory }
    }
}

/// Keeps tasks from starting while the machine is too busy.
///
/// A gate that is closed opens again only when there is some room (hysteresis): below the limit by 0.1 for the
/// processors, above it by a tenth for memory, unless [`reopen_at`](Self::reopen_at) says otherwise. What runs already is
/// left alone.
///
/// A gate **waits**, unless told to [`refuse`](Self::refuse): tasks start when it opens. Progress is guaranteed all the
/// same: while nothing of the batch runs, one task is let through. [`BatchReport::gated`](crate::BatchReport::gated)
/// says how long tasks were held back.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use bgt_concurrent::{Gate, batch, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_concurrent::BatchError> {
/// let tasks = (0..10).map(|n| task_fn("square", move |_cx| async move { Ok(n * n) }));
/// let report = batch(tasks).gate(Gate::cpu_below(0.9)).gate(Gate::free_memory_above(64 << 20)).await?;
/// assert_eq!(report.counts.succeeded, 10);
/// println!("held back for {:?}", report.gated);
/// # Ok(()) } main().unwrap();
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Gate {
    what: What,
    refuse: bool,
}

/// The limit, and where it opens again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Cpu { below: f64, reopen: f64 },
    Memory { above: u64, reopen: u64 },
}

impl Gate {
    /// Open while the processors, all together, are busy by less than this share, from 0 to 1.
    pub fn cpu_below(share: f64) -> Self {
        Self { what: What::Cpu { below: share, reopen: (share - 0.1).max(share / 2.0) }, refuse: false }
    }

    /// Open while more than so many bytes of memory are to be had, without swapping. In a container with a limit of its
    /// own, of that.
    pub const fn free_memory_above(bytes: u64) -> Self {
        Self { what: What::Memory { above: bytes, reopen: bytes.saturating_add(bytes / 10) }, refuse: false }
    }

    /// Sets where a closed gate opens again: a share for the processors, bytes for memory.
    pub const fn reopen_at(mut self, value: f64) -> Self {
        self.what = match self.what {
            What::Cpu { below, .. } => What::Cpu { below, reopen: value },
            What::Memory { above, .. } => What::Memory { above, reopen: value as u64 },
        };
        self
    }

    /// Refuses instead of waiting: a batch that is started while the gate is closed is an error, and one that runs when it
    /// closes stops to start tasks ([`Halted::Gate`](crate::Halted::Gate)).
    pub const fn refuse(mut self) -> Self {
        self.refuse = true;
        self
    }

    /// Whether it is open at this reading, when it was open before or not.
    #[must_use]
    pub fn decide(&self, was_open: bool, reading: &Reading) -> bool {
        match self.what {
            What::Cpu { below, reopen } => reading.cpu < if was_open { below } else { reopen },
            What::Memory { above, reopen } => {
                let least = if was_open { above } else { reopen };
                reading.free_memory > least
            }
        }
    }

    /// What is wrong with it, and what would be right.
    pub(crate) fn check(&self) -> Result<(), (String, &'static str)> {
        match self.what {
            What::Cpu { below, .. } if !(below > 0.0 && below <= 1.0) => {
                Err((format!("below a load of {below}"), "a share above 0, at most 1"))
            }
            What::Cpu { below, reopen } if !(0.0..=below).contains(&reopen) || reopen == 0.0 => {
                let expected = "to open again above 0, at most at its limit";
                Err((format!("below a load of {below}, opening again at {reopen}"), expected))
            }
            What::Memory { above, reopen } if reopen < above => {
                let expected = "to open again at its limit or above";
                Err((format!("above {above} bytes, opening again at {reopen}"), expected))
            }
            _ => Ok(()),
        }
    }

    fn closed(&self, reading: &Reading) -> GateClosed {
        let (resource, limit, reading) = match self.what {
            What::Cpu { below, reopen } => (
                "load of the processors",
                format!("below {below}, opening again below {reopen}"),
                format!("{:.2}", reading.cpu),
            ),
            What::Memory { above, reopen } => (
                "free memory",
                format!("above {above} bytes, opening again above {reopen} bytes"),
                format!("{} bytes", reading.free_memory),
            ),
        };
        GateClosed { resource, limit, reading }
    }
}

/// A gate that refuses is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {resource} is {reading}, and the gate is open {limit}: wait until it is, or use a gate that waits"
)]
#[non_exhaustive]
pub struct GateClosed {
    /// What was looked at.
    pub resource: &'static str,
    /// When the gate is open.
    pub limit: String,
    /// What was read.
    pub reading: String,
}

pub(crate) type Readings = watch::Receiver<Option<Reading>>;

pub(crate) struct Gates {
    readings: Readings,
    state: Mutex<State>,
    idle: Notify,
}

struct State {
    gates: Vec<(Gate, bool)>,
    inside: usize,
}

/// Let through, until dropped.
pub(crate) struct Pass<'a>(&'a Gates);

impl Gates {
    pub(crate) fn new(gates: Vec<Gate>, readings: Readings) -> Self {
        let gates = gates.into_iter().map(|gate| (gate, true)).collect();
        Self { readings, state: Mutex::new(State { gates, inside: 0 }), idle: Notify::new() }
    }

    /// Whether a gate that refuses is closed at the start, which the first reading tells. Cancel-safe.
    pub(crate) async fn first(&self) -> Result<(), BatchError> {
        let mut readings = self.readings.clone();
        let Ok(Some(reading)) = readings.wait_for(Option::is_some).await.map(|reading| *reading) else {
            return Err(BatchError::NoReading);
        };
        match self.state().closed(&reading) {
            Some((gate, closed)) if gate.refuse => Err(closed.into()),
            _ => Ok(()),
        }
    }

    /// Waits until a task may start. Cancel-safe.
    pub(crate) async fn pass(&self, tally: &Tally) -> Result<Pass<'_>, GateClosed> {
        let mut readings = self.readings.clone();
        let mut held_back = None;
        loop {
            let idle = self.idle.notified();
            // Without a reading nobody knows, which is no reason to let more than one in.
            let reading = *readings.borrow_and_update();
            {
                let mut state = self.state();
                let is_open = match reading.map(|reading| state.closed(&reading)) {
                    Some(Some((gate, closed))) if gate.refuse => return Err(closed),
                    Some(closed) => closed.is_none(),
                    None => false,
                };
                if is_open || state.inside == 0 {
                    state.inside += 1;
                    return Ok(Pass(self));
                }
            }
            held_back.get_or_insert_with(|| tally.gated());
            tokio::select! {
                () = idle => {}
                () = changed(&mut readings) => {}
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A gate that is closed at this reading, if one is; one that refuses before others.
    fn closed(&mut self, reading: &Reading) -> Option<(Gate, GateClosed)> {
        for (gate, open) in &mut self.gates {
            *open = gate.decide(*open, reading);
        }
        let closed = self.gates.iter().filter(|(_, open)| !open).max_by_key(|(gate, _)| gate.refuse);
        closed.map(|(gate, _)| (*gate, gate.closed(reading)))
    }
}

/// Waits for another reading; for ever when nobody gives one any more.
async fn changed(readings: &mut Readings) {
    if readings.changed().await.is_err() {
        pending::<()>().await;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.inside -= 1;
        let idle = state.inside == 0;
        drop(state);
        if idle {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_gate_opens_later_than_it_closes() {
        let (cpu, memory) = (Gate::cpu_below(0.8), Gate::free_memory_above(1000));
        let at = |cpu, free| Reading::new(cpu, free);
        assert!(cpu.decide(true, &at(0.79, 0)) && !cpu.decide(true, &at(0.8, 0)));
        assert!(!cpu.decide(false, &at(0.71, 0)) && cpu.decide(false, &at(0.69, 0)));
        assert!(memory.decide(true, &at(0.0, 1001)) && !memory.decide(true, &at(0.0, 1000)));
        assert!(!memory.decide(false, &at(0.0, 1100)) && memory.decide(false, &at(0.0, 1101)));
        let strict = cpu.reopen_at(0.3);
        assert!(!strict.decide(false, &at(0.3, 0)) && strict.decide(false, &at(0.29, 0)));
    }

    #[test]
    fn what_makes_no_sense_is_named_and_what_is_refused_names_everything() {
        for wrong in [
            Gate::cpu_below(0.0),
            Gate::cpu_below(1.5),
            Gate::cpu_below(f64::NAN),
            Gate::cpu_below(0.5).reopen_at(0.6),
            Gate::free_memory_above(10).reopen_at(9.0),
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        assert!(Gate::cpu_below(1.0).check().is_ok() && Gate::free_memory_above(u64::MAX).check().is_ok());
        let text = Gate::free_memory_above(2000).closed(&Reading::new(0.0, 17)).to_string();
        assert!(text.contains("free memory is 17 bytes") && text.contains("above 2000 bytes"), "{text}");
    }

    proptest! {
        #[test]
        fn where_a_gate_opens_it_does_not_close_again(limit in 0.01..=1.0, cpu in 0.0..=1.0, free: u64, above: u64) {
            let reading = Reading::new(cpu, free);
            for gate in [Gate::cpu_below(limit), Gate::free_memory_above(above)] {
                prop_assert!(gate.check().is_ok());
                prop_assert!(!gate.decide(false, &reading) || gate.decide(true, &reading));
            }
        }
    }
}
