//! One measured line: what a suite prints, and what is saved.

use serde_json::Value;

/// One (suite, name, against).
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) suite: String,
    pub(super) name: String,
    /// The rival; absent for an absolute figure.
    pub(super) against: Option<String>,
    pub(super) ours: f64,
    pub(super) theirs: Option<f64>,
    pub(super) unit: String,
    /// Whether more is better; for `ours` and `theirs`, as `ratio` is turned so that more always is.
    pub(super) higher_is_better: bool,
    pub(super) ratio: Option<Ratio>,
    pub(super) goal: Option<f64>,
    pub(super) met: Option<bool>,
    /// The line itself.
    pub(super) json: String,
}

/// Ours against theirs, and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Record {
    /// Reads a line.
    ///
    /// # Errors
    /// What is missing or of the wrong type.
    pub(super) fn read(line: &str) -> Result<Record, String> {
        let json: Value = serde_json::from_str(line).map_err(|error| format!("not JSON ({error})"))?;
        let ratio = match number(&json, "ratio")? {
            None => None,
            Some(value) => {
                Some(Ratio { value, low: required(&json, "low")?, high: required(&json, "high")? })
            }
        };
        let record = Record {
            suite: text(&json, "suite")?.ok_or("`suite` is null")?,
            name: text(&json, "name")?.ok_or("`name` is null")?,
            against: text(&json, "against")?,
            ours: required(&json, "ours")?,
            theirs: number(&json, "theirs")?,
            unit: text(&json, "unit")?.ok_or("`unit` is null")?,
            higher_is_better: match text(&json, "better")?.as_deref() {
                Some("higher") => true,
                Some("lower") => false,
                _ => return Err("`better` is neither \"higher\" nor \"lower\"".to_owned()),
            },
            ratio,
            goal: number(&json, "goal")?,
            met: match field(&json, "met")? {
                Value::Bool(met) => Some(*met),
                Value::Null => None,
                _ => return Err("`met` is neither true, false nor null".to_owned()),
            },
            json: line.trim().to_owned(),
        };
        match (&record.against, record.ratio) {
            (None, Some(_)) => Err("`ratio` without `against`".to_owned()),
            (Some(_), None) => Err("`against` without `ratio`".to_owned()),
            _ => Ok(record),
        }
    }

    /// What tells this line from all others.
    pub(super) fn key(&self) -> String {
        let against = self.against.as_ref().map(|against| format!(" against {against}"));
        format!("{} {}{}", self.suite, self.name, against.unwrap_or_default())
    }
}

fn field<'a>(json: &'a Value, name: &str) -> Result<&'a Value, String> {
    json.get(name).ok_or_else(|| format!("`{name}` is missing"))
}

fn text(json: &Value, name: &str) -> Result<Option<String>, String> {
    match field(json, name)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(format!("`{name}` is no text")),
    }
}

fn number(json: &Value, name: &str) -> Result<Option<f64>, String> {
    match field(json, name)? {
        Value::Null => Ok(None),
        value => value.as_f64().map(Some).ok_or_else(|| format!("`{name}` is no number")),
    }
}

fn required(json: &Value, name: &str) -> Result<f64, String> {
    number(json, name)?.ok_or_else(|| format!("`{name}` is null"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const LINE: &str = r#"{"suite":"spawn","name":"c1","against":"tokio","ours":780.5,"theirs":700,"unit":"runs/s","better":"higher","ratio":1.1,"low":1.0,"high":1.2,"goal":1.0,"met":true}"#;

    /// A relative line of suite `s`.
    pub(in super::super) fn relative(name: &str, value: f64, low: f64, high: f64) -> Record {
        let mut record = Record::read(LINE).unwrap();
        (record.suite, record.name) = ("s".to_owned(), name.to_owned());
        record.ratio = Some(Ratio { value, low, high });
        record
    }

    /// An absolute line of suite `s`.
    pub(in super::super) fn absolute(name: &str, ours: f64) -> Record {
        Record { against: None, theirs: None, ratio: None, ours, ..relative(name, 1.0, 1.0, 1.0) }
    }

    #[test]
    fn the_documented_line_is_read_whole() {
        let record = Record::read(LINE).unwrap();
        assert_eq!(record.key(), "spawn c1 against tokio");
        assert_eq!(record.ratio, Some(Ratio { value: 1.1, low: 1.0, high: 1.2 }));
        assert_eq!(
            (record.ours, record.theirs, record.goal, record.met),
            (780.5, Some(700.0), Some(1.0), Some(true))
        );
    }

    #[test]
    fn an_absolute_figure_has_no_rival() {
        let line = r#"{"suite":"spawn","name":"leaks","against":null,"ours":0,"theirs":null,"unit":"fds (goal 0)","better":"lower","ratio":null,"low":null,"high":null,"goal":null,"met":true}"#;
        let record = Record::read(line).unwrap();
        assert_eq!((record.key().as_str(), record.ratio), ("spawn leaks", None));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_named() {
        for (from, to, named) in [
            ("\"ours\":780.5,", "", "`ours`"),
            ("\"runs/s\"", "3", "`unit`"),
            ("\"higher\"", "\"more\"", "`better`"),
            ("\"low\":1.0", "\"low\":null", "`low`"),
            ("\"tokio\"", "null", "`against`"),
            ("\"ratio\":1.1", "\"ratio\":null", "`ratio`"),
            ("\"met\":true", "\"met\":1", "`met`"),
            ("{", "", "JSON"),
        ] {
            let error = Record::read(&LINE.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
