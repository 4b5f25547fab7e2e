//! What `tracing` is told: `run { id, name, pattern }` with a child `attempt { n, pid, exit }`.
#![cfg(feature = "process")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use bgt_simple::{Command, run};
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_run_has_a_span_and_so_has_each_attempt() {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .finish();
    let _default = tracing::subscriber::set_default(subscriber);

    let (program, args) = bgt_testkit::bad(["exit", "3"]);
    let command = Command::new(program).args(args).name("three").unchecked();
    let report = run(command).report().await;
    let pid = report.result.unwrap().pid;

    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let expected = format!(
        "run{{id={} name=three pattern=simple}}:attempt{{n=1 pid={pid} exit=exit code 3}}: bgt_simple::runner: close",
        report.id
    );
    assert!(log.contains(&expected), "{expected}\nis not in\n{log}");
}
