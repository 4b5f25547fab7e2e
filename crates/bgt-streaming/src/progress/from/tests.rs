use super::*;
use bgt_core::{Chunk, Sink, Source};
use bgt_log::{Bytes, Entry, From, Log};
use proptest::prelude::*;
use std::time::SystemTime;

/// A line as a log makes it.
fn line(bytes: impl Into<Bytes>) -> Line {
    let log = Log::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut line = runtime.block_on(async {
        let chunk = Chunk { source: Source::Stdout, at: SystemTime::now(), bytes: "x\n".into() };
        log.write(chunk).await.unwrap();
        match log.subscribe(From::Start).next().await {
            Some(Entry::Line(line)) => line,
            other => panic!("no line: {other:?}"),
        }
    });
    line.bytes = bytes.into();
    line
}

fn read(from: &ProgressFrom, text: &'static str) -> Option<String> {
    from.read(&line(text)).map(|progress| progress.to_string())
}

/// Lines as these programs write them.
#[test]
fn programs_are_understood() {
    let cases = [
        // tqdm
        (" 42%|████▏     | 42/100 [00:10<00:14,  4.10it/s]", Some("42 %")),
        ("Epoch 2:  42%|████▏     | 42/100 [00:10<00:14,  4.10it/s, loss=0.312, acc=93%]", Some("42 %")),
        (
            "\u{1b}[32m 42%\u{1b}[0m|\u{1b}[1m████▏     \u{1b}[0m| 420k/1.00M [00:10<00:14, 41.0kB/s]",
            Some("42 %"),
        ),
        ("42it [00:10,  4.10it/s]", None),
        ("43/120 [00:10<00:18,  4.10it/s]", Some("43/120")),
        // pip
        (
            "     ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 42.5/100.0 MB 10.2 MB/s eta 0:00:06",
            Some("42500000/100000000"),
        ),
        ("     |█████████████▌                  | 42.5 MB 10.2 MB/s eta 0:00:06", None),
        ("Collecting numpy==2.1.3", None),
        ("  Downloading numpy-2.1.3-cp313-cp313-manylinux_2_17_x86_64.whl.metadata (62 kB)", None),
        ("Requirement already satisfied: six>=1.5 in /usr/lib/python3/dist-packages (1.16.0)", None),
        // curl
        ("############################                                              42.3%", Some("42 %")),
        ("  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current", None),
        (" 42 1024M   42  430M    0     0  10.2M      0  0:01:40  0:00:42  0:00:58 10.1M", None),
        // rsync
        ("    430,123,456  42%   10.12MB/s    0:00:42 (xfr#12, to-chk=33/100)", Some("42 %")),
        ("sent 1,234 bytes  received 35 bytes  2,538.00 bytes/sec", None),
        ("total size is 1,048,576  speedup is 826.30", None),
        // wget
        ("file.bin            42%[=======>            ]  43.01M  10.2MB/s    eta 6s     ", Some("42 %")),
        ("  4300K .......... .......... .......... .......... ..........  42% 10.2M 6s", Some("42 %")),
        ("--2026-11-23 07:36:32--  https://example.org/3/10/file.bin", None),
        ("Length: 104857600 (100M) [application/octet-stream]", None),
        // ffmpeg, and what wraps it
        (
            "frame=  420 fps= 25 q=28.0 size=    1024KiB time=00:00:16.80 bitrate= 499.3kbits/s speed=1.00x",
            None,
        ),
        (
            "  Stream #0:0(und): Video: h264 (avc1 / 0x31637661), yuv420p, 1920x1080 [SAR 1:1 DAR 16:9], 25 fps",
            None,
        ),
        ("Encoding: task 1 of 1, 42.31 % (25.10 fps, avg 24.88 fps, ETA 00h01m10s)", Some("42 %")),
        // cargo
        ("    Building [=========>               ] 123/345: serde, syn", Some("123/345")),
        ("   Compiling serde v1.0.218 (/home/user/1/2/serde)", None),
        ("    Finished `dev` profile [unoptimized + debuginfo] target(s) in 3.21s", None),
        (
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            None,
        ),
        // pytest
        ("tests/test_progress.py::test_it[1/2-a] PASSED                            [ 42%]", Some("42 %")),
        ("tests/test_a.py ..........                                               [100%]", Some("100 %")),
        ("collected 42 items / 2 deselected / 40 selected", None),
        ("platform linux -- Python 3.13.0, pytest-8.3.3, pluggy-1.5.0", None),
        // keras
        ("Epoch 3/10", Some("3/10")),
        (
            "\u{1b}[1m 43/120\u{1b}[0m \u{1b}[32m━━━━━━━━\u{1b}[0m\u{1b}[37m━━━━━━━━━━━━\u{1b}[0m \u{1b}[1m5s\u{1b}[0m 12ms/step - accuracy: 0.9012 - loss: 0.3120",
            Some("43/120"),
        ),
        // pytorch, lightning
        ("Train Epoch: 1 [25600/60000 (43%)]\tLoss: 0.312045", Some("43 %")),
        ("Epoch [3/10], Step [43/120], Loss: 0.3120", Some("43/120")),
        (
            "Epoch 3:  42%|████▏     | 42/100 [00:10<00:14,  4.10it/s, v_num=0, train_loss=0.312]",
            Some("42 %"),
        ),
        // transformers
        ("{'loss': 0.6931, 'grad_norm': 1.25, 'learning_rate': 4.5e-05, 'epoch': 0.3}", None),
        ("Loading checkpoint shards:  67%|██████▋   | 2/3 [00:12<00:06,  6.22s/it]", Some("67 %")),
        // docker
        ("a2abf6c4d29d: Downloading [=====>              ]  12.5MB/50MB", Some("12500000/50000000")),
        ("a2abf6c4d29d: Pull complete", None),
        ("Step 3/10 : RUN apt-get update", Some("3/10")),
        ("#8 [builder 3/10] RUN cargo build", Some("3/10")),
        (
            r#"{"status":"Downloading","progressDetail":{"current":1250,"total":5000},"progress":"[=>  ]  1.25kB/5kB","id":"a2abf6c4d29d"}"#,
            Some("1250/5000"),
        ),
        // apt, dpkg
        ("Progress: [ 42%] [########################..................................]", Some("42 %")),
        ("Get:12 http://archive.ubuntu.com/ubuntu noble/main amd64 libfoo amd64 1.2.3-4 [123 kB]", None),
        ("(Reading database ... 45%", Some("45 %")),
        // git, ninja, cmake, ghc, terraform's neighbours
        ("Receiving objects:  42% (420/1000), 1.20 MiB | 300.00 KiB/s", Some("42 %")),
        ("[12/345] Building CXX object src/CMakeFiles/a.dir/1/2.cpp.o", Some("12/345")),
        ("[ 42%] Linking CXX executable a", Some("42 %")),
        ("[ 3 of 10] Compiling Main             ( Main.hs, Main.o )", Some("3/10")),
        // structured logs
        (r#"{"ts":"2026-11-23T07:36:32Z","level":"info","msg":"epoch 3/10"}"#, Some("3/10")),
        (r#"{"ts":"2026-11-23T07:36:32Z","cpu":"42%","path":"3/10"}"#, None),
        (r#"{"event":"step","percent":42.0,"message":"epoch 2"}"#, Some("42 % (epoch 2)")),
        ("11/23 07:36:32 INFO started", None),
        ("2026/11/23 07:36:32 [notice] 1/0: worker started", None),
        ("GET /api/v1/2 HTTP/1.1 200", None),
        ("", None),
    ];
    let auto = ProgressFrom::auto();
    for (text, expected) in cases {
        assert_eq!(read(&auto, text).as_deref(), expected, "{text}");
    }
}

#[test]
fn each_reader_reads_its_own() {
    let text = " 42%|████▏     | 43/100 [00:10<00:14]";
    assert_eq!(read(&ProgressFrom::percent(), text).as_deref(), Some("42 %"));
    assert_eq!(read(&ProgressFrom::ratio(), text).as_deref(), Some("43 %"));
    assert_eq!(read(&ProgressFrom::json(), text), None);
    assert_eq!(read(&ProgressFrom::json(), "\u{1b}[2m{\"percent\":42}\u{1b}[0m").as_deref(), Some("42 %"));
    let ours = ProgressFrom::with(|line| Some(Progress::count(line.seq)));
    assert_eq!(read(&ours.clone(), text).as_deref(), Some("1"));
    assert_eq!(format!("{ours:?}"), "ProgressFrom::with(..)");
}

#[test]
fn the_end_of_a_long_line_is_read() {
    let text = format!("10% {} 42%", "é".repeat(40_000));
    assert_eq!(ProgressFrom::auto().read(&line(text)), Some(Progress::percent(42.0)));
    let text = format!("10% {}", "é".repeat(40_000));
    assert_eq!(ProgressFrom::auto().read(&line(text)), None);
}

#[test]
fn it_can_be_shared_between_threads() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<ProgressFrom>();
}

proptest! {
    #[test]
    fn any_bytes_are_taken(
        bytes: Vec<u8>,
        text in r#"([0-9]{1,3}|%|/| of |\.|,| |MB|\{|\}|"|:|\x1b\[1m|é|=|-|.){0,30}"#,
    ) {
        let sample = line(bytes);
        let mut other = sample.clone();
        other.bytes = text.into();
        for from in [ProgressFrom::auto(), ProgressFrom::percent(), ProgressFrom::ratio(), ProgressFrom::json()] {
            for line in [&sample, &other] {
                if let Some(progress) = from.read(line) {
                    prop_assert!(progress.position.is_finite() && progress.position >= 0.0);
                    prop_assert!(progress.total.is_none_or(|total| total >= progress.position && total > 0.0));
                }
            }
        }
    }
}
