//! Standing back: `nice`.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, getpriority_pgrp, getpriority_process, setpriority_pgrp};

use crate::Priority;

/// The highest that there is.
const LAST: i32 = 19;

/// For all who are in the group now, and whom they start. Not by the attributes of the start: there are none for it, and a
/// thread that makes itself nice for the moment of a start may not go back.
pub(super) fn lower(group: Pid, priority: Priority) -> io::Result<()> {
    let wanted = niceness(getpriority_process(None)?, priority);
    // That of the one who stands back least: a program that has made itself nice is not brought forward again.
    if getpriority_pgrp(Some(group)).is_ok_and(|now| now >= wanted) {
        return Ok(());
    }
    match setpriority_pgrp(Some(group), wanted) {
        // They have all ended; or some stand back further already, and the others have been told.
        Ok(()) | Err(Errno::SRCH | Errno::ACCESS) => Ok(()),
        Err(error) => Err(io::Error::other(format!("its priority cannot be set: {error}"))),
    }
}

fn niceness(ours: i32, priority: Priority) -> i32 {
    match priority {
        Priority::Normal => ours,
        Priority::Low => (ours + 10).min(LAST),
        Priority::Idle => LAST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_ahead_of_the_host() {
        for ours in -20..=LAST {
            assert_eq!(niceness(ours, Priority::Normal), ours);
            let low = niceness(ours, Priority::Low);
            assert!(low > ours || ours == LAST, "{ours} {low}");
            assert!((low..=LAST).contains(&niceness(ours, Priority::Idle)), "{ours}");
        }
    }
}
