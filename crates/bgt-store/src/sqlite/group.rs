//! Group commit: everything that waits shares one transaction, and with it one wait for the disk.
//!
//! Owns: what is in a group, and what each of its callers hears.
//! Never does: wait for more to come. While the disk is busy with one group, the next one gathers by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::fault::is_everybodys;
use super::file::File;
use super::op::Op;
use super::session::{Session, Whereabouts};
use super::threads::Inbox;
use crate::clock::Moment;
use crate::{Clock, Fault, FaultKind};

/// The most operations of one commit.
const LARGEST: usize = 512;

/// The operations of one transaction.
pub(super) struct Group {
    ops: Vec<Box<dyn Op>>,
}

/// Why a transaction was not committed.
struct Failed {
    /// The operation that it was about, if it was about one.
    op: Option<usize>,
    fault: Fault,
}

impl Group {
    pub(super) fn new(first: Box<dyn Op>) -> Self {
        Self { ops: vec![first] }
    }

    /// Does it all or nothing, and tells everybody.
    pub(super) fn commit(mut self, file: &mut File, clock: &dyn Clock, inbox: &mut Inbox) {
        let committed = file.session().and_then(|session| {
            session.begin()?;
            let now = catch_unwind(AssertUnwindSafe(|| clock.now()));
            let committed = match now {
                Ok(now) => self.transact(session, &now, inbox),
                // It is the caller's, and this thread is everybody's.
                Err(_) => Err(session.fault(FaultKind::Internal)),
            };
            if committed.is_err() {
                session.rollback()?;
            }
            committed
        });
        if let Err(fault) = &committed {
            // Who came while the lock was waited for hears of that too, and need not wait for it once more.
            while self.grow(inbox) {}
            tracing::warn!(error = %fault, calls = self.ops.len(), "store cannot commit");
            file.doubt(fault.kind());
            file.suspect(fault.kind());
        }
        let fault = committed.err();
        for op in self.ops {
            op.answer(fault.clone());
        }
    }

    /// Runs all, and whatever comes meanwhile, in the transaction that was begun. One that fails for a reason of its own
    /// is told so, and the others run once more without it.
    fn transact(&mut self, session: &Session, now: &Moment, inbox: &mut Inbox) -> Result<(), Fault> {
        while let Err(failed) = self.attempt(session, now, inbox) {
            session.rollback()?;
            match failed.op {
                Some(op) if !is_everybodys(failed.fault.kind()) => {
                    self.ops.remove(op).answer(Some(failed.fault));
                }
                _ => return Err(failed.fault),
            }
            session.begin()?;
        }
        match session.whereabouts() {
            Whereabouts::Here => Ok(()),
            Whereabouts::WithoutLog => session.save_log(),
            Whereabouts::Gone(fault) => Err(fault),
            Whereabouts::Replaced => Err(session.fault(FaultKind::Removed)),
        }
    }

    fn attempt(&mut self, session: &Session, now: &Moment, inbox: &mut Inbox) -> Result<(), Failed> {
        let mut done = 0;
        while done < self.ops.len() || self.grow(inbox) {
            let op = &mut self.ops[done];
            let fault = match catch_unwind(AssertUnwindSafe(|| op.run(&session.connection, now))) {
                Ok(Ok(())) => {
                    done += 1;
                    continue;
                }
                Ok(Err(error)) => session.fault_of(error),
                Err(_) => session.fault(FaultKind::Internal),
            };
            return Err(Failed { op: Some(done), fault });
        }
        let committed = session.execute("COMMIT");
        committed.map_err(|error| Failed { op: None, fault: session.fault_of(error) })
    }

    /// Takes one more that is there, while there is room.
    fn grow(&mut self, inbox: &mut Inbox) -> bool {
        let more = if self.ops.len() < LARGEST { inbox.next() } else { None };
        let has_grown = more.is_some();
        self.ops.extend(more);
        has_grown
    }
}
