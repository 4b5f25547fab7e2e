use bgt_orchestrator::concurrent::batch;
use bgt_orchestrator::{Command, Orchestrator};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bgt = Orchestrator::new();
    let targets = ["x86_64-unknown-linux-gnu", "x86_64-pc-windows-gnu", "aarch64-apple-darwin"];
    let checks = targets.map(|target| Command::new("rustc").args(["--print", "cfg", "--target", target]));
    let report = bgt.concurrent(batch(checks)).max_concurrent(2).await?.require_success()?;
    println!("{report}");
    Ok(())
}
