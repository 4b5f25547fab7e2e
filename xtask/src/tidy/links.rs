//! Relative links in the documents lead to files that exist, and to headings that exist in them.

use crate::finding::Finding;
use crate::markdown;
use crate::workspace::Files;

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let document =
        |path: &str| path.ends_with("README.md") || (path.starts_with("docs/") && path.ends_with(".md"));
    files.all().filter(|(path, _)| document(path)).flat_map(|(path, text)| file(files, path, text)).collect()
}

fn file(files: &Files, path: &str, text: &str) -> Vec<Finding> {
    let links = markdown::links(text).into_iter();
    links
        .filter_map(|link| broken(files, path, &link.target).map(|what| Finding::at(path, link.line, what)))
        .collect()
}

/// What is wrong with the link, if anything is.
fn broken(files: &Files, from: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = path.replace("%20", " ");
    let Some(file) = resolve(from, &path) else {
        return Some(format!(
            "`{target}` leads out of the repository; link to a file in it, or give a whole address"
        ));
    };
    if !files.exists(&file) {
        return Some(format!("`{target}` leads to no file; correct the link, or add {file}"));
    }
    let text = files.text(&file).filter(|_| file.ends_with(".md"))?;
    let known = anchor.is_empty() || markdown::anchors(text).iter().any(|name| name == anchor);
    (!known).then(|| format!("`#{anchor}` is no heading of {file}; correct the link"))
}

/// The path from the repository's root; `None` if it leads above it.
fn resolve(from: &str, path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<_> = match path.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from.split('/').collect(),
    };
    // The file itself is not a folder.
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(link: &str) -> Vec<String> {
        let document = format!("# Here\n\n[x]({link})\n");
        let files = Files::of(&[
            ("docs/guide.md", &document),
            ("docs/other.md", "# Some heading\n"),
            ("crates/a/src/lib.rs", ""),
            ("README.md", ""),
        ]);
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        for link in [
            "other.md",
            "./other.md#some-heading",
            "#here",
            "../README.md",
            "/docs/other.md",
            "../crates/a",
            "../crates/a/src/lib.rs#L1",
            "..",
            "https://example.org/x#y",
            "mailto:a@example.org",
        ] {
            assert_eq!(findings(link), Vec::<String>::new(), "{link}");
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_found_with_their_line() {
        for link in ["none.md", "other.md#none", "#none", "../../README.md", "guide", "docs/other.md"] {
            let found = findings(link);
            assert_eq!(found.len(), 1, "{link}");
            assert!(found[0].starts_with("docs/guide.md:3: "), "{found:?}");
        }
    }
}
