//! One picture of ratios with their intervals: text made into SVG, readable on a light and on a dark page.

use super::record::{Ratio, Record};

const ROW: f64 = 24.0;
/// Where the axis begins and ends; the names stand before it, the figures behind it.
const LEFT: f64 = 360.0;
const RIGHT: f64 = 710.0;
const WIDTH: f64 = 820.0;
const TOP: f64 = 34.0;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #24292f } .small { font-size: 11px; fill: #57606a }
.page { fill: #ffffff } .grid { stroke: #d0d7de } .one { stroke: #24292f; stroke-width: 1.5 } .goal { stroke: #8250df; stroke-width: 3 }
.better { stroke: #1a7f37; fill: #1a7f37 } .even { stroke: #57606a; fill: #57606a } .worse { stroke: #cf222e; fill: #cf222e }
.bar { stroke-width: 3; stroke-linecap: round }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9da7b3 } .page { fill: #0d1117 } .grid { stroke: #30363d } .one { stroke: #e6edf3 } .goal { stroke: #d2a8ff }
  .better { stroke: #3fb950; fill: #3fb950 } .even { stroke: #9da7b3; fill: #9da7b3 } .worse { stroke: #ff7b72; fill: #ff7b72 }
}";

/// What an interval says of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The interval lies wholly above 1.
    Better,
    /// The interval holds 1: no difference was seen.
    Even,
    /// The interval lies wholly below 1.
    Worse,
}

impl Outcome {
    pub(super) fn of(ratio: Ratio) -> Outcome {
        if ratio.high < 1.0 {
            Outcome::Worse
        } else if ratio.low > 1.0 {
            Outcome::Better
        } else {
            Outcome::Even
        }
    }

    fn class(self) -> &'static str {
        match self {
            Outcome::Better => "better",
            Outcome::Even => "even",
            Outcome::Worse => "worse",
        }
    }
}

/// The ratios of one suite; nothing where it has none that a logarithmic axis can show.
pub(super) fn of(suite: &str, records: &[&Record]) -> Option<String> {
    let rows: Vec<_> =
        records.iter().filter_map(|record| Some((*record, drawable(record.ratio?)?))).collect();
    let axis =
        Axis::over(rows.iter().flat_map(|(record, r)| {
            [r.low, r.high].into_iter().chain(record.goal.filter(|goal| *goal > 0.0))
        }))?;
    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let bottom = TOP + ROW * f64::from(count);
    let height = bottom + 26.0;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>{}: ours against each rival, with 95 % intervals; right of 1 is better</title>\n<style>\n{STYLE}\n</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n",
        escaped(suite)
    );
    for tick in axis.ticks() {
        let (x, class) = (axis.x(tick), if (tick - 1.0).abs() < 1e-9 { "one" } else { "grid" });
        svg += &line(class, (x, TOP - 6.0), (x, bottom));
        svg += &text("small", "middle", (x, TOP - 12.0), &short(tick));
    }
    let mut y = TOP + ROW / 2.0;
    for (record, r) in rows {
        svg += &row(&axis, record, r, y);
        y += ROW;
    }
    // The blanks are such that SVG does not make one of three.
    let legend = "● better\u{a0}\u{a0} ○ no difference seen\u{a0}\u{a0} ■ worse\u{a0}\u{a0} │ goal\u{a0}\u{a0} bars: 95 % intervals";
    svg += &text("small", "middle", (f64::midpoint(LEFT, RIGHT), bottom + 18.0), legend);
    svg += &text("small", "end", (LEFT - 12.0, TOP - 12.0), "ours against theirs, logarithmic");
    svg += "</svg>\n";
    Some(svg)
}

fn row(axis: &Axis, record: &Record, r: Ratio, y: f64) -> String {
    let against = record.against.as_deref().unwrap_or_default();
    let mut svg = text("name", "end", (LEFT - 12.0, y + 4.5), &format!("{} against {against}", record.name));
    if let Some(goal) = record.goal.filter(|goal| *goal > 0.0) {
        svg += &line("goal", (axis.x(goal), y - 9.0), (axis.x(goal), y + 9.0));
    }
    let (x, outcome) = (axis.x(r.value), Outcome::of(r));
    let class = outcome.class();
    svg += &line(&format!("{class} bar"), (axis.x(r.low), y), (axis.x(r.high), y));
    // Told by shape, too: not everybody sees red and green.
    svg += &match outcome {
        Outcome::Better => format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>\n"),
        Outcome::Even => {
            let hollow = "style=\"fill: none; stroke-width: 2\"";
            format!("<circle class=\"{class}\" {hollow} cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>\n")
        }
        Outcome::Worse => {
            let (left, top) = (x - 5.0, y - 5.0);
            format!("<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"10\" height=\"10\"/>\n")
        }
    };
    svg + &text("value", "start", (RIGHT + 14.0, y + 4.5), &format!("{}×", super::numbers::ratio(r.value)))
}

/// A ratio that has a place on a logarithmic axis.
fn drawable(ratio: Ratio) -> Option<Ratio> {
    let Ratio { value, low, high } = ratio;
    [value, low, high].iter().all(|x| x.is_finite() && *x > 0.0).then_some(ratio)
}

/// A logarithmic axis, a little longer than what is on it.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// Nothing where there is nothing to show. 1 is always on it.
    fn over(values: impl Iterator<Item = f64>) -> Option<Axis> {
        let (low, high) = values.fold(None, |range: Option<(f64, f64)>, value| {
            let (low, high) = range.unwrap_or((1.0, 1.0));
            Some((low.min(value), high.max(value)))
        })?;
        Some(Axis { low: low.min(0.8) / 1.1, high: high.max(1.25) * 1.1 })
    }

    fn x(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        LEFT + share * (RIGHT - LEFT)
    }

    /// Round numbers, and no more of them than can be read.
    fn ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let steps: &[f64] = match decades {
            ..0.3 => &[1.0, 1.1, 1.2, 1.3, 1.5, 8.0, 9.0],
            ..0.6 => &[1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0],
            ..1.2 => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
            ..2.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let all = (-9..=9).flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
        all.filter(|tick| (self.low..=self.high).contains(tick)).collect()
    }
}

fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> String {
    let ((x1, y1), (x2, y2)) = (from, to);
    format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n")
}

fn text(class: &str, anchor: &str, at: (f64, f64), words: &str) -> String {
    let ((x, y), words) = (at, escaped(words));
    format!("<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>\n")
}

/// A tick's number, without what rounding left of it.
fn short(tick: f64) -> String {
    super::numbers::plain((tick * 1e6).round() / 1e6)
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{absolute, relative};
    use super::*;

    fn plot(records: &[Record]) -> Option<String> {
        of("s", &records.iter().collect::<Vec<_>>())
    }

    #[test]
    fn an_interval_on_one_is_no_difference() {
        let of = |low, high| Outcome::of(Ratio { value: 1.0, low, high });
        assert_eq!(of(0.8, 0.99), Outcome::Worse);
        assert_eq!([of(0.8, 1.0), of(0.9, 1.1), of(1.0, 1.2)], [Outcome::Even; 3]);
        assert_eq!(of(1.01, 1.2), Outcome::Better);
    }

    #[test]
    fn better_is_right_of_one_and_worse_left_of_it() {
        let axis = Axis::over([0.01, 100.0].into_iter()).unwrap();
        assert!(axis.x(0.5) < axis.x(1.0) && axis.x(1.0) < axis.x(2.0));
        let (down, up) = (axis.x(1.0) - axis.x(0.1), axis.x(10.0) - axis.x(1.0));
        assert!((down - up).abs() < 1e-9, "ten times as good and as bad are as far away");
        assert!(axis.x(0.01) > LEFT && axis.x(100.0) < RIGHT);
    }

    #[test]
    fn the_axis_always_shows_one_and_few_numbers() {
        for (low, high) in [(0.99, 1.01), (2.0, 3.0), (0.2, 0.5), (0.01, 4000.0)] {
            let ticks = Axis::over([low, high].into_iter()).unwrap().ticks();
            assert!(ticks.iter().any(|tick| (tick - 1.0).abs() < 1e-9), "{ticks:?}");
            assert!((2..=9).contains(&ticks.len()), "{low}–{high}: {ticks:?}");
        }
    }

    #[test]
    fn each_ratio_has_a_row_with_its_shape_and_its_goal() {
        let svg = plot(&[
            relative("won", 2.0, 1.9, 2.1),
            relative("lost", 0.5, 0.4, 0.6),
            relative("a<b", 1.0, 0.9, 1.1),
            absolute("leaks", 0.0),
        ])
        .unwrap();
        let count = |what: &str| svg.matches(what).count();
        assert_eq!((count("class=\"goal\""), count(" bar\"")), (3, 3), "{svg}");
        assert_eq!((count("<circle"), count("<rect class=\"worse\"")), (2, 1), "{svg}");
        assert!(svg.contains("a&lt;b against tokio") && svg.contains(">2.00×<") && !svg.contains("leaks"));
        assert!(svg.contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn what_has_no_place_on_the_axis_is_left_to_the_table() {
        assert_eq!(plot(&[absolute("leaks", 0.0)]), None);
        assert_eq!(plot(&[relative("none", 0.0, 0.0, 0.0)]), None);
        assert_eq!(plot(&[]), None);
    }
}
