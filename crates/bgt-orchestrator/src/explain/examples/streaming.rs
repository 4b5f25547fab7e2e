use bgt_orchestrator::streaming::{From, StreamEvent};
use bgt_orchestrator::{Command, Orchestrator};

#[tokio::main]
async fn main() -> Result<(), bgt_orchestrator::Error> {
    let bgt = Orchestrator::new();
    let run = bgt.streaming(Command::new("rustc").args(["--print", "cfg"])).start();
    let mut events = run.subscribe(From::Start);
    while let Some(event) = events.next().await {
        if let StreamEvent::Line(line) = event {
            println!("{:>4} {}", line.seq, line.text());
        }
    }
    run.await.map(drop)
}
