use bgt_orchestrator::pool::WorkerPool;
use bgt_orchestrator::{Command, Orchestrator};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bgt = Orchestrator::new();
    let worker = r#"while read -r line; do
        id=${line#*:} id=${id%%,*}; echo "{\"requestId\":$id,\"output\":\"process $$\"}"
    done"#; // any language will do; WorkerPool::python("module:function") is the short way for one
    let pool = bgt.worker_pool(WorkerPool::builder(Command::new("sh").args(["-c", worker])).size(1))?;
    assert_eq!(pool.call("who are you?").await?.text(), pool.call("and now?").await?.text());
    Ok(())
}
