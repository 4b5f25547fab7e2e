//! Changes to the environment that a program gets. Plain data.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::secret::Word;

#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) cleared: bool,
    /// `None` removes.
    pub(crate) changes: BTreeMap<OsString, Option<Word>>,
}

impl Environment {
    pub(crate) fn clear(&mut self) {
        self.cleared = true;
        self.changes.clear();
    }

    /// What the program will see under this name, without looking into secrets.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        match self.changes.get(OsStr::new(name)) {
            Some(Some(Word::Plain(value))) => Some(value.clone()),
            Some(Some(Word::Secret(secret))) => secret.reveal().ok(),
            Some(None) => None,
            None if self.cleared => None,
            None => std::env::var_os(name),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        if self.cleared {
            map.entry(&"(inherited)", &"none");
        }
        for (name, change) in &self.changes {
            match change {
                Some(value) => map.entry(name, value),
                None => map.entry(name, &"(removed)"),
            };
        }
        map.finish()
    }
}
