use bgt_orchestrator::periodic::Schedule;
use bgt_orchestrator::{Command, Orchestrator};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bgt = Orchestrator::new();
    let nightly = Schedule::cron("30 2 * * *").zone("Europe/Berlin");
    let backup = bgt.periodic("backup", nightly, Command::new("rustc").arg("--version")).await?;
    println!("{}, next at {:?}", backup.describe(), backup.next(1));
    backup.run_now()?;
    backup.idle().await;
    assert_eq!(backup.statistics().succeeded, 1);
    Ok(())
}
