//! Unified diffs of two versions of a text, as `git apply` and `patch` read
//! them (POSIX `diff -u`, with git's `\ No newline at end of file`).
//!
//! Lines end at `\n` only, as git has it: a carriage return is content.
//! Cost: a change in a large ledger touches few lines, so equal ends are cut
//! off by byte comparison before `similar` sees a line.

use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::fmt::Write as _;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// How many bytes are compared at once: slices as wholes, which is `memcmp`.
const BLOCK: usize = 4096;

/// The diff from `old` to `new`, empty where they are equal. `None` stands for
/// a file that does not exist. Paths have no `a/` or `b/`; they are added here.
pub fn unified(path: &str, old: Option<&str>, new: Option<&str>) -> String {
    let (before, after) = (old.unwrap_or(""), new.unwrap_or(""));
    if before == after && old.is_some() == new.is_some() {
        return String::new();
    }
    let mut out = String::new();
    let name = |side: char, text: Option<&str>| {
        text.map_or_else(|| "/dev/null".to_owned(), |_| quoted(&format!("{side}/{path}")))
    };
    let _ = writeln!(out, "--- {}", name('a', old));
    let _ = writeln!(out, "+++ {}", name('b', new));
    hunks(before, after, &mut out);
    out
}

fn hunks(before: &str, after: &str, out: &mut String) {
    let start = common_start(before, after);
    let first_line = memchr::memchr_iter(b'\n', &before.as_bytes()[..start]).count();
    let end = common_end(&before[start..], &after[start..]);
    let (old, new) = (&before[start..before.len() - end], &after[start..after.len() - end]);
    let lead = last_lines(&before[..start], CONTEXT);
    let tail = first_lines(&before[before.len() - end..], CONTEXT);
    let join = |middle: &str| format!("{lead}{middle}{tail}");
    let (old, new) = (join(old), join(new));
    let (old, new) = (lines(&old), lines(&new));
    let shift = first_line - lines(lead).len();
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    for group in similar::group_diff_ops(ops, CONTEXT) {
        hunk(&old, &new, shift, &group, out);
    }
}

fn hunk(old: &[&str], new: &[&str], shift: usize, ops: &[DiffOp], out: &mut String) {
    let (Some(first), Some(last)) = (ops.first(), ops.last()) else { return };
    let range = |start: usize, end: usize| {
        let len = end - start;
        // An empty side names the line before it; a single line has no count.
        let line = start + shift + usize::from(len > 0);
        if len == 1 { line.to_string() } else { format!("{line},{len}") }
    };
    let _ = writeln!(
        out,
        "@@ -{} +{} @@",
        range(first.old_range().start, last.old_range().end),
        range(first.new_range().start, last.new_range().end)
    );
    for op in ops {
        if let DiffOp::Equal { .. } = op {
            push_lines(' ', &old[op.old_range()], out);
        } else {
            push_lines('-', &old[op.old_range()], out);
            push_lines('+', &new[op.new_range()], out);
        }
    }
}

fn push_lines(mark: char, lines: &[&str], out: &mut String) {
    for line in lines {
        out.push(mark);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The length of the common whole lines at the start.
fn common_start(a: &str, b: &str) -> usize {
    let (a_blocks, b_blocks) = (a.as_bytes().chunks(BLOCK), b.as_bytes().chunks(BLOCK));
    let blocks = a_blocks.zip(b_blocks).take_while(|(x, y)| x == y).count();
    let near = (blocks * BLOCK).min(a.len()).min(b.len());
    let (x, y) = (&a.as_bytes()[near..], &b.as_bytes()[near..]);
    let same = near + x.iter().zip(y).take_while(|(x, y)| x == y).count();
    memchr::memrchr(b'\n', &a.as_bytes()[..same]).map_or(0, |n| n + 1)
}

/// The length of the common whole lines at the end.
fn common_end(a: &str, b: &str) -> usize {
    let (a_blocks, b_blocks) = (a.as_bytes().rchunks(BLOCK), b.as_bytes().rchunks(BLOCK));
    let blocks = a_blocks.zip(b_blocks).take_while(|(x, y)| x == y).count();
    let near = (blocks * BLOCK).min(a.len()).min(b.len());
    let (x, y) = (&a.as_bytes()[..a.len() - near], &b.as_bytes()[..b.len() - near]);
    let same = near + x.iter().rev().zip(y.iter().rev()).take_while(|(x, y)| x == y).count();
    let tail = &a.as_bytes()[a.len() - same..];
    if same == a.len() && same == b.len() {
        return same;
    }
    // The first common line may be half of a changed one: begin behind it.
    memchr::memchr(b'\n', tail).map_or(0, |n| tail.len() - n - 1)
}

fn last_lines(text: &str, count: usize) -> &str {
    let mut at = text.len();
    for _ in 0..count {
        if at == 0 {
            break;
        }
        at = memchr::memrchr(b'\n', &text.as_bytes()[..at - 1]).map_or(0, |n| n + 1);
    }
    &text[at..]
}

fn first_lines(text: &str, count: usize) -> &str {
    let end = memchr::memchr_iter(b'\n', text.as_bytes()).nth(count - 1);
    &text[..end.map_or(text.len(), |n| n + 1)]
}

/// The text before a change of one file, from the text after it and the diff;
/// `None` where the diff does not fit, or the file was not there before.
pub fn revert(diff: &str, path: &str, after: &str) -> Option<String> {
    let (old, new) = (quoted(&format!("a/{path}")), quoted(&format!("b/{path}")));
    let after = lines(after);
    let mut rest = lines(diff).into_iter().peekable();
    let (mut out, mut at, mut found) = (String::new(), 0, false);
    while let Some(line) = rest.next() {
        let from = line.strip_prefix("--- ")?.trim_end_matches('\n');
        let to = rest.next()?.strip_prefix("+++ ")?.trim_end_matches('\n');
        let is_it = from == old && to == new;
        found |= is_it;
        while let Some(head) = rest.next_if(|line| line.starts_with("@@ ")) {
            let (mut removed, (start, mut added)) = counts(head)?;
            let hunk_at = if added > 0 { start.checked_sub(1)? } else { start };
            let (mut was, mut is): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
            while removed > 0 || added > 0 {
                let line = rest.next()?;
                let cut = rest.next_if(|next| next.starts_with('\\')).map(|_| '\n');
                let text = line.get(1..)?;
                let text = cut.map_or(text, |end| text.trim_end_matches(end));
                let (in_old, in_new) = (!line.starts_with('+'), !line.starts_with('-'));
                removed = removed.checked_sub(usize::from(in_old))?;
                added = added.checked_sub(usize::from(in_new))?;
                was.extend(in_old.then_some(text));
                is.extend(in_new.then_some(text));
            }
            if is_it {
                out.extend(after.get(at..hunk_at)?.iter().copied());
                at = hunk_at + is.len();
                if after.get(hunk_at..at)? != is {
                    return None;
                }
                out.extend(was);
            }
        }
    }
    out.extend(after.get(at..)?.iter().copied());
    found.then_some(out)
}

/// What a hunk's head says: how many old lines; where the new ones are, and how
/// many.
fn counts(head: &str) -> Option<(usize, (usize, usize))> {
    let mut words = head.split(' ').skip(1);
    let mut range = |mark: char| {
        let word = words.next()?.strip_prefix(mark)?;
        let (line, count) = word.split_once(',').unwrap_or((word, "1"));
        Some((line.parse().ok()?, count.parse().ok()?))
    };
    let (_, removed): (usize, usize) = range('-')?;
    Some((removed, range('+')?))
}

/// A path as git quotes it where it holds other than plain characters.
fn quoted(path: &str) -> String {
    let plain = path.bytes().all(|b| (b' '..0x7f).contains(&b) && !matches!(b, b'"' | b'\\'));
    if plain {
        return path.to_owned();
    }
    let mut out = String::from("\"");
    for b in path.bytes() {
        match b {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(b));
            }
            b' '..0x7f => out.push(char::from(b)),
            _ => {
                let _ = write!(out, "\\{b:03o}");
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_many() {
        let old = (1..=20).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
        let new = old.replace("line 10\n", "line ten\n");
        assert_eq!(
            unified("T.md", Some(&old), Some(&new)),
            "--- a/T.md\n+++ b/T.md\n@@ -7,7 +7,7 @@\n line 7\n line 8\n line 9\n-line 10\n\
             +line ten\n line 11\n line 12\n line 13\n"
        );
    }

    #[test]
    fn new_files_and_missing_line_ends() {
        assert_eq!(unified("x", None, Some("a\n")), "--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+a\n");
        assert_eq!(
            unified("x", Some("a"), Some("a\nb")),
            "--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n\
             \\ No newline at end of file\n"
        );
        assert_eq!(unified("x", Some("a\r\n"), Some("a\r\n")), "");
    }

    #[test]
    fn an_odd_path_is_quoted() {
        assert!(unified("日本/x", Some("a\n"), Some("b\n")).starts_with("--- \"a/\\346\\227\\245"));
    }

    /// Applies a diff by hand, as `patch` would: what the property test uses.
    fn patched(old: &str, diff: &str) -> String {
        let old: Vec<&str> = lines(old);
        let mut out = String::new();
        let mut at = 0;
        let mut body: Vec<&str> = Vec::new();
        for line in lines(diff).into_iter().skip(2) {
            if line.starts_with('\\') {
                let last = body.pop().unwrap();
                body.push(&last[..last.len() - 1]);
            } else {
                body.push(line);
            }
        }
        for line in body {
            if let Some(header) = line.strip_prefix("@@ -") {
                let spec = header.split(' ').next().unwrap();
                let (start, count) = spec.split_once(',').unwrap_or((spec, "1"));
                let start: usize = start.parse().unwrap();
                let start = if count == "0" { start } else { start - 1 };
                out.extend(old[at..start].iter().copied());
                at = start;
            } else if let Some(added) = line.strip_prefix('+') {
                out.push_str(added);
            } else {
                assert_eq!(old[at], &line[1..]);
                if line.starts_with(' ') {
                    out.push_str(old[at]);
                }
                at += 1;
            }
        }
        out.extend(old[at..].iter().copied());
        out
    }

    proptest::proptest! {
        #[test]
        fn a_diff_leads_from_old_to_new(old in "([ab]\n){0,12}[ab]?", new in "([ab]\n){0,12}[ab]?") {
            let diff = unified("x", Some(&old), Some(&new));
            if old == new {
                proptest::prop_assert_eq!(diff, "");
            } else {
                proptest::prop_assert_eq!(patched(&old, &diff), new);
            }
        }
    }
}
