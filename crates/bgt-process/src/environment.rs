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

    /// Sets or removes. The last change of a variable counts, however its name is spelt where that does not matter.
    pub(crate) fn change(&mut self, name: OsString, to: Option<Word>) {
        self.changes.retain(|known, _| !bgt_sys::is_same_variable(known, &name));
        self.changes.insert(name, to);
    }

    /// What the program will see under this name.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        let name = OsStr::new(name);
        let change = self.changes.iter().find(|(known, _)| bgt_sys::is_same_variable(known, name));
        match change {
            Some((_, Some(Word::Plain(value)))) => Some(value.clone()),
            Some((_, Some(Word::Secret(secret)))) => secret.reveal().ok(),
            Some((_, None)) => None,
            None if self.cleared => None,
            None => std::env::var_os(name),
        }
    }

    /// Where programs are looked up: the `PATH` that the program will have, or else the host's.
    pub(crate) fn path(&self) -> OsString {
        self.get("PATH").or_else(|| std::env::var_os("PATH")).unwrap_or_default()
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
