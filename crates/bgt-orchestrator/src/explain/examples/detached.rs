use bgt_orchestrator::{Command, Orchestrator, Status};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    bgt_orchestrator::detached::shim_entry(); // programs are looked after by a process that outlives this one
    let folder = std::env::temp_dir().join(format!("bgt-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let bgt = Orchestrator::open(folder.join("runs.db")).await?;
    let id = bgt.detached(Command::new("rustc").arg("--version")).await?; // from here on it is not lost
    assert_eq!(bgt.run(id)?.wait().await?.status, Status::Succeeded);
    Ok(())
}
