//! Taking turns: every side once a round, the order turned round each time.

use crate::{Better, Result};

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The name that the lines have.
    pub name: &'static str,
    /// What the figures are, such as `runs/s`.
    pub unit: &'static str,
    /// Which figure is the better one.
    pub better: Better,
    /// How often each side is measured: at least 6 times, or there is no interval. Many short rounds tell more than few
    /// long ones, as what disturbs a machine lasts for seconds; an even number has each order as often as the other.
    pub rounds: usize,
}

/// One side of a comparison.
pub struct Side<'a> {
    /// The name in `against`; of our own side, only shown in errors.
    pub name: &'static str,
    /// The least ratio that ours is to have against this side; without one it is only reported.
    pub goal: Option<f64>,
    /// Measures once, for some tenths of a second, and answers one figure above zero.
    pub measure: Box<dyn FnMut() -> Result<f64> + 'a>,
}

impl Side<'_> {
    fn once(&mut self) -> Result<f64> {
        let figure = (self.measure)().map_err(|error| format!("{}: {error}", self.name))?;
        if figure.is_finite() && figure > 0.0 {
            return Ok(figure);
        }
        Err(format!("{}: measured {figure}, of which no ratio can be made", self.name).into())
    }
}

/// The figures of every side, round by round.
///
/// Every other round goes backwards: whatever the machine gains or loses in the course of a round favours the first side
/// in one and the last side in the next.
pub(crate) fn take(sides: &mut [Side<'_>], rounds: usize) -> Result<Vec<Vec<f64>>> {
    // Not counted: caches, lazily started threads, pages touched for the first time.
    for side in &mut *sides {
        side.once()?;
    }
    let mut figures = vec![Vec::with_capacity(rounds); sides.len()];
    for round in 0..rounds {
        for turn in 0..sides.len() {
            let side = if round % 2 == 0 { turn } else { sides.len() - 1 - turn };
            figures[side].push(sides[side].once()?);
        }
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn sides_take_turns_and_the_order_turns_too() {
        let calls = RefCell::new(String::new());
        let side = |name: &'static str| {
            let calls = &calls;
            let measure = move || {
                calls.borrow_mut().push_str(name);
                Ok(1.0)
            };
            Side { name, goal: None, measure: Box::new(measure) }
        };
        let figures = take(&mut [side("a"), side("b"), side("c")], 4).unwrap();
        assert_eq!(*calls.borrow(), "abc abc cba abc cba".replace(' ', ""));
        assert!(figures.iter().all(|figures| figures.len() == 4));
    }

    #[test]
    fn what_makes_no_ratio_is_refused_by_name() {
        for figure in [0.0, f64::NAN, -1.0] {
            let side = Side { name: "odd", goal: None, measure: Box::new(move || Ok(figure)) };
            assert!(take(&mut [side], 1).unwrap_err().to_string().starts_with("odd: "));
        }
    }
}
