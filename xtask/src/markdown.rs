//! Reading Markdown without a parser: links, anchors, tables. Knows no file.

use std::collections::BTreeMap;

/// One link and the line that it stands on, counted from 1.
#[derive(Debug, PartialEq)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

/// One row of a table, without the header; `last` is its last cell, `heading` what the header says above it.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) line: usize,
    pub(crate) heading: String,
    pub(crate) last: String,
}

/// Every link, image and reference outside of code.
pub(crate) fn links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (line, prose) in prose(text) {
        let prose = without_code_spans(prose);
        let inline = prose.match_indices("](").map(|(at, open)| inline_target(&prose[at + open.len()..]));
        let quoted = ["src=\"", "href=\""].into_iter().flat_map(|open| {
            prose.match_indices(open).map(|(at, open)| until(&prose[at + open.len()..], '"'))
        });
        let reference = prose.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]:"));
        let reference =
            reference.filter(|(label, _)| !label.contains(']')).map(|(_, target)| inline_target(target));
        let targets = inline.chain(quoted).chain(reference).filter(|target| !target.is_empty());
        links.extend(targets.map(|target| Link { line, target: target.to_owned() }));
    }
    links
}

/// What `#…` may name in this document: its headings as GitHub spells them, and explicit names.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut anchors = Vec::new();
    let mut seen = BTreeMap::new();
    for (_, prose) in prose(text) {
        for open in ["id=\"", "name=\""] {
            anchors.extend(
                prose.match_indices(open).map(|(at, open)| until(&prose[at + open.len()..], '"').to_owned()),
            );
        }
        let level = prose.bytes().take_while(|byte| *byte == b'#').count();
        if let (1..=6, Some(title)) = (level, prose[level..].strip_prefix(' ')) {
            let slug = slug(title);
            let count: &mut usize = seen.entry(slug.clone()).or_default();
            anchors.push(if *count == 0 { slug } else { format!("{slug}-{count}") });
            *count += 1;
        }
    }
    anchors
}

/// The rows of every table.
pub(crate) fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut heading = None;
    let lines: Vec<_> = prose(text).collect();
    for (index, (line, prose)) in lines.iter().enumerate() {
        let Some(last) = last_cell(prose) else {
            heading = None;
            continue;
        };
        match &heading {
            _ if is_delimiter(prose) => {}
            None if lines.get(index + 1).is_some_and(|(_, next)| is_delimiter(next)) => heading = Some(last),
            None => {}
            Some(heading) => rows.push(Row { line: *line, heading: heading.clone(), last }),
        }
    }
    rows
}

/// What stands between single backticks.
pub(crate) fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The lines outside of fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, None) => return Some((index + 1, line)),
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), _) if mark == Some(open) => fence = None,
            (Some(_), _) => {}
        }
        None
    })
}

fn without_code_spans(line: &str) -> String {
    let parts: Vec<_> = line.split('`').collect();
    let closed = parts.len() - usize::from(parts.len() % 2 == 0);
    let text = |(index, part): (usize, &&str)| {
        let is_code = index % 2 == 1 && index < closed;
        if is_code { " ".repeat(part.len()) } else { (*part).to_owned() }
    };
    parts.iter().enumerate().map(text).collect::<Vec<_>>().join(" ")
}

/// `path "title")…` → `path`; parentheses inside a path must match.
fn inline_target(rest: &str) -> &str {
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix('<') {
        return until(rest, '>');
    }
    let mut depth = 0_usize;
    let end = rest.find(|c: char| match c {
        '(' => {
            depth += 1;
            false
        }
        ')' if depth == 0 => true,
        ')' => {
            depth -= 1;
            false
        }
        c => c.is_whitespace(),
    });
    &rest[..end.unwrap_or(rest.len())]
}

fn until(rest: &str, end: char) -> &str {
    rest.split(end).next().unwrap_or_default()
}

fn slug(title: &str) -> String {
    // A link in a heading counts with its text alone.
    let mut text = String::new();
    let mut rest = title.trim();
    while let Some((before, after)) = rest.split_once("](") {
        text += before;
        rest = &after[inline_target(after).len()..];
    }
    text += rest;
    text.to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn last_cell(line: &str) -> Option<String> {
    let inside = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    // `\|` is text, not a border.
    let masked = inside.replace("\\|", "\0");
    masked.rsplit('|').next().map(|cell| cell.replace('\0', "|").trim().to_owned())
}

fn is_delimiter(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('|') && line.contains('-') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<String> {
        links(text).into_iter().map(|link| link.target).collect()
    }

    #[test]
    fn links_are_found_outside_of_code_only() {
        let text = "[a](one.md) ![b](two.svg \"t\")\n```\n[c](no)\n```\n`[d](no)` [`e`](three.md#x)\n[f]: four.md\n\
                    <img src=\"five.svg\"> [g](<six seven.md>) [h](eight_(9).md)\n";
        assert_eq!(
            targets(text),
            ["one.md", "two.svg", "three.md#x", "four.md", "six seven.md", "eight_(9).md", "five.svg"]
        );
        assert_eq!(links(text)[2].line, 5);
    }

    #[test]
    fn an_open_backtick_hides_no_link() {
        assert_eq!(targets("it`s [a](one.md)"), ["one.md"]);
    }

    #[test]
    fn anchors_are_spelled_as_github_spells_them() {
        let text = "# One `two`: three!\n## Same\n## Same\n```\n# not this\n```\n### [Link](x.md) end\n<a id=\"own\"></a>\n#none";
        assert_eq!(anchors(text), ["one-two-three", "same", "same-1", "link-end", "own"]);
    }

    #[test]
    fn rows_know_their_last_cell_and_its_heading() {
        let text = "| a | test |\n| --- | :---: |\n| 1 | `x` |\n| 2 | b \\| c |\n\nno | row\n| not | one |\n";
        let rows = rows(text);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0], Row { line: 3, heading: "test".to_owned(), last: "`x`".to_owned() });
        assert_eq!(rows[1].last, "b | c");
    }

    #[test]
    fn code_spans_are_what_backticks_enclose() {
        assert_eq!(code_spans("`a` and `b`").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(code_spans("none").count(), 0);
    }
}
