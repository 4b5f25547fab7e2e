//! Whatever a program is given reaches it as it is, and whatever it prints is kept as far as the limits go: compared with a
//! model, for arguments, variables, folders, stdin and limits that nobody would think of. `BGT_FUZZ_CASES` sets how many.

mod support;

use std::ffi::OsString;
use std::sync::LazyLock;

use bgt_process::{Capture, Command, CommandError, Error, Output, Stdin};
use bgt_testkit::{Scratch, to_hex};
use proptest::prelude::*;
use support::bad;

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));

fn run(command: Command) -> Output {
    let run = || RUNTIME.block_on(async { bgt_simple::run(command.clone()).await });
    // One start in thousands is an "Internal error" (1359) of Wine's own.
    let is_wines = |error: &Error| match error.find() {
        Some(CommandError::Spawn { source, .. }) => {
            bgt_testkit::under_wine() && source.raw_os_error() == Some(1359)
        }
        _ => false,
    };
    run().or_else(|error| if is_wines(&error) { run() } else { Err(error) }).expect("it ran and ended well")
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("BGT_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Words with everything in them that somebody on the way could take for something: any unit but zero, and what quoting
/// is made of.
fn word() -> impl Strategy<Value = OsString> {
    let special = r#"[ "'\\^&|<>%!$*?;=(){}\[\]~#\t\r\n-]{0,12}"#;
    let named =
        prop_oneof![Just("then"), Just(""), Just("--"), Just("%PATH%"), Just(r#"\\"\"#), Just("ü€😀")];
    prop_oneof![
        named.prop_map(OsString::from),
        special.prop_map(OsString::from),
        any::<String>().prop_map(|word| word.replace('\0', "0").into()),
        anything(),
    ]
}

#[cfg(unix)]
fn anything() -> impl Strategy<Value = OsString> {
    use std::os::unix::ffi::OsStringExt;
    proptest::collection::vec(1..=u8::MAX, 0..40).prop_map(OsString::from_vec)
}

#[cfg(windows)]
fn anything() -> impl Strategy<Value = OsString> {
    use std::os::windows::ffi::OsStringExt;
    proptest::collection::vec(1..=u16::MAX, 0..40).prop_map(|units| OsString::from_wide(&units))
}

/// What can be a variable's name: not ours, and on Windows none that differs from another by case alone.
fn name() -> impl Strategy<Value = OsString> {
    let plain = "[A-Z_][A-Z0-9_ ().-]{0,12}".prop_map(OsString::from);
    let any_name = word().prop_map(|word| {
        let word = word.to_string_lossy().replace('=', "-");
        OsString::from(if cfg!(windows) { "W".to_owned() } else { format!("N{word}") })
    });
    prop_oneof![plain, any_name].prop_filter("a system's own", |name| {
        let name = name.to_string_lossy();
        !["LD_", "DYLD_", "RUST", "SYSTEM", "WIN", "PATH", "TMP", "TEMP"]
            .iter()
            .any(|own| name.starts_with(own))
    })
}

/// A folder's name that the system takes.
fn folder() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9äß€'$%&;()\\[\\] ]{0,16}x"
}

fn line(word: impl AsRef<[u8]>) -> String {
    to_hex(word) + "\n"
}

/// The position of the first of these bytes.
fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|part| part == wanted).expect("a mark that was printed")
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_program_gets_exactly_what_the_command_says(
        args in proptest::collection::vec(word(), 0..8),
        variables in proptest::collection::btree_map(name(), word(), 0..6),
        folder in folder(),
        stdin in proptest::collection::vec(any::<u8>(), 0..300),
        times in 0..1000_usize,
    ) {
        let scratch = Scratch::new();
        let folder = scratch.path(&folder);
        std::fs::create_dir(&folder).unwrap();
        let stdin = stdin.repeat(times);
        let verbs = ["cwd", "then", "env-all", "then", "print", "@", "then", "read-stdin", "then", "echo-args"];
        let command = bad(&verbs).args(&args).env_clear().envs(&variables).current_dir(&folder);
        let output = run(command.stdin(stdin.clone()));

        prop_assert!(output.stdout.is_complete());
        let (said, rest) = output.stdout.as_bytes().split_at(find(output.stdout.as_bytes(), b"\n@\n") + 3);
        let said = String::from_utf8(said.to_vec()).unwrap();
        let mut lines = said.lines();
        prop_assert!(std::path::Path::new(lines.next().unwrap()).ends_with(folder.file_name().unwrap()), "{}", said);
        let seen: Vec<&str> = lines.filter(|line| *line != "@").collect();
        // An empty value is none on Windows.
        for (name, value) in variables.iter().filter(|(_, value)| !cfg!(windows) || !value.is_empty()) {
            let variable = format!("{}={}", to_hex(name.as_encoded_bytes()), to_hex(value.as_encoded_bytes()));
            prop_assert!(seen.contains(&&*variable), "{:?} {}", name, said);
        }
        // Nothing else, but for the mark of the tree and what Windows gives to everybody.
        if cfg!(unix) {
            let marks = usize::from(cfg!(target_os = "linux"));
            prop_assert_eq!(seen.len(), variables.len() + marks, "{}", said);
        }
        let (read, words) = rest.split_at(stdin.len());
        prop_assert_eq!(read, &stdin[..]);
        let expected: String = args.iter().map(|word| line(word.as_encoded_bytes())).collect();
        prop_assert_eq!(std::str::from_utf8(words).unwrap(), expected);
    }

    #[test]
    fn output_is_kept_as_far_as_the_limits_go_and_no_further(
        out in proptest::collection::vec(any::<u8>(), 0..300),
        err in proptest::collection::vec(any::<u8>(), 0..300),
        times in 1..400_usize,
        head in limit(), tail in limit(),
    ) {
        let out = out.repeat(times);
        let scratch = Scratch::new();
        std::fs::write(scratch.path("out"), &out).unwrap();
        let command = bad(&["read-stdin", "then", "ehex", &to_hex(&err)]);
        let command = command.stdin(Stdin::file(scratch.path("out")));
        let output = run(command.capture(Capture::new(head, tail)));
        for (kept, whole) in [(&output.stdout, &out), (&output.stderr, &err)] {
            let expected = if whole.len() <= head.saturating_add(tail) {
                (&whole[..], &[][..])
            } else {
                (&whole[..head], &whole[whole.len() - tail..])
            };
            prop_assert_eq!(kept.head_and_tail(), expected);
            prop_assert_eq!(kept.total(), whole.len() as u64);
        }
        prop_assert!(!output.leaked);
    }
}

/// None at all, a few bytes, about as much as there is, and everything.
fn limit() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 0..5_usize, 0..100_000_usize, Just(usize::MAX)]
}
