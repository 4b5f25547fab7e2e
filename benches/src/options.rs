//! The words on a suite's command line.

use crate::Result;

#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) json: bool,
    pub(crate) quick: bool,
    pub(crate) only: Option<String>,
    /// Set by a suite that starts a copy of itself to measure in.
    pub(crate) inside: bool,
}

pub(crate) const INSIDE: &str = "--inside";

impl Options {
    /// # Errors
    /// Where a word is unknown.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--json" => options.json = true,
                "--quick" => options.quick = true,
                INSIDE => options.inside = true,
                "--only" => options.only = Some(words.next().ok_or("--only needs the name of a case")?),
                _ => {
                    return Err(format!("`{word}` is unknown; there are --json, --quick, --only NAME").into());
                }
            }
        }
        Ok(options)
    }

    /// The words that a copy of this program is started with, to measure one case.
    pub(crate) fn for_a_copy<'a>(&self, name: &'a str) -> Vec<&'a str> {
        let mut words = vec![INSIDE, "--only", name];
        words.extend(self.json.then_some("--json"));
        words.extend(self.quick.then_some("--quick"));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options> {
        Options::parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn a_copy_measures_what_it_was_started_for_as_its_original_would() {
        let copy = parse(&parse(&["--quick"]).unwrap().for_a_copy("big_host")).unwrap();
        assert!(copy.quick && !copy.json && copy.inside);
        assert_eq!(copy.only.as_deref(), Some("big_host"));
    }

    #[test]
    fn an_unknown_word_is_named() {
        assert!(parse(&["--fast"]).unwrap_err().to_string().contains("`--fast`"));
    }
}
