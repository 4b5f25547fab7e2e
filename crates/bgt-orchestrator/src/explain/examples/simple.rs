use bgt_orchestrator::{Command, Orchestrator};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), bgt_orchestrator::Error> {
    let bgt = Orchestrator::new();
    let output = bgt.simple(Command::new("rustc").arg("--version")).deadline(Duration::from_secs(30)).await?;
    print!("{}", output.stdout_text());
    Ok(())
}
