//! The page on how to choose, made of the explanations.

use std::fmt::Write as _;

use bgt_core::Pattern;

use super::{Explanation, explain};

/// The order of the page: from what most people need to what fewer do.
const ORDER: [Pattern; 6] = [
    Pattern::Simple,
    Pattern::Streaming,
    Pattern::Concurrent,
    Pattern::Detached,
    Pattern::Periodic,
    Pattern::Pooled,
];

/// All patterns side by side, as a page of Markdown: the selection as a chart, one table, and an example of each. The
/// repository's `docs/choosing.md` is this text.
#[must_use]
pub fn comparison() -> String {
    let mut page = INTRODUCTION.to_owned();
    page += "\n| | when | gives | does not give | crate, feature | selected by |\n";
    page += "| --- | --- | --- | --- | --- | --- |\n";
    for pattern in ORDER {
        let Explanation { name, when, benefits, limitations, package, selected_by, .. } = explain(pattern);
        let (benefits, limitations) = (benefits.join("; "), limitations.join("; "));
        let _ = writeln!(
            page,
            "| [**{name}**](#{name}) | {when} | {benefits} | {limitations} | `{package}`, `{name}` | {selected_by} |"
        );
    }
    for pattern in ORDER {
        let Explanation { name, what, example, .. } = explain(pattern);
        let (title, what) = (capitalized(name), capitalized(what));
        let _ = write!(page, "\n## {title}\n\n{what}\n\n```rust\n{example}```\n");
    }
    page
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

const INTRODUCTION: &str = r#"<!-- Made from `bgt_orchestrator::explain` by `cargo xtask doc`: change the words there. -->
# Which pattern

Six ways to run a task. `Orchestrator::execute` selects one from what a request asks for, `Advisor::recommend` from what is known
of the work, and both say why. They ask in the same order:

```mermaid
flowchart TD
    work([a job to run in the background]) --> recurring{again and again, at times?}
    recurring -- yes --> periodic[periodic]
    recurring -- no --> watched{watched while it runs, or longer than a minute?}
    watched -- yes --> streaming[streaming]
    watched -- no --> many{more than one task?}
    many -- yes --> concurrent[concurrent]
    many -- no --> waits{does anybody wait for the result?}
    waits -- no --> detached[detached]
    waits -- yes --> often{more than ten times a minute?}
    often -- yes --> pooled[pooled]
    often -- no --> simple[simple]
```

What a request asks for beside that holds as well where the pattern has it, is told to be set aside where it makes no difference, and
is refused before anything runs where it contradicts the pattern. So are many tasks that are to be scheduled, or streamed as one: let
a function that is scheduled or streamed run the batch.

Patterns combine: a schedule fires a batch whose tasks call warm workers, and a function that was detached streams what it runs. All
of them share one list of runs, one stream of events, one set of limits and one shutdown.
"#;
