//! Evidence files: front matter and one fence with a diff.
//!
//! Here: their text, to and fro. Not here: what the front matter means
//! (`model::evidence`), what the diff says (`git_diff`), where the files are
//! (`services::evidence`). Invariant: what [`render`] writes, [`parse`] reads
//! back, whatever the diff and the names in it hold; and between the fence lines
//! stands the diff, byte for byte, so that it can be cut out and applied.
//!
//! ````text
//!   ---
//!   appr_id: A001
//!   …
//!   sha256: <of the diff>
//!   ---
//!
//!   # A001: deploy the parser
//!
//!   ```diff
//!   diff --git a/x b/x
//!   …
//!   ```
//! ````

use crate::model::evidence::{Front, ListedFile};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// An evidence file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence<'a> {
    /// What it says of the change.
    pub front: Front,
    /// The bytes between the fence lines, with the final newline.
    pub diff: &'a str,
}

/// Reads an evidence file.
///
/// # Errors
/// Why it is none of ours. Ledgers of old name files that people wrote by hand.
pub fn parse(text: &str) -> Result<Evidence<'_>, String> {
    let (yaml, body) = front_matter(text)?;
    let front: FrontText = serde_yaml::from_str(yaml)
        .map_err(|error| format!("its front matter cannot be read: {error}"))?;
    Ok(Evidence { front: front.into(), diff: fenced(body)? })
}

/// Writes an evidence file. The front matter has the diff's hash by now: see
/// [`diff_sha256`]. A diff without a final newline gets one.
pub fn render(front: &Front, title: &str, diff: &str) -> String {
    let yaml = serde_yaml::to_string(&FrontText::from(front));
    let yaml = yaml.unwrap_or_else(|error| unreachable!("strings and numbers are YAML: {error}"));
    let title: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let fence = "`".repeat((longest_run(diff) + 1).max(3));
    let mut out = String::with_capacity(yaml.len() + diff.len() + 64);
    let end = if diff.is_empty() || diff.ends_with('\n') { "" } else { "\n" };
    let _ = write!(out, "---\n{yaml}---\n\n# {}\n\n{fence}diff\n", title.trim());
    let _ = writeln!(out, "{diff}{end}{fence}");
    out
}

/// The hash of a diff, as the front matter has it.
pub fn diff_sha256(diff: &str) -> String {
    Sha256::digest(diff.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The text between two lines of `---`, and what follows.
fn front_matter(text: &str) -> Result<(&str, &str), String> {
    let none = || "it has no front matter".to_owned();
    let rest = text.strip_prefix("---").ok_or_else(none)?;
    let rest = rest.strip_prefix('\r').unwrap_or(rest).strip_prefix('\n').ok_or_else(none)?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if bare(line) == "---" {
            return Ok((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    Err("its front matter has no end".to_owned())
}

/// What stands in the one fence of a text.
fn fenced(text: &str) -> Result<&str, String> {
    let mut at = 0;
    // The open fence: how many backticks, and where its content begins.
    let mut open: Option<(usize, usize)> = None;
    let mut found = None;
    for line in text.split_inclusive('\n') {
        let ticks = line.len() - line.trim_start_matches('`').len();
        let info = bare(&line[ticks..]).trim();
        match open {
            None if ticks >= 3 && found.is_some() => {
                return Err("it has more than one fence".to_owned());
            }
            None if ticks >= 3 && info == "diff" => open = Some((ticks, at + line.len())),
            None if ticks >= 3 => return Err("it has a fence that is no `diff`".to_owned()),
            Some((least, start)) if ticks >= least && info.is_empty() => {
                found = Some(&text[start..at]);
                open = None;
            }
            _ => {}
        }
        at += line.len();
    }
    match (open, found) {
        (Some(_), _) => Err("its fence has no end".to_owned()),
        (None, None) => Err("it has no `diff` fence".to_owned()),
        (None, Some(diff)) => Ok(diff),
    }
}

/// A line without its end.
fn bare(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

fn longest_run(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for byte in text.bytes() {
        run = if byte == b'`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// The front matter as YAML has it.
#[derive(Serialize, Deserialize)]
struct FrontText {
    appr_id: String,
    task_id: String,
    op: String,
    requested_by: String,
    ts_req: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worktree: Option<String>,
    files: Vec<FileText>,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct FileText {
    path: String,
    added: u64,
    removed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
}

impl From<&Front> for FrontText {
    fn from(front: &Front) -> Self {
        let files = front.files.iter().cloned().map(|file| FileText {
            path: file.path,
            added: file.added,
            removed: file.removed,
            sha256: file.sha256,
            deleted: file.deleted,
        });
        Self {
            appr_id: front.appr_id.clone(),
            task_id: front.task_id.clone(),
            op: front.op.clone(),
            requested_by: front.requested_by.clone(),
            ts_req: front.ts_req.clone(),
            base: front.base.clone(),
            worktree: front.worktree.clone(),
            files: files.collect(),
            sha256: front.sha256.clone(),
        }
    }
}

impl From<FrontText> for Front {
    fn from(text: FrontText) -> Self {
        let files = text.files.into_iter().map(|file| ListedFile {
            path: file.path,
            added: file.added,
            removed: file.removed,
            sha256: file.sha256,
            deleted: file.deleted,
        });
        Self {
            appr_id: text.appr_id,
            task_id: text.task_id,
            op: text.op,
            requested_by: text.requested_by,
            ts_req: text.ts_req,
            base: text.base,
            worktree: text.worktree,
            files: files.collect(),
            sha256: text.sha256,
        }
    }
}

/// Everybody whom the front matter of a file names as the one who asked, of
/// whatever kind the file is and however much of its front matter is missing: who
/// wrote it must not be hidden by a line less.
pub fn authors(text: &str) -> Vec<String> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let Some(rest) = text.strip_prefix("---") else { return Vec::new() };
    let mut authors = Vec::new();
    for line in rest.lines().skip(1).take_while(|line| line.trim_end() != "---") {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim().trim_matches(['"', '\'']).trim();
        if key.trim().trim_matches(['"', '\'']) == "requested_by" && !value.is_empty() {
            authors.push(value.to_owned());
        }
    }
    authors
}

#[cfg(test)]
mod tests {
    #[test]
    fn who_wrote_it_is_read_from_any_front_matter() {
        let of = super::authors;
        assert_eq!(of("---\nrequested_by: WORK@kim\n---\ntext\n"), ["WORK@kim"]);
        assert_eq!(of("\u{feff}---\r\n\"requested_by\" : 'WORK@kim'\r\nx\r\n"), ["WORK@kim"]);
        assert_eq!(of("---\nrequested_by: a\nrequested_by: b\n---\nrequested_by: c\n"), ["a", "b"]);
        assert!(of("requested_by: WORK@kim\n").is_empty() && of("").is_empty());
    }

    use super::*;
    use proptest::prelude::*;

    const DIFF: &str = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";

    fn front() -> Front {
        Front {
            appr_id: "A001".to_owned(),
            task_id: "001".to_owned(),
            op: "deploy: yes".to_owned(),
            requested_by: "WORK@ada".to_owned(),
            ts_req: "2026-01-01T00:00:00Z".to_owned(),
            base: Some("0e12".to_owned()),
            worktree: Some("/srv/a tree".to_owned()),
            files: vec![
                ListedFile {
                    path: "日 x".to_owned(),
                    added: 1,
                    removed: 1,
                    sha256: Some("ab".to_owned()),
                    deleted: false,
                },
                ListedFile { path: "- y".to_owned(), deleted: true, ..ListedFile::default() },
            ],
            sha256: diff_sha256(DIFF),
        }
    }

    #[test]
    fn the_file_reads_like_a_page() {
        let text = render(&front(), "A001 · 001: deploy", DIFF);
        assert_eq!(
            text,
            "---\nappr_id: A001\ntask_id: '001'\nop: 'deploy: yes'\nrequested_by: WORK@ada\n\
             ts_req: 2026-01-01T00:00:00Z\nbase: '0e12'\nworktree: /srv/a tree\nfiles:\n\
             - path: 日 x\n  added: 1\n  removed: 1\n  sha256: ab\n- path: '- y'\n  added: 0\n  \
             removed: 0\n  deleted: true\nsha256: \
             814a62c28986083d458bd6638ea8dafb6b649111988e86874e06e4c881f7dcea\n---\n\n\
             # A001 · 001: deploy\n\n```diff\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n```\n"
        );
        assert_eq!(parse(&text).unwrap(), Evidence { front: front(), diff: DIFF });
    }

    #[test]
    fn a_fence_is_longer_than_any_run_inside() {
        let diff = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n ```\n-````diff\n+`````\n";
        let text = render(&front(), "x\ny", diff);
        assert!(text.contains("\n# x y\n\n``````diff\n"), "{text}");
        assert_eq!(parse(&text).unwrap().diff, diff);
        assert_eq!(parse(&render(&front(), "x", "")).unwrap().diff, "");
        assert_eq!(parse(&render(&front(), "x", "a")).unwrap().diff, "a\n");
    }

    #[test]
    fn what_somebody_wrote_by_hand_is_none_of_ours() {
        let good = render(&front(), "x", DIFF);
        let yaml = good.split("---\n\n").next().unwrap();
        for (text, why) in [
            (String::new(), "no front matter"),
            ("# Diff\n\n```diff\n-a\n```\n".to_owned(), "no front matter"),
            ("----\n---\n".to_owned(), "no front matter"),
            ("---\na: b\n".to_owned(), "no end"),
            ("---\na: b\n---\n```diff\n```\n".to_owned(), "cannot be read"),
            ("---\n- [\n---\n".to_owned(), "cannot be read"),
            (format!("{yaml}---\nno fence\n"), "no `diff` fence"),
            (format!("{yaml}---\n```diff\n-a\n"), "fence has no end"),
            (format!("{good}\n```diff\n-a\n```\n"), "more than one fence"),
            (format!("{yaml}---\n```rust\n```\n```diff\n```\n"), "no `diff`"),
            (good.replace("added: 1", "added: -1"), "cannot be read"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn other_line_ends_are_read_and_show_in_the_hash() {
        let text = render(&front(), "x", DIFF).replace('\n', "\r\n");
        let evidence = parse(&text).unwrap();
        assert_eq!(evidence.front, front());
        assert_ne!(diff_sha256(evidence.diff), evidence.front.sha256);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            words in prop::collection::vec("\\PC{0,12}|[-'\":#\n\t`~0-9 ]{0,6}|---|null|true", 8),
            diff in "([-+ `~]{0,9}(diff)?\r?\n){0,8}",
            known in any::<bool>(),
        ) {
            let mut words = words.into_iter();
            let mut next = || words.next().unwrap();
            let front = Front {
                appr_id: next(),
                task_id: next(),
                op: next(),
                requested_by: next(),
                ts_req: next(),
                base: known.then(&mut next),
                worktree: known.then(&mut next),
                files: vec![ListedFile { path: next(), added: u64::MAX, ..ListedFile::default() }],
                sha256: diff_sha256(&diff),
            };
            let text = render(&front, "x\n```diff", &diff);
            prop_assert_eq!(parse(&text), Ok(Evidence { front, diff: &diff }));
        }

        #[test]
        fn no_text_is_too_odd(text in "(---\r?\n|a: b\n|```(diff)?\n|\\PC{0,9}\n){0,8}") {
            if let Ok(evidence) = parse(&text) {
                prop_assert!(text.contains(evidence.diff));
            }
        }
    }
}
