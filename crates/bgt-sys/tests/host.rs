//! The tree dies with its host, however that dies. On Windows; elsewhere it takes a guard process.
#![cfg(windows)]

mod support;

use std::process::{Command, Stdio};

use bgt_testkit::{Scratch, assert_gone, wait_for_pids};
use support::{SOON, ready, start};

const NAME: &str = "the_tree_dies_with_its_host";
/// Makes this test the host: the file for the pids of its tree.
const PIDS: &str = "BGT_TEST_HOST_PIDS";

#[test]
fn the_tree_dies_with_its_host() {
    if let Ok(pids) = std::env::var(PIDS) {
        return host(&pids);
    }
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let mut host = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", NAME])
        .env(PIDS, &pids)
        .stdout(Stdio::null())
        .spawn()
        .expect("this test starts again");
    let tree = wait_for_pids(&pids, 3, SOON);
    host.kill().expect("it can be killed");
    host.wait().expect("its end");
    assert_gone(&tree, SOON);
}

fn host(pids: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let verbs =
            ["pids-to", pids, "then", "quiet-grandchild", "300", "then", "daemon", "300", "then", "ready"];
        let spawned = start(&[&verbs[..], &["then", "hang"]].concat());
        ready(spawned.stdout.as_ref().expect("a pipe")).await;
        std::thread::sleep(2 * SOON);
    });
}
