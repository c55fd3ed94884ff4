//! Evidence that is gone, altered, out of reach, or no file at all.
//!
//! A file is looked for, and read only where the journal has its hash or where
//! it is a diff: its hash, its author and its secrets are then looked at.

use crate::error::LeadsOut;
use crate::ledger::evidence::{self, diff_sha256};
use crate::model::evidence::MAX_BYTES;
use crate::model::evidence_path::{self, Unsafe};
use crate::model::field::ApprovalField;
use crate::model::secrets;
use crate::model::severity::Severity;
use crate::services::check::book::{ApprovalRow, At, Book, Ground};
use crate::services::check::report::Found;
use crate::services::check::rules::secret::SECRET;
use crate::services::check::rules::self_approval::{self, SELF_APPROVAL};
use crate::services::check::rules::{Look, Rule};
use crate::services::duties::Duty;
use crate::store::entry::sha256_hex;
use crate::store::replace::inside;
use crate::store::snapshot::coming;
use crate::sys::FileKind;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub(super) const LOOKS: &[Look] = &[Look::Book(look)];

/// Nothing is there.
pub static EVIDENCE_MISSING: Rule = Rule {
    code: "evidence-missing",
    severity: Severity::Error,
    says: "an approval names evidence that is not there",
    why: "Nobody can look any more at what was asked for or decided on, and what cannot be shown \
          counts as changed: the approval is not in force.",
    example: "| A001 | 001 | merge | pending | … | ORCH/patches/2026-01/001-A001.diff.md |",
    mend: "Bring the file back, from git if it is there. Where it is gone for good, ask anew with \
           `orch request`; `orch check --accept` keeps the old row as it is.",
};

/// It is not what was decided on.
pub static EVIDENCE_ALTERED: Rule = Rule {
    code: "evidence-altered",
    severity: Severity::Error,
    says: "an evidence file is not what the journal has, or not what it says of itself",
    why: "What was decided on is known by the hash of the file. Other bytes were never looked at, \
          so the approval is not in force.",
    example: "+    allow_everybody();, typed into ORCH/patches/2026-01/001-A001.diff.md",
    mend: "Bring the former bytes back, or ask anew with `orch request` for what is there now.",
};

/// It leads out of the workspace.
pub static EVIDENCE_UNSAFE: Rule = Rule {
    code: "evidence-unsafe",
    severity: Severity::Error,
    says: "an evidence path climbs with `..`, leads out of the workspace, or is no file",
    why: "Such a path could show anybody any file of the machine that looks. No command reads it.",
    example: "| A001 | 001 | merge | pending | … | ../../etc/passwd |",
    mend: "Put the evidence into the workspace and ask anew with `orch request --evidence PATH`.",
};

/// It lies on a machine that is not known here.
pub static EVIDENCE_ELSEWHERE: Rule = Rule {
    code: "evidence-elsewhere",
    severity: Severity::Warning,
    says: "an evidence path is absolute and lies under no root that is known",
    why: "Nobody but the machine where it was written can look at it.",
    example: "| A001 | 001 | merge | approved | … | C:\\Users\\ada\\repo\\ORCH\\patches\\x.diff.md |",
    mend: "Name the folder that stood for the workspace there as `evidence.root` in orch.yaml: \
           paths below it are then found in the workspace.",
};

/// It is no path.
pub static EVIDENCE_UNCLEAR: Rule = Rule {
    code: "evidence-unclear",
    severity: Severity::Warning,
    says: "an evidence cell holds a list or a sentence and no path",
    why: "One cell names one file. What it says cannot be hashed, shown or compared.",
    example: "| A001 | 001 | merge | approved | … | coverage.txt, diff_cover.txt |",
    mend: "Name one file that holds or lists the others; for what is history CMD may accept the \
           finding.",
};

fn look(book: &Book<'_>, found: &mut Found) {
    let Some(ground) = book.ground else {
        for row in book.approvals() {
            if let Some(cell) = row.approval.evidence.as_deref() {
                spelled(&row, cell, found);
            }
        }
        return;
    };
    // A change that is committed and not in place is rare, and looking costs.
    let is_unfinished = ground.sys.fs.lstat(&ground.layout.redo()).is_ok();
    let mut folders: HashMap<PathBuf, bool> = HashMap::new();
    let mut read: HashMap<String, Option<File>> = HashMap::new();
    let root = book.settings.evidence.root.as_deref();
    let top = ground.layout.root.to_string_lossy().into_owned();
    for row in book.approvals() {
        let Some(cell) = row.approval.evidence.as_deref() else { continue };
        let name = match evidence_path::relative(cell, root, &top) {
            Ok(name) => name,
            Err(why) => {
                unsafe_path(&row, cell, why, found);
                continue;
            }
        };
        match place(ground, &name, is_unfinished, &mut folders) {
            Place::Nowhere => missing(book, &row, cell, &name, found),
            Place::Away => {
                let message = format!("the evidence `{cell}` leads out of the workspace");
                tell(&EVIDENCE_UNSAFE, &row, message, UNSAFE_HELP, found);
            }
            Place::NoFile => {
                let message = format!("the evidence `{cell}` is no regular file");
                tell(&EVIDENCE_UNSAFE, &row, message, UNSAFE_HELP, found);
            }
            Place::There(len) => {
                let recorded = recorded(book, &row, cell);
                if recorded.is_none() && !is_diff(&name) {
                    continue;
                }
                let file = read.entry(name.clone()).or_insert_with(|| open(ground, &name, len, is_unfinished));
                let Some(file) = file else {
                    let message = format!("the evidence `{name}` cannot be read");
                    tell(&EVIDENCE_MISSING, &row, message, MISSING_HELP, found);
                    continue;
                };
                inside_of(book, &row, &name, file, recorded, found);
            }
        }
    }
}

const UNSAFE_HELP: &str =
    "put it into the workspace, and ask anew with `orch request --evidence PATH`";
const MISSING_HELP: &str = "bring the file back; where it is gone for good, ask anew with `orch request`, and \
     `orch check --accept` keeps this row as it is";

/// What of a ledger by itself can be said: nothing of files.
fn spelled(row: &ApprovalRow<'_, '_>, cell: &str, found: &mut Found) {
    match evidence_path::relative(cell, None, "") {
        Err(why @ (Unsafe::Traversal | Unsafe::Nothing)) => unsafe_path(row, cell, why, found),
        Err(Unsafe::Elsewhere) => {}
        Ok(_) if !is_path(cell) => unclear(row, cell, found),
        Ok(_) => {}
    }
}

fn unsafe_path(row: &ApprovalRow<'_, '_>, cell: &str, why: Unsafe, found: &mut Found) {
    let message = format!("the evidence `{cell}` {}", why.as_str());
    match why {
        Unsafe::Elsewhere => {
            let help = "if its folder stood for this workspace, name it as `evidence.root` in \
                        orch.yaml";
            tell(&EVIDENCE_ELSEWHERE, row, message, help, found);
        }
        Unsafe::Traversal if !is_path(cell) => unclear(row, cell, found),
        Unsafe::Traversal | Unsafe::Nothing => {
            tell(&EVIDENCE_UNSAFE, row, message, UNSAFE_HELP, found);
        }
    }
}

fn missing(book: &Book<'_>, row: &ApprovalRow<'_, '_>, cell: &str, name: &str, found: &mut Found) {
    // What the journal once read was a path, whatever it looks like.
    if is_path(cell) || recorded(book, row, cell).is_some() {
        let message = format!("the evidence `{name}` is not there");
        tell(&EVIDENCE_MISSING, row, message, MISSING_HELP, found);
    } else {
        unclear(row, cell, found);
    }
}

fn unclear(row: &ApprovalRow<'_, '_>, cell: &str, found: &mut Found) {
    let what = if parts(cell).count() > 1 { "is a list" } else { "is no path" };
    let message = format!("the evidence `{cell}` {what}");
    tell(&EVIDENCE_UNCLEAR, row, message, "one cell names one file", found);
}

fn tell(
    rule: &'static Rule,
    row: &ApprovalRow<'_, '_>,
    message: String,
    help: &str,
    found: &mut Found,
) {
    let id = row.approval.id.as_ref();
    found.add(rule, row.at(ApprovalField::Evidence), id, message).help(help);
}

/// The hash that the journal has of what the row names.
fn recorded<'b>(book: &'b Book<'_>, row: &ApprovalRow<'_, '_>, cell: &str) -> Option<&'b str> {
    book.past().subject(&row.approval.id)?.sha_for(cell)
}

// ---- what a cell looks like ------------------------------------------------

/// Whether a cell that names nothing could name something: one word, or folders
/// and a file whose own names may have blanks.
fn is_path(cell: &str) -> bool {
    if parts(cell).count() > 1 {
        return false;
    }
    let segments: Vec<&str> = cell.split(['/', '\\']).collect();
    let (first, last) = (segments[0], segments[segments.len() - 1]);
    let extension = last.rsplit_once('.').map(|(_, extension)| extension);
    let is_file = extension.is_some_and(|e| {
        (1..=8).contains(&e.len()) && e.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    let has_blank = |text: &str| text.contains(char::is_whitespace);
    if segments.len() > 1 {
        is_file && !has_blank(first) || !has_blank(cell)
    } else {
        is_file && !has_blank(cell)
    }
}

/// The entries of a list; the whole cell where it is none.
fn parts(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([',', ';', '、'])
        .flat_map(|part| part.split("<br>"))
        .map(str::trim)
        .filter(|p| !p.is_empty())
}

fn is_diff(name: &str) -> bool {
    [".diff.md", ".diff", ".patch"].iter().any(|end| name.ends_with(end))
}

// ---- where it leads --------------------------------------------------------

enum Place {
    There(u64),
    Nowhere,
    Away,
    NoFile,
}

/// Looks where a path leads; each folder once.
fn place(
    ground: Ground<'_>,
    name: &str,
    is_unfinished: bool,
    folders: &mut HashMap<PathBuf, bool>,
) -> Place {
    let Ground { sys, layout } = ground;
    let path = layout.root.join(name);
    let is_inside = |path: &Path| {
        let canonical = sys.fs.canonicalize(path).ok();
        canonical.is_some_and(|canonical| inside(sys, layout, name, &canonical).is_ok())
    };
    let stat = match sys.fs.lstat(&path) {
        Ok(stat) => stat,
        Err(e) if LeadsOut::is_cause_of(&e) => return Place::Away,
        Err(_) => {
            let is_coming =
                if is_unfinished { coming(sys, layout, &path).ok().flatten() } else { None };
            return is_coming.map_or(Place::Nowhere, |bytes| Place::There(bytes.len() as u64));
        }
    };
    let folder = path.parent().unwrap_or(&layout.root).to_owned();
    if !*folders.entry(folder).or_insert_with_key(|folder| is_inside(folder)) {
        return Place::Away;
    }
    let stat = match stat.kind {
        FileKind::Symlink => match sys.fs.stat(&path) {
            Ok(_) if !is_inside(&path) => return Place::Away,
            Ok(stat) => stat,
            Err(e) if LeadsOut::is_cause_of(&e) => return Place::Away,
            Err(_) => return Place::Nowhere,
        },
        _ => stat,
    };
    if stat.kind == FileKind::File { Place::There(stat.len) } else { Place::NoFile }
}

// ---- what it holds ---------------------------------------------------------

/// A file that was read, and what stands in it.
struct File {
    sha: String,
    /// Whether it says another hash of its diff than the diff has.
    contradicts_itself: bool,
    /// Everybody who wrote it, as far as it says so.
    authors: Vec<String>,
    /// Line, column and kind of each secret in an added line.
    secrets: Vec<(usize, usize, &'static str)>,
    is_told: bool,
}

fn open(ground: Ground<'_>, name: &str, len: u64, is_unfinished: bool) -> Option<File> {
    if len > MAX_BYTES {
        return None;
    }
    let path = ground.layout.root.join(name);
    let is_coming = || coming(ground.sys, ground.layout, &path).ok().flatten();
    let bytes = match is_unfinished.then(is_coming).flatten() {
        Some(bytes) => bytes,
        None => ground.sys.fs.read(&path).ok()?,
    };
    let text = String::from_utf8_lossy(&bytes);
    Some(File {
        sha: sha256_hex(&bytes),
        contradicts_itself: evidence::parse(&text)
            .is_ok_and(|parsed| parsed.front.sha256 != diff_sha256(parsed.diff)),
        authors: evidence::authors(&text),
        secrets: if is_diff(name) { added_secrets(&text) } else { Vec::new() },
        is_told: false,
    })
}

/// Secrets in the lines that a diff adds, wherever it stands in a text. Lines
/// are counted as their hunk says: a removed `-- x` looks like a file's name.
fn added_secrets(text: &str) -> Vec<(usize, usize, &'static str)> {
    let mut secrets = Vec::new();
    let (mut old_left, mut new_left) = (0_u64, 0_u64);
    // A key may go over many lines: they are looked at together.
    let (mut added, mut lines) = (String::new(), Vec::new());
    for (n, line) in text.lines().enumerate() {
        if old_left + new_left == 0 {
            (old_left, new_left) = hunk(line).unwrap_or_default();
            continue;
        }
        match line.as_bytes().first() {
            Some(b'+') => {
                new_left = new_left.saturating_sub(1);
                lines.push((added.len(), n + 1));
                added.push_str(&line[1..]);
                added.push('\n');
            }
            Some(b'-') => old_left = old_left.saturating_sub(1),
            Some(b'\\') => {}
            _ => {
                old_left = old_left.saturating_sub(1);
                new_left = new_left.saturating_sub(1);
            }
        }
    }
    for secret in secrets::find(&added) {
        let at = lines.partition_point(|(start, _)| *start <= secret.range.start).max(1) - 1;
        let Some((start, line)) = lines.get(at) else { continue };
        let column = added[*start..secret.range.start].chars().count() + 2;
        secrets.push((*line, column, secret.kind));
    }
    secrets
}

/// How many old and new lines a hunk has: `@@ -1,2 +1,3 @@`, one where it does
/// not say.
fn hunk(line: &str) -> Option<(u64, u64)> {
    let mut words = line.strip_prefix("@@ -")?.split(' ');
    let (old, new) = (words.next()?, words.next()?.strip_prefix('+')?);
    let count = |range: &str| range.split_once(',').map_or(Some(1), |(_, n)| n.parse().ok());
    Some((count(old)?, count(new)?))
}

fn inside_of(
    book: &Book<'_>,
    row: &ApprovalRow<'_, '_>,
    name: &str,
    file: &mut File,
    recorded: Option<&str>,
    found: &mut Found,
) {
    let id = row.approval.id.as_ref();
    if recorded.is_some_and(|sha| sha != file.sha) {
        let message = format!("the evidence `{name}` is not what the journal has of it");
        let help = "bring the former bytes back, or ask anew with `orch request`";
        tell(&EVIDENCE_ALTERED, row, message, help, found);
    } else if file.contradicts_itself {
        let message = format!("the diff in `{name}` has another hash than the file says");
        let help = "bring the former bytes back, or ask anew with `orch request`";
        tell(&EVIDENCE_ALTERED, row, message, help, found);
    }
    let mut others =
        file.authors.iter().filter(|by| row.approval.requested_by.as_deref() != Some(by.as_str()));
    if let Some(approver) = self_approval::decider(book, row)
        && let Some(author) =
            others.find(|by| self_approval::is_same(book, &approver, by, Duty::Wrote))
    {
        let message =
            format!("`{approver}` decided about evidence that `{author}` wrote, the same person");
        let help = "ask anew with `orch request`, and let somebody else decide";
        found.add(&SELF_APPROVAL, row.at(ApprovalField::Approver), id, message).help(help);
    }
    if !std::mem::replace(&mut file.is_told, true) {
        for (line, column, kind) in &file.secrets {
            let at = At::Place { file: name.to_owned(), line: *line, column: *column };
            let message = format!("the change adds a secret ({kind})");
            let help = "take it out, make it worthless where it is used, and ask anew with \
                        `orch request`";
            found.add(&SECRET, at, id, message).help(help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::check::testing::Case;

    #[test]
    fn what_looks_like_a_path() {
        for cell in [
            "ORCH/patches/2025-10/x.diff.md",
            "coverage.xml",
            "docs/my report.md",
            "C:\\repo\\a b\\x.md",
            "docs/reports",
        ] {
            assert!(is_path(cell), "{cell}");
        }
        for cell in [
            "a.txt, b.txt",
            "reports/a.txt<br>reports/b.txt",
            "lane B override for cli-multi-agent-v1-runtime",
            "see docs/x.md",
            "docs/x.md for details",
            "done",
            "CIのログを参照",
        ] {
            assert!(!is_path(cell), "{cell}");
        }
    }

    #[test]
    fn a_ledger_by_itself_is_judged_by_its_spelling() {
        let row = |n: usize, cell: &str| {
            format!("| A{n} | 1 | op | pending | WORK | - | - | - | - | {cell} |\n")
        };
        let cells = ["a/b.md", "../x.md", "C:\\a\\b.md", "a.txt, b.txt", "we talked about it", "-"];
        let rows: String = cells.iter().enumerate().map(|(n, cell)| row(n, cell)).collect();
        assert_eq!(
            Case::approvals(&rows).found("evidence-unclear"),
            [
                "A.md:6:50 [a.txt, b.txt] the evidence `a.txt, b.txt` is a list",
                "A.md:7:50 [we talked about it] the evidence `we talked about it` is no path",
            ]
        );
        assert_eq!(
            Case::approvals(&rows).found("evidence-unsafe"),
            ["A.md:4:50 [../x.md] the evidence `../x.md` climbs out with `..`"]
        );
    }

    #[test]
    fn only_added_lines_have_secrets() {
        let token = ["gh", "p_0123456789abcdefABCDEF0123456789abcd"].concat();
        let head = "---\n---\n```diff\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n";
        let hunk = format!("@@ -1,3 +1,2 @@\n--- {token}\n-old\n ctx {token}\n+new {token}\n");
        let text = format!("{head}{hunk}```\n+{token}\n");
        assert_eq!(added_secrets(&text), [(11, 6, "github-token")]);
        assert_eq!(added_secrets(&format!("+{token}\n")), []);
    }
}
