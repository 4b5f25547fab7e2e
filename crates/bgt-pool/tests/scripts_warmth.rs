//! What is kept warm: by which way, with how many, and with nothing in it of a run that is over.
#![cfg(feature = "process")]

mod support;

use std::path::{Path, PathBuf};

use bgt_pool::{Command, Isolation, PoolError, ScriptError, ScriptPool, ScriptPoolBuilder};
use bgt_testkit::Scratch;
use support::{HANG, soon};

const WARM: [Isolation; 2] = [Isolation::Zygote, Isolation::Prestarted];

/// The warm ways of this system; none, and a word why, without Python.
fn ways(test: &str) -> Vec<Isolation> {
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!(test, "there is no Python here");
        return Vec::new();
    }
    WARM.into_iter().filter(|way| *way != Isolation::Zygote || cfg!(target_os = "linux")).collect()
}

fn write(scratch: &Scratch, name: &str, source: &str) -> PathBuf {
    let path = scratch.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, source).unwrap();
    path
}

/// A pool that finds its modules in the folder `lib`, and never runs a script cold.
fn pool(scratch: &Scratch, script: &Path, way: Isolation) -> ScriptPoolBuilder {
    let lib = scratch.path("lib");
    let command = |command: Command| command.env("PYTHONPATH", lib).env("PYTHONDONTWRITEBYTECODE", "1");
    ScriptPool::builder(script).isolation(way).size(2).spare(3).refuse_cold().command(command)
}

async fn text(pool: &ScriptPool, command: Command) -> String {
    let output = soon(pool.run_command(command).into_future()).await;
    output.unwrap_or_else(|error| panic!("{error:#}\n{:?}", error.tail())).stdout_text().trim_end().to_owned()
}

fn plain(scratch: &Scratch, script: &Path) -> Command {
    Command::script(script).env("PYTHONPATH", scratch.path("lib")).env("PYTHONDONTWRITEBYTECODE", "1")
}

#[tokio::test]
async fn a_module_that_starts_threads_is_served_prestarted_and_nobody_tries_to_fork_it_again() {
    let name = "a_module_that_starts_threads_is_served_prestarted_and_nobody_tries_to_fork_it_again";
    if !ways(name).contains(&Isolation::Zygote) {
        return;
    }
    let scratch = Scratch::new();
    let source =
        "import threading, time\nthreading.Thread(target=time.sleep, args=[600], daemon=True).start()\n";
    write(&scratch, "lib/busy.py", source);
    let script = write(&scratch, "a.py", "import busy, threading\nprint(threading.active_count())\n");
    let pool = pool(&scratch, &script, Isolation::Zygote).preload(["busy"]).build().unwrap();
    soon(pool.warm()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(text(&pool, plain(&scratch, &script)).await, "2");
        let warmth = pool.warmth();
        assert_eq!(warmth.isolation, Isolation::Prestarted);
        assert!(warmth.why.unwrap().contains("threads"));
    }
    assert_eq!((pool.metrics().cold, pool.metrics().not_warmed), (0, 1));
    pool.drain(HANG).await;
}

#[tokio::test]
async fn a_run_sees_nothing_of_the_environment_of_another() {
    let scratch = Scratch::new();
    write(&scratch, "lib/copies.py", "import os\nCOPY = dict(os.environ)\n");
    let source = "import copies, os\nseen = [*copies.COPY.values(), os.environ.get('SECRET', '-')]\n\
                  if os.path.exists('/proc/self/environ'):\n    seen.append(open('/proc/self/environ').read())\n\
                  print(repr(seen))\n";
    let script = write(&scratch, "a.py", source);
    for way in ways("a_run_sees_nothing_of_the_environment_of_another") {
        let pool = pool(&scratch, &script, way).preload(["copies"]).build().unwrap();
        let first =
            text(&pool, plain(&scratch, &script).env_secret("SECRET", bgt_pool::Secret::literal("alice's")))
                .await;
        // Hidden or not, it is the run's own.
        assert!(!first.is_empty());
        let second = text(&pool, plain(&scratch, &script)).await;
        let third = text(&pool, plain(&scratch, &script).env("SECRET", "bob's")).await;
        assert!(!second.contains("alice") && second.contains("'-'"), "{way}: {second}");
        assert!(!third.contains("alice") && third.contains("bob's"), "{way}: {third}");
        #[cfg(target_os = "linux")]
        for zygote in pool.zygotes() {
            let environment = std::fs::read(format!("/proc/{zygote}/environ")).unwrap();
            assert!(!String::from_utf8_lossy(&environment).contains("alice"));
        }
        assert_eq!(pool.warmth().isolation, way);
        pool.drain(HANG).await;
    }
}

#[tokio::test]
async fn what_a_module_depends_on_it_sees_and_does_not_share() {
    let scratch = Scratch::new();
    write(&scratch, "lib/model.py", "import os\nMODEL = os.environ['MODEL']\n");
    let script = write(&scratch, "a.py", "import model\nprint(model.MODEL)\n");
    for way in ways("what_a_module_depends_on_it_sees_and_does_not_share") {
        let pool = pool(&scratch, &script, way).preload(["model"]).depends_on(["MODEL"]).build().unwrap();
        for model in ["small", "large", "small"] {
            assert_eq!(text(&pool, plain(&scratch, &script).env("MODEL", model)).await, model, "{way}");
        }
        pool.drain(HANG).await;
    }
}

#[tokio::test]
async fn only_a_module_beside_the_script_comes_before_one_that_was_preloaded() {
    let scratch = Scratch::new();
    write(
        &scratch,
        "lib/part.py",
        "NAME = 'preloaded'\nimport sys\nsys.counted = getattr(sys, 'counted', 0) + 1\n",
    );
    let source = "import part, sys\nprint(part.NAME, sys.counted if hasattr(sys, 'counted') else 0)\n";
    for way in ways("only_a_module_beside_the_script_comes_before_one_that_was_preloaded") {
        let script = write(&scratch, &format!("{way}/a.py"), source);
        let pool = pool(&scratch, &script, way).preload(["part"]).build().unwrap();
        write(&scratch, &format!("{way}/part.csv"), "1,2\n");
        write(&scratch, &format!("{way}/json.conf"), "");
        assert_eq!(text(&pool, plain(&scratch, &script)).await, "preloaded 1", "{way}: a file");
        write(&scratch, &format!("{way}/part/data.csv"), "1,2\n");
        assert_eq!(text(&pool, plain(&scratch, &script)).await, "preloaded 1", "{way}: a folder");
        write(&scratch, &format!("{way}/part.py"), "NAME = 'beside'\n");
        assert!(text(&pool, plain(&scratch, &script)).await.starts_with("beside"), "{way}: a module");
        assert_eq!(pool.warmth().isolation, way);
        pool.drain(HANG).await;
    }
}

#[tokio::test]
async fn warming_that_failed_or_was_dropped_keeps_no_place_of_an_interpreter() {
    if ways("warming_that_failed_or_was_dropped_keeps_no_place_of_an_interpreter").is_empty() {
        return;
    }
    let scratch = Scratch::new();
    let script = write(&scratch, "a.py", "import late\n");
    let pool = pool(&scratch, &script, Isolation::Prestarted).preload(["late"]).build().unwrap();
    let error = soon(pool.warm()).await.unwrap_err();
    assert!(matches!(error.find(), Some(ScriptError::NotWarm { .. })), "{error:?}");
    write(&scratch, "lib/late.py", "");
    soon(pool.warm()).await.unwrap();
    assert_eq!(pool.spares(), 3);

    let again = self::pool(&scratch, &script, Isolation::Prestarted).build().unwrap();
    for _ in 0..10 {
        let mut warm = std::pin::pin!(again.warm());
        let once = std::future::poll_fn(|cx| std::task::Poll::Ready(warm.as_mut().poll(cx).is_ready()));
        let _ = once.await;
        tokio::task::yield_now().await;
    }
    soon(again.warm()).await.unwrap();
    assert_eq!(again.spares(), 3);
    pool.drain(HANG).await;
    again.drain(HANG).await;
}

#[tokio::test]
async fn whoever_warms_waits_for_what_another_makes() {
    if ways("whoever_warms_waits_for_what_another_makes").is_empty() {
        return;
    }
    let scratch = Scratch::new();
    let script = write(&scratch, "a.py", "");
    let pool = pool(&scratch, &script, Isolation::Prestarted).build().unwrap();
    let warm = || async {
        pool.warm().await.unwrap();
        pool.spares()
    };
    assert_eq!(soon(async { tokio::join!(warm(), warm()) }).await, (3, 3));
    assert_eq!(pool.metrics().warmed, 3);
    pool.drain(HANG).await;
}

#[tokio::test]
async fn a_drained_pool_warms_no_more() {
    let scratch = Scratch::new();
    let script = write(&scratch, "a.py", "");
    for way in ways("a_drained_pool_warms_no_more") {
        let pool = pool(&scratch, &script, way).build().unwrap();
        soon(pool.warm()).await.unwrap();
        soon(pool.drain(HANG)).await;
        let error = soon(pool.warm()).await.unwrap_err();
        assert!(matches!(error.find(), Some(PoolError::Closed { .. })), "{error:?}");
        assert_eq!((pool.zygotes().len(), pool.spares()), (0, 0));
    }
}

#[tokio::test]
async fn nobody_waits_for_what_is_tried_again() {
    let scratch = Scratch::new();
    for way in ways("nobody_waits_for_what_is_tried_again") {
        let (ledger, flag) = (scratch.path(format!("{way}.log")), scratch.path(format!("{way}.hang")));
        // The first time it fails, each other time it hangs.
        let source = format!(
            "import os, time\nopen({:?}, 'a').write('x')\nif os.path.exists({:?}):\n    time.sleep(600)\n\
             raise ValueError('not now')\n",
            ledger.display().to_string(),
            flag.display().to_string()
        );
        write(&scratch, "lib/hard.py", &source);
        let script = write(&scratch, "a.py", "print('ran')\n");
        let lib = scratch.path("lib");
        let pool = ScriptPool::builder(&script).isolation(way).size(2).spare(1).preload(["hard"]);
        let pool = pool.command(|c| c.env("PYTHONPATH", lib).env("PYTHONDONTWRITEBYTECODE", "1"));
        let pool = pool.warm_deadline(std::time::Duration::from_secs(600)).build().unwrap();
        assert_eq!(text(&pool, plain(&scratch, &script)).await, "ran");
        let tried = || std::fs::read(&ledger).unwrap().len();
        let before = tried();
        std::fs::write(&flag, "").unwrap();
        while tried() == before {
            assert_eq!(text(&pool, plain(&scratch, &script)).await, "ran");
        }
        // One hangs now, and it is nobody's affair.
        assert_eq!(text(&pool, plain(&scratch, &script)).await, "ran");
        let warmth = pool.warmth();
        assert_eq!(warmth.isolation, Isolation::Cold);
        assert!(warmth.why.unwrap().contains("not now"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_module_that_fails_is_quoted_even_where_what_it_started_goes_on() {
    let scratch = Scratch::new();
    let source = "import subprocess\nsubprocess.Popen(['sleep', '600'])\nraise ValueError('because')\n";
    write(&scratch, "lib/starts.py", source);
    let script = write(&scratch, "a.py", "");
    for way in ways("a_module_that_fails_is_quoted_even_where_what_it_started_goes_on") {
        let pool = pool(&scratch, &script, way).preload(["starts"]);
        let pool = pool.warm_deadline(std::time::Duration::from_secs(600)).build().unwrap();
        let error = soon(pool.warm()).await.unwrap_err();
        assert!(format!("{error:#}").contains("because"), "{way}: {error:#}");
    }
}

#[tokio::test]
async fn thousands_of_modules_are_watched() {
    let scratch = Scratch::new();
    let folder = format!("lib/many/{}", "a_long_name_of_a_package/".repeat(6));
    for n in 0..1500 {
        write(&scratch, &format!("{folder}module_{n}.py"), "V = 1\n");
    }
    let place = scratch.path(&folder);
    let source = format!(
        "import sys\nsys.path.append({:?})\nfor n in range(1500):\n    __import__('module_%d' % n)\n",
        place.display().to_string()
    );
    write(&scratch, "lib/many.py", &source);
    let script = write(&scratch, "a.py", "import sys\nprint(sys.modules['module_1499'].V)\n");
    for way in ways("thousands_of_modules_are_watched") {
        write(&scratch, &format!("{folder}module_1499.py"), "V = 1\n");
        let pool = pool(&scratch, &script, way).preload(["many"]).build().unwrap();
        assert_eq!(text(&pool, plain(&scratch, &script)).await, "1", "{way}");
        write(&scratch, &format!("{folder}module_1499.py"), "V = 22\n");
        assert_eq!(text(&pool, plain(&scratch, &script)).await, "22", "{way}");
        assert_eq!(pool.warmth().isolation, way);
        pool.drain(HANG).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn odd_names_and_old_files_are_as_good_as_any() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = Scratch::new();
    let odd = scratch.path("lib").join(std::ffi::OsStr::from_bytes(b"odd\xff"));
    std::fs::create_dir_all(&odd).unwrap();
    std::fs::write(odd.join("strange.py"), "V = 'odd'\n").unwrap();
    let before = std::time::UNIX_EPOCH - std::time::Duration::from_secs(1_000_000);
    let file = std::fs::File::options().write(true).open(odd.join("strange.py")).unwrap();
    file.set_modified(before).unwrap();
    let script = write(&scratch, "a.py", "import strange\nprint(strange.V)\n");
    for way in ways("odd_names_and_old_files_are_as_good_as_any") {
        let folder = odd.clone();
        let command = |c: Command| c.env("PYTHONPATH", folder).env("PYTHONDONTWRITEBYTECODE", "1");
        let pool = ScriptPool::builder(&script).isolation(way).size(1).spare(1).command(command);
        let pool = pool.preload(["strange"]).refuse_cold().build().unwrap();
        soon(pool.warm()).await.unwrap();
        let zygotes = pool.zygotes();
        for _ in 0..3 {
            let none: [&str; 0] = [];
            assert_eq!(soon(pool.run(none).into_future()).await.unwrap().stdout_text().trim_end(), "odd");
        }
        assert_eq!(pool.zygotes(), zygotes);
        if way == Isolation::Zygote {
            assert_eq!(pool.metrics().warmed, 1);
        }
        pool.drain(HANG).await;
    }
}

#[tokio::test]
async fn a_module_that_changes_while_the_imports_run_is_noticed() {
    let scratch = Scratch::new();
    let script = write(&scratch, "a.py", "import part\nprint(part.V)\n");
    // The second module is imported while the first changes, to something as long, and in one step: a script that runs at that
    // moment has the one or the other.
    for way in ways("a_module_that_changes_while_the_imports_run_is_noticed") {
        let part = write(&scratch, "lib/part.py", "V = 1\n");
        std::fs::File::options()
            .write(true)
            .open(&part)
            .unwrap()
            .set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60))
            .unwrap();
        let source = format!(
            "import os, sys, time\nif not os.path.exists({0:?} + '.done'):\n    open({0:?} + '.done', 'w').close()\n    \
             open({0:?} + '.new', 'w').write('V = 2\\n')\n    os.replace({0:?} + '.new', {0:?})\n    time.sleep(0.3)\n",
            part.display().to_string()
        );
        write(&scratch, "lib/slow.py", &source);
        let _ = std::fs::remove_file(scratch.path("lib/part.py.done"));
        let pool = pool(&scratch, &script, way).spare(1).preload(["part", "slow"]).build().unwrap();
        // At first perhaps the value that was imported before the change, in the end the one that there is.
        let end = std::time::Instant::now() + HANG;
        while text(&pool, plain(&scratch, &script)).await != "2" {
            assert!(std::time::Instant::now() < end, "{way}: it was never noticed");
        }
        pool.drain(HANG).await;
    }
}
