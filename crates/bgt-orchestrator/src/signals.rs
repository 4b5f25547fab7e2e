//! A shutdown when the system asks for one.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::{Orchestrator, ShutDown};

/// What asked this process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// Ctrl-C: SIGINT, or the event of that name.
    Interrupt,
    /// SIGTERM; on Windows the console was closed, the user logged off, the system shuts down, or Ctrl-Break was pressed.
    Terminate,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "Ctrl-C",
            Self::Terminate => "a request to terminate",
        })
    }
}

/// A shutdown that waits for its signal, made by [`Orchestrator::shutdown_on_signal`]. Awaiting it answers what came and what
/// became of everything; dropping it changes nothing, the signal is still waited for.
#[derive(Debug)]
pub struct OnSignal {
    ended: JoinHandle<(Signal, ShutDown)>,
}

impl IntoFuture for OnSignal {
    type Output = (Signal, ShutDown);
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.ended.await {
                Ok(ended) => ended,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime is being shut down, and we with it.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

impl Orchestrator {
    /// Wires [`shutdown`](Self::shutdown) to Ctrl-C and SIGTERM: the first signal begins it, with this much time, and the second
    /// ends everything by force at once. The process is not ended by either: await what this answers, and return from `main`.
    ///
    /// Whoever waits for the signal keeps the orchestrator. From this call on these signals do not end the process any more.
    ///
    /// # Errors
    ///
    /// When the system does not let signals be handled.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and on one without its I/O driver.
    ///
    /// # Platform-specific behavior
    ///
    /// On Windows: Ctrl-C, Ctrl-Break, the close of the console, log-off, and the shutdown of the system, which is also what a
    /// service hears of. After a close the system leaves the process about five seconds, whatever was asked for here. A stop by
    /// the service manager alone reaches only a program that has registered itself there: let it call `shutdown`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use bgt_orchestrator::Orchestrator;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let bgt = Orchestrator::new();
    /// let over = bgt.shutdown_on_signal(Duration::from_secs(10))?;
    /// // … start what there is to do …
    /// let (signal, end) = over.await;
    /// println!("{signal}: {end}");
    /// # Ok(()) }
    /// ```
    pub fn shutdown_on_signal(&self, within: Duration) -> io::Result<OnSignal> {
        let mut signals = system::Signals::new()?;
        let bgt = self.clone();
        let ended = tokio::spawn(async move {
            let signal = signals.next().await;
            tracing::info!("{signal}: shutting down within {within:?}; once more ends everything at once");
            let began = Instant::now();
            let shutdown = bgt.shutdown(within);
            let mut shutdown = std::pin::pin!(shutdown);
            let again = async {
                let again = signals.next().await;
                tracing::warn!("{again}, again: ending everything at once");
                ShutDown { elapsed: began.elapsed(), ..bgt.shutdown(Duration::ZERO).await }
            };
            tokio::select! {
                ended = &mut shutdown => (signal, ended),
                ended = again => (signal, ended),
            }
        });
        Ok(OnSignal { ended })
    }
}

#[cfg(unix)]
mod system {
    use std::io;

    use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

    use super::Signal;

    pub(super) struct Signals {
        interrupt: Listener,
        terminate: Listener,
    }

    impl Signals {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::Interrupt,
                _ = self.terminate.recv() => Signal::Terminate,
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_logoff,
        ctrl_shutdown,
    };

    use super::Signal;

    pub(super) struct Signals {
        interrupt: CtrlC,
        pause: CtrlBreak,
        close: CtrlClose,
        logoff: CtrlLogoff,
        shutdown: CtrlShutdown,
    }

    impl Signals {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self {
                interrupt: ctrl_c()?,
                pause: ctrl_break()?,
                close: ctrl_close()?,
                logoff: ctrl_logoff()?,
                shutdown: ctrl_shutdown()?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::Interrupt,
                _ = self.pause.recv() => Signal::Terminate,
                _ = self.close.recv() => Signal::Terminate,
                _ = self.logoff.recv() => Signal::Terminate,
                _ = self.shutdown.recv() => Signal::Terminate,
            }
        }
    }
}
