//! Workers whose handlers are plain Python functions.

use bgt_process::Command;

use super::builder::WorkerBuilder;
use super::pool::WorkerPool;

/// The other side of the protocol, for Python; it needs nothing but Python.
const SHIM: &str = include_str!("../python/bgt_worker.py");

impl WorkerPool {
    /// A pool of Python workers whose requests are handled by a plain function, `module:function`: it is called with the
    /// request's arguments, and what it returns is the answer. What is not named in this way is refused by
    /// [`build`](WorkerBuilder::build).
    ///
    /// The module is imported once, from the folder in which the workers run or from what else Python knows. What the
    /// function prints goes to stderr, and from there to the log. An exception is an answer with exit code 1 and the
    /// traceback; `sys.exit(3)` one with exit code 3. When a request is stopped, a `KeyboardInterrupt` is raised in the
    /// function.
    ///
    /// The interpreter is the one that a script would get, see [`Command::script`], unless
    /// [`command`](WorkerBuilder::command) names another.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use bgt_pool::WorkerPool;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // score.py: `def score(text, scale=1): return {"score": len(text) * scale}`
    /// let pool = WorkerPool::python("score:score").command(|python| python.current_dir("models")).size(4).build()?;
    /// let answer: serde_json::Value = pool.call("some text").await?.json()?;
    /// # Ok(()) }
    /// ```
    pub fn python(handler: impl Into<String>) -> WorkerBuilder {
        let handler = handler.into();
        let named =
            handler.split_once(':').is_some_and(|(module, name)| !module.is_empty() && !name.is_empty());
        let unnamed = (!named).then(|| handler.clone());
        let command = Command::python(SHIM).arg(&handler).name(handler);
        WorkerBuilder::new(command).says_ready(true).unnamed(unnamed)
    }
}
