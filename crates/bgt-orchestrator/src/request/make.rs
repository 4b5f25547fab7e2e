//! What a request may be made of.

use bgt_core::Task;

use super::{Request, Terms, Work};

impl<T: Task + 'static> Request<T> {
    /// One task: an async function, or any other.
    pub fn task(task: T) -> Self {
        Self::new(Work::One(task))
    }

    /// Many tasks, which are pulled as there is room for them.
    pub fn all<I>(tasks: I) -> Self
    where
        I: IntoIterator<Item = T, IntoIter: Send + 'static>,
    {
        Self::new(Work::Many(Box::new(tasks.into_iter().map(|task| (task, None)))))
    }

    fn new(work: Work<T>) -> Self {
        Self {
            work,
            pattern: None,
            #[cfg(feature = "periodic")]
            schedule: None,
            name: None,
            streaming: false,
            max_concurrent: None,
            wait: None,
            pool: false,
            pool_within: false,
            terms: Terms::default(),
        }
    }
}

impl<T: Task + 'static> From<T> for Request<T> {
    fn from(task: T) -> Self {
        Self::task(task)
    }
}

#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
impl Request<bgt_simple::Command> {
    /// A program with all that it takes.
    pub fn command(command: bgt_simple::Command) -> Self {
        Self::task(command)
    }

    /// A program, looked up as a shell would.
    pub fn program(program: impl AsRef<std::ffi::OsStr>) -> Self {
        Self::command(bgt_simple::Command::new(program))
    }

    /// A script, run by its interpreter.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use bgt_orchestrator::{Orchestrator, Request};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_orchestrator::ExecuteError> {
    /// let bgt = Orchestrator::new();
    /// let output = bgt.execute(Request::script("report.py").arg("--year=2026")).await?.output().await?;
    /// println!("{}", output.stdout_text());
    /// # Ok(()) }
    /// ```
    pub fn script(path: impl AsRef<std::path::Path>) -> Self {
        Self::command(bgt_simple::Command::script(path))
    }

    /// Adds an argument.
    pub fn arg(self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.args([arg])
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Self {
        self.work = match self.work {
            Work::One(command) => Work::One(command.args(args)),
            Work::Many(commands) => {
                let args: Vec<_> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
                Work::Many(Box::new(commands.map(move |(command, key)| (command.args(&args), key))))
            }
        };
        self
    }

    /// Runs it once for each of these, given as its last argument: at the same time, as far as
    /// [`max_concurrent`](Self::max_concurrent) allows. The results have their names.
    pub fn for_each<I>(mut self, items: I) -> Self
    where
        I: IntoIterator<Item: AsRef<std::ffi::OsStr>, IntoIter: Send + 'static>,
    {
        let items = items.into_iter();
        self.work = match self.work {
            Work::One(command) => Work::Many(Box::new(items.map(move |item| {
                let item = item.as_ref();
                (command.clone().arg(item), Some(item.to_string_lossy().into()))
            }))),
            Work::Many(commands) => {
                let items: Vec<_> = items.map(|item| item.as_ref().to_owned()).collect();
                Work::Many(Box::new(commands.flat_map(move |(command, key)| {
                    let each = items.clone().into_iter().map(move |item| {
                        let name = item.to_string_lossy();
                        let key = key
                            .as_ref()
                            .map_or_else(|| name.clone().into(), |key| format!("{key} {name}").into());
                        (command.clone().arg(&item), Some(key))
                    });
                    each.collect::<Vec<_>>()
                })))
            }
        };
        self
    }
}

#[cfg(all(feature = "pooled", feature = "process"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
impl Request<bgt_simple::Command> {
    /// Sets whether it is run as by [`Orchestrator::pooled`](crate::Orchestrator::pooled): a Python script, unchanged, in an
    /// interpreter that is warm. Many are too, and what is streamed or scheduled; what is detached is not.
    pub fn pooled(mut self, pooled: bool) -> Self {
        self.pool = pooled;
        self
    }
}

#[cfg(all(feature = "pooled", feature = "process"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
impl Request<bgt_pool::Call> {
    /// A question to warm workers.
    pub fn ask(pool: &bgt_pool::WorkerPool, question: impl Into<bgt_pool::Request>) -> Self {
        Self { pool: true, pool_within: true, ..Self::task(pool.task(question)) }
    }
}
