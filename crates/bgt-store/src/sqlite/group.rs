//! Group commit: everything that waits shares one transaction, and with it one wait for the disk.
//!
//! Owns: what is in a group, and what each of its callers hears.
//! Never does: wait for more to come. While the disk is busy with one group, the next one gathers by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::fault::is_everybodys;
use super::op::Op;
use super::session::{Session, Whereabouts};
use super::threads::Work;
use crate::clock::Moment;
use crate::{Fault, FaultKind};

/// The most operations of one commit.
pub(super) const LARGEST: usize = 512;

/// The operations of one transaction.
pub(super) struct Group {
    pub(super) ops: Vec<Box<dyn Op>>,
}

/// Why a transaction was not committed.
struct Failed {
    /// The operation that it was about, if it was about one.
    op: Option<usize>,
    fault: Fault,
}

impl Group {
    /// Does it all or nothing, and tells everybody.
    pub(super) fn commit(mut self, work: &mut Work) {
        let begun = work.session().and_then(|session| session.begin());
        // Gathered only now: who arrives while the lock is waited for is in time, and hears of it if it never comes.
        work.gather(&mut self);
        let committed = begun.and_then(|()| self.transact(work));
        if let Err(fault) = &committed {
            tracing::warn!(error = %fault, calls = self.ops.len(), "store cannot commit");
            work.suspect(fault.kind());
        }
        let fault = committed.err();
        for op in self.ops {
            op.answer(fault.clone());
        }
    }

    /// Runs all in the transaction that was begun. One that fails for a reason of its own is told so, and the others run
    /// once more without it.
    fn transact(&mut self, work: &mut Work) -> Result<(), Fault> {
        let now = work.clock.now();
        let session = work.opened()?;
        while let Err(failed) = self.attempt(session, &now) {
            session.rollback()?;
            match failed.op {
                Some(op) if !is_everybodys(failed.fault.kind()) => {
                    self.ops.remove(op).answer(Some(failed.fault))
                }
                _ => return Err(failed.fault),
            }
            session.begin()?;
        }
        match session.whereabouts() {
            Whereabouts::Here => Ok(()),
            _ => Err(session.fault(FaultKind::Removed)),
        }
    }

    fn attempt(&mut self, session: &Session, now: &Moment) -> Result<(), Failed> {
        for (place, op) in self.ops.iter_mut().enumerate() {
            let outcome = catch_unwind(AssertUnwindSafe(|| op.run(&session.connection, now)));
            let fault = match outcome {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => session.fault_of(error),
                Err(_) => session.fault(FaultKind::Internal),
            };
            return Err(Failed { op: Some(place), fault });
        }
        let committed = session.execute("COMMIT");
        committed.map_err(|error| Failed { op: None, fault: session.fault_of(error) })
    }
}
