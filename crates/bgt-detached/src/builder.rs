//! What a host of detached runs is asked to be.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{Context, Observer, TaskError};
use bgt_store::{NewHost, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::functions::Functions;
use crate::host::Host;
use crate::{DEFAULT_QUEUE, Detached, DetachedError, Keep, Result};

/// Opens a [`Detached`] with queues, functions and settings of its own.
///
/// # Examples
///
/// ```
/// use bgt_detached::{Builder, Context, Job};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_detached::DetachedError> {
/// # let folder = bgt_testkit::Scratch::new();
/// # let path = folder.path("runs.db");
/// let host = Builder::new()
///     .queue("mail", 4)
///     .function("mail", |_cx: Context, to: String| async move { Ok(format!("sent to {to}")) })
///     .open(path)
///     .await?;
/// let id = host.detach(Job::call("mail", "a@example.org").queue("mail")).await?;
/// host.run(id).wait().await?;
/// assert_eq!(host.run(id).result::<String>().await?, "sent to a@example.org");
/// # host.shutdown(std::time::Duration::from_secs(5)).await;
/// # Ok(()) }
/// ```
#[must_use = "a builder does nothing until it is opened"]
pub struct Builder {
    pub(crate) settings: Settings,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) queues: BTreeMap<String, u32>,
    pub(crate) functions: Functions,
    pub(crate) has_workers: bool,
    #[cfg(feature = "process")]
    pub(crate) shim: crate::attempt::shim::Shim,
    pub(crate) lease: Duration,
    pub(crate) log_quota: u64,
    pub(crate) keep: Keep,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// One queue, `default`, that runs as many at once as the machine has processors; no functions; a lease of 15 s.
    pub fn new() -> Self {
        let processors =
            std::thread::available_parallelism().map_or(2, |n| u32::try_from(n.get()).unwrap_or(2));
        Self {
            settings: Settings {
                name: "bgt".to_owned(),
                queues: BTreeMap::from([(DEFAULT_QUEUE.to_owned(), processors.max(2))]),
                functions: Functions::default(),
                has_workers: true,
                #[cfg(feature = "process")]
                shim: crate::attempt::shim::Shim::default(),
                lease: Duration::from_secs(15),
                log_quota: 64 << 20,
                keep: Keep::default(),
                observers: Vec::new(),
            },
        }
    }

    /// Sets how many runs of a queue may be running at once, on all hosts of the records together, and serves it.
    pub fn queue(mut self, name: impl Into<String>, concurrency: u32) -> Self {
        self.settings.queues.insert(name.into(), concurrency);
        self
    }

    /// Registers a function by the name under which jobs [call](crate::Job::call) it. Its arguments and its answer are kept as
    /// JSON.
    ///
    /// It is called **at least once** for each run: if its host is killed it is called again, by whichever host comes first,
    /// and if its host was only paused, two calls may overlap until that one notices. Let it do its work so that twice is the
    /// same as once, and look at [`Context::check`] when it takes long.
    pub fn function<A, R, F, Fut>(mut self, name: impl Into<String>, function: F) -> Self
    where
        A: DeserializeOwned,
        R: Serialize,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, TaskError>> + Send + 'static,
    {
        self.settings.functions.add(name.into(), function);
        self
    }

    /// Runs nothing here: jobs of any queue and function are accepted, for other hosts of the same records to run.
    pub fn without_workers(mut self) -> Self {
        self.settings.has_workers = false;
        self
    }

    /// Sets the program that is started as the shim of a program, in place of our own executable; it calls
    /// [`shim_entry`](crate::shim_entry) when it is started with these arguments.
    #[cfg(feature = "process")]
    #[cfg_attr(docsrs, doc(cfg(feature = "process")))]
    pub fn shim(
        mut self,
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<std::ffi::OsString>>,
    ) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        self.settings.shim = crate::attempt::shim::Shim::Program { program: program.into(), args };
        self
    }

    /// Supervises programs from this process alone: they end with it, and are then lost.
    #[cfg(feature = "process")]
    #[cfg_attr(docsrs, doc(cfg(feature = "process")))]
    pub fn without_shim(mut self) -> Self {
        self.settings.shim = crate::attempt::shim::Shim::No;
        self
    }

    /// Sets what people call this host; need not be unique.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Sets how long after its last sign of life others may take over what this host has; 15 s without this. Shorter is
    /// quicker after a crash, and less patient with a machine that is busy.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// Sets how many bytes of an attempt's output are kept, 64 MiB without this; of more the oldest are given up.
    pub fn log_quota(mut self, bytes: u64) -> Self {
        self.settings.log_quota = bytes;
        self
    }

    /// Sets how many runs that are over are kept, and for how long.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.settings.keep = keep;
        self
    }

    /// Adds somebody who is told what happens to runs here: a registry such as `Runs`, metrics.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.settings.observers.push(observer);
        self
    }

    /// Opens the records in this file, or makes it, and begins to work.
    ///
    /// What runs leave behind, such as their output, is in a folder beside it: `runs.db.d` for `runs.db`, and where that is a
    /// link, beside the file that it leads to.
    ///
    /// # Errors
    ///
    /// A setting that makes no sense; a file that cannot be opened, is damaged, or is something else.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[cfg(feature = "sqlite")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
    pub async fn open(self, path: impl AsRef<Path>) -> Result<Detached> {
        self.settings.check()?;
        let store = bgt_store::SqliteStore::open(path).await?;
        // By whatever name it was opened: all hosts of the records have the same folder.
        let of = store.path().to_owned();
        let found = crate::host::blocking(move || bgt_sys::real_path(&of)).await;
        let mut folder = found.map_err(DetachedError::files(store.path()))?.into_os_string();
        folder.push(".d");
        self.start(Arc::new(store), folder).await
    }

    /// Begins to work on these records, with this folder for what runs leave behind. All hosts of the records use the same.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn start(self, store: Arc<dyn Store>, folder: impl Into<PathBuf>) -> Result<Detached> {
        self.settings.check()?;
        let folder = folder.into();
        let folder = std::path::absolute(&folder).map_err(DetachedError::files(&folder))?;
        make(&folder).await?;
        Ok(Detached::new(Host::start(store, folder, self.settings).await?))
    }
}

async fn make(folder: &Path) -> Result<()> {
    let of = folder.to_owned();
    let made = crate::host::blocking(move || match bgt_sys::create_private_folder(&of) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && of.is_dir() => Ok(()),
        made => made,
    });
    made.await.map_err(DetachedError::files(folder))
}

impl Settings {
    fn check(&self) -> Result<()> {
        NewHost::new(&self.name).lease(self.lease).check()?;
        for (name, concurrency) in &self.queues {
            if *concurrency == 0 {
                let found = format!("0 for queue {name:?}");
                return Err(DetachedError::Setting {
                    what: "the concurrency",
                    found,
                    expected: "at least 1",
                });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.settings.name)
            .field("queues", &self.settings.queues)
            .field("functions", &self.settings.functions.known())
            .field("lease", &self.settings.lease)
            .finish_non_exhaustive()
    }
}
