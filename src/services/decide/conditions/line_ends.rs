//! Line ends that a diff would change or mix.

use super::{Measured, count};
use crate::ledger::git_diff::{FileDiff, LineKind};

/// The condition's name.
pub const NAME: &str = "line_ends";

/// Whether the lines that come end as those around them, and in a new file all
/// alike. A file whose lines are mixed already may go on so.
pub fn measure(files: &[FileDiff]) -> Measured {
    let found: Vec<String> = files.iter().filter_map(in_file).collect();
    let measured = if found.is_empty() {
        "as before".to_owned()
    } else {
        format!("others in {}", count(found.len() as u64, "file"))
    };
    Measured::unless(NAME, measured, "as before", &found)
}

fn in_file(file: &FileDiff) -> Option<String> {
    // LF and CRLF, and the line where each stands first.
    let (mut before, mut after) = ([None; 2], [None; 2]);
    let lines = file.hunks.iter().flat_map(|hunk| &hunk.lines);
    for line in lines.filter(|line| line.kind != LineKind::Added && !line.no_newline) {
        before[usize::from(line.text.ends_with('\r'))] = Some(0);
    }
    for (number, line) in file.added_lines().filter(|(_, line)| !line.no_newline) {
        let first = &mut after[usize::from(line.text.ends_with('\r'))];
        *first = first.or(Some(number));
    }
    let path = file.paths().last().unwrap_or_default();
    match (before, after) {
        ([Some(_), None], [_, Some(line)]) => {
            Some(format!("`{path}` has lines that end in LF, and line {line} would end in CRLF"))
        }
        ([None, Some(_)], [Some(line), _]) => {
            Some(format!("`{path}` has lines that end in CRLF, and line {line} would end in LF"))
        }
        ([None, None], [Some(_), Some(_)]) => {
            Some(format!("`{path}` would have lines that end in LF and lines that end in CRLF"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::git_diff::parse;

    fn breaks(lines: &str) -> bool {
        let count = |mark: char| lines.lines().filter(|line| !line.starts_with(mark)).count();
        let (added, removed) = (count('-'), count('+'));
        let head = if removed == 0 {
            "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0"
        } else {
            "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1"
        };
        let removed = if removed == 0 { String::new() } else { format!(",{removed}") };
        let diff = format!("{head}{removed} +1,{added} @@\n{lines}");
        measure(&parse(&diff).unwrap()).reason.is_some()
    }

    #[test]
    fn lines_end_as_before_or_people_decide() {
        for (lines, is_breach) in [
            (" a\n+b\n", false),
            (" a\r\n+b\r\n", false),
            (" a\n+b\r\n", true),
            (" a\r\n+b\n", true),
            ("-a\n+a\r\n", true),
            ("-a\r\n+a\n", true),
            ("-a\r\n", false),
            (" a\n b\r\n+c\r\n+d\n", false),
            ("+a\n+b\n", false),
            ("+a\r\n+b\r\n", false),
            ("+a\r\n+b\n", true),
        ] {
            assert_eq!(breaks(lines), is_breach, "{lines:?}");
        }
    }

    #[test]
    fn a_last_line_without_an_end_has_none() {
        let head = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n";
        let diff = format!("{head} a\r\n+b\n\\ No newline at end of file\n");
        assert_eq!(measure(&parse(&diff).unwrap()).reason, None);
    }
}
