//! One measured line, as it is printed.

use serde::Serialize;

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The higher one: a rate.
    Higher,
    /// The lower one: a time, a size.
    Lower,
}

impl Better {
    /// Ours against theirs, turned so that above 1 means that ours is better.
    pub(crate) fn ratio(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::Higher => ours / theirs,
            Self::Lower => theirs / ours,
        }
    }
}

/// The fields in the order in which they are printed.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) suite: &'a str,
    pub(crate) name: &'a str,
    pub(crate) against: Option<&'a str>,
    pub(crate) ours: f64,
    pub(crate) theirs: Option<f64>,
    pub(crate) unit: &'a str,
    pub(crate) better: Better,
    pub(crate) ratio: Option<f64>,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
    pub(crate) goal: Option<f64>,
    pub(crate) met: Option<bool>,
}

impl Line<'_> {
    /// A JSON object.
    pub(crate) fn json(&self) -> String {
        let rounded = Line {
            ours: short(self.ours),
            theirs: self.theirs.map(short),
            ratio: self.ratio.map(short),
            low: self.low.map(short),
            high: self.high.map(short),
            ..*self
        };
        serde_json::to_string(&rounded).expect("texts and numbers are JSON")
    }

    /// The same for people.
    pub(crate) fn text(&self) -> String {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| short(value).to_string());
        let met = match self.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "reported",
        };
        format!(
            "{} {} against {}: ours {}, theirs {} {}; ratio {} [{}, {}], goal {}: {met}",
            self.suite,
            self.name,
            self.against.unwrap_or("nobody"),
            number(Some(self.ours)),
            number(self.theirs),
            self.unit,
            number(self.ratio),
            number(self.low),
            number(self.high),
            number(self.goal),
        )
    }
}

/// Five digits: more would only look exact.
fn short(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_as_it_is_documented() {
        let line = Line {
            suite: "spawn",
            name: "c1",
            against: Some("tokio"),
            ours: 780.512_345,
            theirs: Some(700.0),
            unit: "runs/s",
            better: Better::Higher,
            ratio: Some(1.115_017_6),
            low: Some(1.0),
            high: Some(1.2),
            goal: Some(1.0),
            met: Some(true),
        };
        let expected = r#"{"suite":"spawn","name":"c1","against":"tokio","ours":780.51,"theirs":700.0,"unit":"runs/s","better":"higher","ratio":1.115,"low":1.0,"high":1.2,"goal":1.0,"met":true}"#;
        assert_eq!(line.json(), expected);
    }

    #[test]
    fn ratios_above_one_mean_that_ours_is_better() {
        assert_eq!((Better::Higher.ratio(3.0, 2.0), Better::Lower.ratio(2.0, 3.0)), (1.5, 1.5));
    }
}
