//! A bar on stderr.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Snapshot;

/// How often it is drawn.
pub(crate) const EVERY: Duration = Duration::from_millis(100);

/// One bar. Nothing is drawn where stderr is not a terminal.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn on_stderr() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        Self(ProgressBar::with_draw_target(None, target))
    }

    pub(crate) fn is_hidden(&self) -> bool {
        self.0.is_hidden()
    }

    pub(crate) fn draw(&self, snapshot: &Snapshot) {
        let template = match snapshot.total {
            Some(_) => "[{bar:30}] {pos}/{len}  {msg}",
            None => "{pos}  {msg}",
        };
        // First of all: each of the others draws.
        self.0.set_style(
            ProgressStyle::with_template(template)
                .expect("a template without a mistake")
                .progress_chars("=> "),
        );
        if let Some(total) = snapshot.total {
            self.0.set_length(total);
        }
        self.0.set_position(snapshot.counts.ended() + snapshot.counts.already_done);
        self.0.set_message(message(snapshot));
        self.0.tick();
    }

    /// Draws for the last time and leaves the bar where it is.
    pub(crate) fn finish(&self, snapshot: &Snapshot) {
        self.draw(snapshot);
        self.0.abandon();
    }
}

/// What stands beside the bar.
fn message(snapshot: &Snapshot) -> String {
    let counts = &snapshot.counts;
    let mut text = format!("{} running", counts.running);
    let others = [
        (counts.failed + counts.timed_out, "failed"),
        (counts.cancelled, "cancelled"),
        (counts.skipped, "skipped"),
        (counts.already_done, "done before"),
    ];
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        text += &format!(", {count} {what}");
    }
    text += &format!(", {:.1}/s", snapshot.rate());
    match snapshot.remaining() {
        Some(left) if !snapshot.is_over => text += &format!(", {} left", in_words(left)),
        _ => {}
    }
    text
}

/// Whole seconds, minutes or hours: more would only look exact.
fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=90 => format!("{seconds} s"),
        seconds @ ..=5400 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, TermLike as _};

    use super::*;
    use crate::Counts;

    fn snapshot() -> Snapshot {
        let counts =
            Counts { succeeded: 38, failed: 1, timed_out: 1, running: 4, waiting: 6, ..Counts::default() };
        Snapshot { counts, total: Some(200), elapsed: Duration::from_secs(10), is_over: false }
    }

    #[test]
    fn a_bar_says_how_many_are_done_run_and_failed_how_fast_and_how_long_still() {
        let terminal = InMemoryTerm::new(10, 100);
        let bar = Bar::on(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        bar.draw(&snapshot());
        let (drawn, moves) = (terminal.contents(), terminal.moves_since_last_check());
        assert!(!moves.contains('░'), "a bar of another style was drawn before: {moves}");
        assert_eq!(drawn, "[======>                       ] 40/200  4 running, 2 failed, 4.0/s, 40 s left");
        let mut last = snapshot();
        (last.total, last.is_over) = (None, true);
        bar.finish(&last);
        assert!(terminal.contents().ends_with("40  4 running, 2 failed, 4.0/s"), "{}", terminal.contents());
        assert!(terminal.width() > 0);
    }

    #[test]
    fn times_are_short() {
        let shown = [5, 91, 5401, 90_061].map(|seconds| in_words(Duration::from_secs(seconds)));
        assert_eq!(shown, ["5 s", "1 min", "1 h 30 min", "25 h 1 min"]);
    }
}
