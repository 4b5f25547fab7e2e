//! Which fault an error of SQLite is.

use rusqlite::{Error, ErrorCode};

use super::session::Place;
use crate::{Fault, FaultKind};

impl Place {
    pub(super) fn fault(&self, kind: FaultKind) -> Fault {
        Fault::new(kind, &self.path)
    }

    pub(super) fn fault_of(&self, error: Error) -> Fault {
        Fault::because(self.kind_of(&error), &self.path, error)
    }

    pub(super) fn kind_of(&self, error: &Error) -> FaultKind {
        use ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, FileLockingProtocolFailed,
            NotADatabase, PermissionDenied, ReadOnly, SystemIoFailure,
        };
        match error.sqlite_error_code() {
            Some(DiskFull) => FaultKind::Full,
            Some(ReadOnly | PermissionDenied) => FaultKind::ReadOnly,
            Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed) => {
                FaultKind::Locked { patience: self.patience }
            }
            Some(DatabaseCorrupt | NotADatabase) => FaultKind::Corrupt,
            Some(CannotOpen) => FaultKind::Unavailable,
            Some(SystemIoFailure) => FaultKind::Io,
            // What is in a row makes no sense: nobody writes such a thing through this crate.
            None if is_about_a_value(error) => FaultKind::Corrupt,
            _ => FaultKind::Internal,
        }
    }
}

fn is_about_a_value(error: &Error) -> bool {
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
            // Asked for with `optional` where there may be none.
            | Error::QueryReturnedNoRows
    )
}

/// Whether the fault is the store's, so that whoever writes meets it, and not that of what one caller wanted.
pub(super) fn is_everybodys(kind: FaultKind) -> bool {
    !matches!(kind, FaultKind::Corrupt | FaultKind::Internal)
}
