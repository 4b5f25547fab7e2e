//! The words on each of the six.

use bgt_core::Pattern;

use super::Explanation;

pub(super) const SIMPLE: Explanation = Explanation {
    pattern: Pattern::Simple,
    name: Pattern::Simple.as_str(),
    what: "one task is run to its end, and everything comes back: exit, output, errors.",
    when: "somebody waits for the result, it takes less than a minute, and it runs now and then.",
    benefits: &[
        "the whole output, bounded in memory and never cut silently",
        "deadline, retries and cancellation; the whole process tree is gone at the end",
        "the least there is to learn, and the least overhead",
    ],
    limitations: &[
        "nothing is seen before the end: use streaming",
        "each program pays for its start: use pooled for many calls a minute",
        "a run ends with the process that waits for it: use detached",
    ],
    example: include_str!("examples/simple.rs"),
    package: "bgt-simple",
    selected_by: "nothing else that is asked for.",
};

pub(super) const STREAMING: Explanation = Explanation {
    pattern: Pattern::Streaming,
    name: Pattern::Streaming.as_str(),
    what: "a long task is watched while it runs: its lines, its progress, its end.",
    when: "it takes longer than a minute, or somebody looks at its output or its progress meanwhile.",
    benefits: &[
        "any number of watchers, from any line on, none of whom can slow the run",
        "progress with the time that is left, and a level for each line",
        "server-sent events that a browser resumes, and log files",
    ],
    limitations: &[
        "one task: many at once are a batch, use concurrent",
        "it ends with its process: use detached for what must survive a restart",
        "without log files only the latest lines are held",
    ],
    example: include_str!("examples/streaming.rs"),
    package: "bgt-streaming",
    selected_by: "`Request::streaming(true)`.",
};

pub(super) const CONCURRENT: Explanation = Explanation {
    pattern: Pattern::Concurrent,
    name: Pattern::Concurrent.as_str(),
    what: "many tasks are run at once, under limits, with one report.",
    when: "there is more than one task, and the machine must not be flooded by them.",
    benefits: &[
        "a million tasks in constant memory, from any iterator or stream",
        "named resources such as `gpu` or `mem`, shared by all that runs; gates on load and memory",
        "results as they come or in order, policies to halt, and a journal to go on from after a crash",
    ],
    limitations: &[
        "the output of each task is seen at its end: use streaming for one that is watched",
        "without a journal a batch that is cut off begins anew",
        "nothing measures what a task takes: the numbers of the limits are yours",
    ],
    example: include_str!("examples/concurrent.rs"),
    package: "bgt-concurrent",
    selected_by: "`Request::for_each`.",
};

pub(super) const DETACHED: Explanation = Explanation {
    pattern: Pattern::Detached,
    name: Pattern::Detached.as_str(),
    what: "a job is on disk when the call returns with its id, and is never lost.",
    when: "nobody waits for the result, or it must survive a crash, a deploy, a power cut.",
    benefits: &[
        "an id at once, and status, history, output and result at any time",
        "programs outlive their host and are found again, with their exact exit code",
        "queues, priorities, delays, unique keys, and retries that outlive the host",
    ],
    limitations: &[
        "each job costs a wait for the disk",
        "functions are called at least once and by name: a closure cannot be written down",
        "the limits of the orchestrator do not hold for it: queues have their own",
    ],
    example: include_str!("examples/detached.rs"),
    package: "bgt-detached",
    selected_by: "`Request::wait(false)`.",
};

pub(super) const PERIODIC: Explanation = Explanation {
    pattern: Pattern::Periodic,
    name: Pattern::Periodic.as_str(),
    what: "a task is run at times: every so often, by cron in a time zone, or once later.",
    when: "it is to run again and again without being asked.",
    benefits: &[
        "on time to a millisecond, also ten thousand schedules at one instant",
        "rules for what overlaps, what was missed and what a change of the clocks does",
        "a task that fails, panics or overruns never stops its schedule",
    ],
    limitations: &[
        "the machine is not woken from sleep",
        "in memory a restart forgets what was missed: give the scheduler a store",
        "it fires one task: let that run a batch if there are many",
    ],
    example: include_str!("examples/periodic.rs"),
    package: "bgt-periodic",
    selected_by: "`Request::schedule`.",
};

pub(super) const POOLED: Explanation = Explanation {
    pattern: Pattern::Pooled,
    name: Pattern::Pooled.as_str(),
    what: "work is done on what is kept warm: worker processes, connections, models.",
    when: "it is called more than ten times a minute, and to start is most of the work.",
    benefits: &[
        "a call of a warm Python takes a tenth of a millisecond instead of sixty",
        "a worker that crashed, hung or answered out of turn never serves again",
        "admission is bounded: a full queue answers at once, with its depth",
    ],
    limitations: &[
        "workers take memory while nobody calls",
        "a program that answers no requests and is no Python script starts anew each time",
        "what a caller left half way is thrown away, and made anew",
    ],
    example: include_str!("examples/pooled.rs"),
    package: "bgt-pool",
    selected_by: "`Request::ask`, or `Request::pooled(true)`.",
};
