//! Command lines: what a command takes, and refusals that name the value and the way out.

use crate::Result;

/// What one command takes.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    /// One line for the overview.
    pub(crate) summary: &'static str,
    /// The whole answer to `--help`.
    pub(crate) help: &'static str,
    /// Switches, such as `--quick`.
    pub(crate) flags: &'static [&'static str],
    /// What is followed by a value, such as `--target`: as the next word or after `=`.
    pub(crate) options: &'static [&'static str],
    /// Whether bare words are welcome.
    pub(crate) words: bool,
    /// Whether words after `--` are passed on to somebody else.
    pub(crate) trailing: bool,
}

/// What one call gave.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Args {
    flags: Vec<String>,
    options: Vec<(String, String)>,
    pub(crate) words: Vec<String>,
    pub(crate) trailing: Vec<String>,
}

impl Args {
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|given| given == flag)
    }

    /// The value of an option; the last one counts where it was given twice.
    pub(crate) fn value(&self, option: &str) -> Option<&str> {
        self.values(option).last()
    }

    pub(crate) fn values(&self, option: &str) -> impl Iterator<Item = &str> {
        self.options.iter().filter(move |(name, _)| name == option).map(|(_, value)| value.as_str())
    }
}

impl Spec {
    /// Reads a command line; `None` asks for the help text.
    ///
    /// # Errors
    /// On anything that this command does not take.
    pub(crate) fn parse(&self, mut line: impl Iterator<Item = String>) -> Result<Option<Args>> {
        let mut args = Args::default();
        while let Some(word) = line.next() {
            if word == "--help" || word == "-h" {
                return Ok(None);
            }
            if word == "--" && self.trailing {
                args.trailing.extend(line);
                break;
            }
            let (name, attached) = match word.split_once('=') {
                Some((name, value)) if word.starts_with('-') => (name, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            if self.options.contains(&name) {
                let value = attached.or_else(|| line.next()).filter(|value| !value.is_empty());
                let Some(value) = value else {
                    return Err(self.refusal(&format!("`{name}` needs a value")));
                };
                args.options.push((name.to_owned(), value));
            } else if self.flags.contains(&word.as_str()) {
                args.flags.push(word);
            } else if self.words && !word.starts_with('-') {
                args.words.push(word);
            } else {
                return Err(self.refusal(&format!("`{word}` means nothing here")));
            }
        }
        Ok(Some(args))
    }

    fn refusal(&self, what: &str) -> crate::Error {
        let known: Vec<_> = self.flags.iter().chain(self.options).copied().collect();
        let takes = match known.as_slice() {
            [] => String::new(),
            known => format!(" takes {};", known.join(", ")),
        };
        let name = self.name;
        format!("{name}: {what}; `cargo xtask {name}`{takes} see `cargo xtask {name} --help`").into()
    }
}

/// This process's own arguments.
///
/// # Errors
/// Where one of them is not Unicode.
pub(crate) fn from_environment() -> Result<Vec<String>> {
    std::env::args_os()
        .skip(1)
        .map(|word| word.into_string().map_err(|word| format!("{word:?} is not Unicode").into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        name: "try",
        summary: "",
        help: "",
        flags: &["--quick"],
        options: &["--target", "-p"],
        words: false,
        trailing: true,
    };

    fn parse(line: &str) -> Result<Option<Args>> {
        SPEC.parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_options_and_what_follows_two_dashes_are_told_apart() {
        let args = parse("--target=a -p one --quick -p two -- --target x").unwrap().unwrap();
        assert!(args.has("--quick"));
        assert_eq!(args.value("--target"), Some("a"));
        assert_eq!(args.values("-p").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(args.trailing, ["--target", "x"]);
    }

    #[test]
    fn a_refusal_names_the_value_and_the_way_out() {
        for (line, value) in [
            ("--fast", "`--fast`"),
            ("word", "`word`"),
            ("--target", "`--target`"),
            ("--quick=1", "`--quick=1`"),
        ] {
            let text = parse(line).unwrap_err().to_string();
            assert!(text.contains(value), "{text}");
            assert!(text.contains("cargo xtask try --help"), "{text}");
        }
    }

    #[test]
    fn help_wins_wherever_it_stands() {
        assert_eq!(parse("--quick --help --nonsense").unwrap(), None);
    }

    #[test]
    fn words_are_taken_only_where_they_are_welcome() {
        let spec = Spec { words: true, trailing: false, ..SPEC };
        let words = |line: &str| spec.parse(line.split_whitespace().map(str::to_owned));
        assert_eq!(words("a b").unwrap().unwrap().words, ["a", "b"]);
        assert!(words("a -- b").is_err());
    }
}
