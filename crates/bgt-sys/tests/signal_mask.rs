//! A host that blocks signals, to wait for them.
#![cfg(target_os = "linux")]

mod support;

#[tokio::test]
async fn what_the_host_blocks_reaches_its_children() {
    if std::env::var_os("BGT_BACKEND").is_some() {
        bgt_testkit::skip!(
            "what_the_host_blocks_reaches_its_children",
            "the standard library passes the mask on"
        );
        return;
    }
    // As hosts do that wait for the signal; only this thread's mask.
    // SAFETY: the set is made by the first call, and no old one is asked for.
    unsafe {
        let mut term = std::mem::MaybeUninit::uninit();
        libc::sigemptyset(term.as_mut_ptr());
        libc::sigaddset(term.as_mut_ptr(), libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, term.as_ptr(), std::ptr::null_mut());
    }
    // A program that leaves its mask as it found it.
    let mut command = std::process::Command::new("/bin/sleep");
    let mut spawned = bgt_sys::spawn(command.arg("600"), &bgt_sys::SpawnOptions::default()).unwrap();
    spawned.child.ask(bgt_sys::Signal::Terminate).unwrap();
    let outcome = support::end(&mut spawned.child).await.outcome;
    assert_eq!(outcome, bgt_sys::Outcome::Signal { number: libc::SIGTERM, core_dumped: false });
}
