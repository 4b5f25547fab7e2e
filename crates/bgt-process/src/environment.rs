//! Changes to the environment that a program gets. Plain data.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::secret::Word;

/// By which `bgt-sys` finds the descendants of a program, on Linux.
pub(crate) const RESERVED: &str = "BGT_TREE";

#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) cleared: bool,
    /// By what the system takes for the same name.
    changes: BTreeMap<OsString, Change>,
}

#[derive(Clone, PartialEq, Eq)]
struct Change {
    /// As it was spelt last.
    name: OsString,
    /// `None` removes.
    to: Option<Word>,
}

impl Environment {
    pub(crate) fn clear(&mut self) {
        self.cleared = true;
        self.changes.clear();
    }

    /// Sets or removes. The last change of a variable counts, however its name is spelt where that does not matter.
    pub(crate) fn change(&mut self, name: OsString, to: Option<Word>) {
        self.changes.insert(bgt_sys::variable_key(&name), Change { name, to });
    }

    /// The changes, in order of their names: `None` removes.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&OsStr, Option<&Word>)> {
        self.changes.values().map(|change| (&*change.name, change.to.as_ref()))
    }

    /// What is to become of a variable, if it is to be changed: `None` removes.
    pub(crate) fn change_of(&self, name: &str) -> Option<Option<&Word>> {
        self.changes.get(&bgt_sys::variable_key(OsStr::new(name))).map(|change| change.to.as_ref())
    }

    /// The name that is not to be changed, if it is. Passing on the host's own value is no change: a host that was
    /// started by another one has it among all its variables.
    pub(crate) fn reserved(&self) -> Option<&'static str> {
        let change = self.change_of(RESERVED)?;
        let same =
            matches!(change, Some(Word::Plain(value)) if std::env::var_os(RESERVED).as_ref() == Some(value));
        (!same).then_some(RESERVED)
    }

    /// What the program will see under this name.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        match self.change_of(name) {
            Some(Some(Word::Plain(value))) => Some(value.clone()),
            Some(Some(Word::Secret(secret))) => secret.reveal().ok(),
            Some(None) => None,
            None if self.cleared => None,
            None => std::env::var_os(name),
        }
    }

    /// All variables but secrets and our own. A secret hides the host's value of that name, too.
    pub(crate) fn open(&self) -> Vec<(OsString, OsString)> {
        let inherited = std::env::vars_os().filter(|_| !self.cleared);
        let mut variables: BTreeMap<OsString, (OsString, OsString)> =
            inherited.map(|(name, value)| (bgt_sys::variable_key(&name), (name, value))).collect();
        for (key, Change { name, to }) in &self.changes {
            match to {
                Some(Word::Plain(value)) => {
                    variables.insert(key.clone(), (name.clone(), value.clone()));
                }
                Some(Word::Secret(_)) | None => {
                    variables.remove(key);
                }
            }
        }
        variables.remove(&bgt_sys::variable_key(RESERVED.as_ref()));
        variables.into_values().collect()
    }

    /// Where programs are looked up: the `PATH` that the program will have, or else the host's.
    pub(crate) fn path(&self) -> OsString {
        self.get("PATH").or_else(|| std::env::var_os("PATH")).unwrap_or_default()
    }

    /// The same to be shown.
    pub(crate) fn shown_path(&self) -> String {
        match self.change_of("PATH") {
            Some(Some(Word::Secret(_))) => "***".to_owned(),
            _ => self.path().to_string_lossy().into_owned(),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        if self.cleared {
            map.entry(&"(inherited)", &"none");
        }
        for (name, change) in self.changes() {
            match change {
                Some(value) => map.entry(&name, value),
                None => map.entry(&name, &"(removed)"),
            };
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_counts_under_the_name_that_it_was_given() {
        let mut env = Environment::default();
        for (name, value) in [("Path", "first"), ("PATH", "second")] {
            env.change(name.into(), Some(Word::Plain(value.into())));
        }
        assert_eq!(env.get("PATH"), Some("second".into()));
        let names: Vec<&OsStr> = env.changes().map(|(name, _)| name).collect();
        let one_variable =
            bgt_sys::variable_key(OsStr::new("Path")) == bgt_sys::variable_key(OsStr::new("PATH"));
        let expected: &[&str] = if one_variable { &["PATH"] } else { &["PATH", "Path"] };
        assert_eq!(names, expected);
        env.change("PATH".into(), None);
        assert_eq!(env.get("PATH"), None);
    }

    #[test]
    fn what_is_open_has_no_secrets() {
        let mut env = Environment::default();
        env.change("PLAIN".into(), Some(Word::Plain("seen".into())));
        env.change("TOKEN".into(), Some(Word::Secret(crate::Secret::literal("hidden"))));
        // The host has a value of this name, which may be the same one.
        env.change("PATH".into(), Some(Word::Secret(crate::Secret::from_env("PATH"))));
        let open = env.open();
        assert!(open.contains(&("PLAIN".into(), "seen".into())), "{open:?}");
        assert!(open.iter().all(|(name, _)| name != "TOKEN" && name != "PATH"), "{open:?}");
        env.clear();
        assert_eq!(env.open(), []);
    }

    /// Once it took the square of their number: 9.5 s for a fifth of these.
    #[test]
    fn fifty_thousand_variables_are_no_matter() {
        let start = std::time::Instant::now();
        let mut env = Environment::default();
        for i in 0..50_000 {
            env.change(format!("NAME_{i}").into(), Some(Word::Plain("value".into())));
        }
        assert_eq!(env.changes().count(), 50_000);
        assert!(start.elapsed() < std::time::Duration::from_secs(10), "{:?}", start.elapsed());
    }
}
