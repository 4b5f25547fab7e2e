//! Why a goal is missed, where it was looked into: what a measurement says of what limits it, beside the figure.

use super::record::Record;

/// Suite, name, rival, and what limits it. An empty name or rival is any of the suite.
const LIMITS: &[(&str, &str, &str, &str)] = &[
    (
        "combos",
        "",
        "by-hand",
        "the payloads do nothing, so all of this is machinery: 0.2 to 0.9 µs a piece by hand, 2 to 3 µs with ids, a list, events, \
         deadlines, contained panics and reports. `perf` shows no single place: the clock 9 %, the list 5 %, leases 5 %",
    ),
    (
        "combos",
        "",
        "by-hand-equal",
        "with ids, a list, a common switch and kept results on both sides, what is left are deadlines, retries, events and spans",
    ),
    (
        "concurrent",
        "",
        "xargs",
        "90 % of the processor time is in the programs themselves. A bare loop of `posix_spawn` and `waitpid` from two threads, \
         without pipes and without a look at anything, starts 1.25 times what `xargs -P2` does: the goal is more than the machine starts",
    ),
    (
        "overhead",
        "added_ns_detached",
        "",
        "the run is listed, watched to its end by a task of its own, and told to those who listen: of 15 µs a run that is 6 to 9 %",
    ),
    (
        "periodic",
        "lateness_10k",
        "",
        "a firing costs 2.4 µs of processor time, ten thousand at one instant 12 ms of two processors; an interval of tokio that does \
         nothing else costs a quarter of that. By `perf`, half of it is memory that is not in the cache: history 12 %, plan and counts of \
         each schedule 10 %, new tasks 6 %, options of the run 6 %",
    ),
    (
        "pool",
        "warm_call",
        "pipe",
        "the system calls are the same, two reads and two writes a call; what is left are readings of the clock, allocations and the \
         moving of large futures",
    ),
    (
        "pool",
        "python_script",
        "",
        "of 4 ms a run 3.0 are in the child: fork 1.2 (page tables, and a copy of each page that is touched), the end 0.4, environment \
         0.4, streams 0.2, the look for modules beside the script 0.2",
    ),
    (
        "pool",
        "python_script_2_in_flight",
        "",
        "both processors are busy in the children: see `python_script`",
    ),
    (
        "pool",
        "acquire",
        "deadpool",
        "it is deadpool's own `get`, and around it a bounded queue, the age of the resource, and whatever its manager may do when it \
         panics; the last alone is 3 %",
    ),
    (
        "spawn",
        "",
        "tokio",
        "a run takes some 40 µs longer, of 710. By `perf`, half of that is in the kernel (a group of its own, a look before reaping, a \
         signal to the group), and half in the host: a third of it for the environment, which is copied for the one variable by which \
         strays are found, the rest for the checks before the start and the moving of futures",
    ),
    ("spawn", "", "process-wrap", "as against `tokio`, whose start it uses"),
    (
        "streaming",
        "lines",
        "lines",
        "on two processors the program that prints is what all sides wait for: `raw`, which does nothing with what it reads, \
         comes to no more lines a second",
    ),
];

/// What is known of it.
pub(super) fn of(record: &Record) -> Option<&'static str> {
    let against = record.against.as_deref().unwrap_or_default();
    let fits = |(suite, name, rival, _): &&(&str, &str, &str, &str)| {
        *suite == record.suite
            && (name.is_empty() || *name == record.name)
            && (rival.is_empty() || *rival == against)
    };
    LIMITS.iter().find(fits).map(|(.., why)| *why)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::relative;
    use super::*;

    #[test]
    fn a_reason_is_found_by_suite_name_and_rival() {
        let case = |suite: &str, name: &str, rival: &str| {
            let record = relative(name, 0.5, 0.4, 0.6);
            of(&Record { suite: suite.to_owned(), against: Some(rival.to_owned()), ..record })
        };
        assert!(case("combos", "api", "by-hand").unwrap().contains("machinery"));
        assert!(case("combos", "api", "by-hand-equal").unwrap().contains("both sides"));
        assert_eq!(case("pool", "warm_call", "process-pool-executor"), None);
        assert_eq!(case("nothing", "c1", "tokio"), None);
    }
}
