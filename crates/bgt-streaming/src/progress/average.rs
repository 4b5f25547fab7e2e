//! A speed, smoothed over time.
//!
//! Owns: the weights of intervals, and which interval says nothing about the speed. Each interval weighs by how long it
//! took and how long ago it was, not by being one: so a constant speed gives that speed whatever the spacing.
//! Never does: look at a position or a point in time.

/// How many times faster or slower is another kind of work.
const FAR: f64 = 10.0;
/// The part of all that has to be done at once to look like work that was already there.
const LEAP: f64 = 0.1;
/// How many times the usual time between two changes is still no pause.
const PATIENCE: f64 = 3.0;
/// The part of the time constant that has to be seen before there is a speed.
const SEEN: f64 = 1.0 / 20.0;

/// All times are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Average {
    /// What was done, and in how much time, both less the longer ago it was.
    units: f64,
    time: f64,
    /// The same for the times between changes: each weighs by itself.
    gaps: f64,
    gaps_time: f64,
    /// The first interval did so much that it may have been there already.
    may_be_leap: bool,
    /// The last interval was left out.
    left_out: bool,
}

impl Average {
    /// With one more interval, in which `units` of perhaps `total` were done.
    ///
    /// A leap (a tenth of all at ten times the speed: work that was already there) and a pause (an interval that was
    /// too long to be waited for) are left out once; the second in a row is the speed now.
    pub(super) fn with(mut self, units: f64, time: f64, total: Option<f64>, constant: f64) -> Self {
        let speed = units / time;
        if !speed.is_finite() || units <= 0.0 {
            return self;
        }
        let is_big = total.is_some_and(|total| units >= total * LEAP);
        let is_odd = match self.speed() {
            Some(known) => (is_big && speed > known * FAR) || time > self.patience(constant),
            None => false,
        };
        let keeps = (-time / constant).exp();
        // What is kept of a long interval and what it adds are counted as if its speed had been constant.
        let adds = constant * -(-time / constant).exp_m1();
        self.gaps = self.gaps * keeps + time * adds;
        self.gaps_time = self.gaps_time * keeps + adds;
        if is_odd && !self.left_out {
            self.left_out = true;
            return self;
        }
        self.left_out = false;
        match self.speed() {
            None => self.may_be_leap = is_big,
            Some(known) => {
                if self.may_be_leap && known > speed * FAR {
                    (self.units, self.time) = (0.0, 0.0);
                }
                self.may_be_leap = false;
            }
        }
        self.units = self.units * keeps + speed * adds;
        self.time = self.time * keeps + adds;
        if self.units.is_finite() { self } else { Self::default() }
    }

    /// In units a second, once enough has been seen.
    pub(super) fn rate(&self, constant: f64) -> Option<f64> {
        self.speed().filter(|_| self.time >= constant * SEEN)
    }

    /// How long a change may be waited for before the work counts as paused.
    pub(super) fn patience(&self, constant: f64) -> f64 {
        if self.gaps_time > 0.0 { (self.gaps / self.gaps_time * PATIENCE).max(constant) } else { constant }
    }

    fn speed(&self) -> Option<f64> {
        let speed = self.units / self.time;
        (speed.is_finite() && speed > 0.0).then_some(speed)
    }
}
