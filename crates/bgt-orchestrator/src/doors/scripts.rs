//! The door to programs that are run often: Python scripts in interpreters that are warm.

use std::sync::Arc;
use std::time::Duration;

use bgt_pool::{BuildError, Command, PooledRun, ScriptPool, ScriptPoolBuilder};
use bgt_simple::Run;

use crate::Orchestrator;

impl Orchestrator {
    /// Runs a program that is run often, as a run to be awaited. A Python script, unchanged, runs in an interpreter that is
    /// warm, by the best way of this system; anything else, and a script where nothing can be made warm, runs as ever. At most
    /// as many run at once as there are processors; the others wait for their turn. The output is the same in all cases.
    ///
    /// Which way it was, and why not a better one, [`Pooled`](bgt_pool::Pooled) says of each run, and `tracing` warns once
    /// of each reason. What is imported ahead, and how many run at once, is set by [`pooled_by`](Self::pooled_by).
    ///
    /// Interpreters are kept warm for each interpreter and all that has to be the same for those who share one, eight of them at
    /// most, and end with the last clone of the orchestrator.
    ///
    /// # Errors
    ///
    /// As a run of the command; a [`PoolError`](bgt_pool::PoolError) where too many wait.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::pool::Isolation;
    /// use bgt_orchestrator::{Command, Orchestrator, Pattern};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = std::env::temp_dir().join(format!("bgt-doc-pooled-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// # let script = folder.join("score.py");
    /// # std::fs::write(&script, "import sys\nprint(len(sys.argv[1]))\n")?;
    /// # if Command::script(&script).plan().await.is_err() { return Ok(()) } // no Python here
    /// let bgt = Orchestrator::new();
    /// for text in ["some", "words"] {
    ///     let scored = bgt.pooled(Command::script(&script).arg(text)).await?;
    ///     assert_eq!(scored.stdout_text().trim(), text.len().to_string());
    ///     assert_ne!(scored.warmth.isolation, Isolation::Cold);
    /// }
    /// assert_eq!(bgt.runs().recent()[0].pattern, Pattern::Pooled);
    /// # bgt.scripts().drain(std::time::Duration::from_secs(10)).await;
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok(()) }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
    pub fn pooled(&self, command: Command) -> Run<'static, PooledRun> {
        self.scripts().run_pooled(command)
    }

    /// What [`pooled`](Self::pooled) runs in: to see how often each way was taken, and how many wait; to drain it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
    #[must_use]
    pub fn scripts(&self) -> &ScriptPool {
        self.scripts.get_or_init(|| {
            // A command that is nobody's: what is warm is started with the host's environment alone.
            let scripts = ScriptPool::of(Command::new("python3")).name("scripts");
            self.script_pool(scripts).expect("a tokio runtime")
        })
    }

    /// Sets what [`pooled`](Self::pooled) runs in: what is imported ahead, how many run at once, how they are kept apart. Any
    /// script runs there; that of the builder is the one that is made warm by [`ScriptPool::warm`](bgt_pool::ScriptPool::warm).
    ///
    /// # Errors
    ///
    /// What [`ScriptPoolBuilder::build`](bgt_pool::ScriptPoolBuilder::build) refuses.
    #[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
    pub fn pooled_by(mut self, scripts: ScriptPoolBuilder) -> Result<Self, BuildError> {
        self.scripts = Arc::new(self.script_pool(scripts)?.into());
        Ok(self)
    }

    /// Builds a pool of Python scripts whose runs are listed with all other runs. Keep the handle: clones are the same
    /// pool. For scripts that share no imports; else [`pooled`](Self::pooled) needs no handle.
    ///
    /// # Errors
    ///
    /// What [`ScriptPoolBuilder::build`](bgt_pool::ScriptPoolBuilder::build) refuses.
    #[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
    pub fn script_pool(&self, scripts: ScriptPoolBuilder) -> Result<ScriptPool, BuildError> {
        let pool = scripts.observer(self.shared.observer.clone()).build()?;
        self.shared.pools.note_scripts(&pool);
        self.close_at_once(&pool, |pool| async move { pool.drain(Duration::ZERO).await });
        Ok(pool)
    }
}
