//! Diffs of every shape, and what is none.

use super::*;
use crate::ledger::unified::unified;
use proptest::prelude::*;

fn one(diff: &str) -> FileDiff {
    let mut files = parse(diff).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[track_caller]
fn refuses(diff: &str, line: usize, why: &str) {
    let error = parse(diff).unwrap_err();
    assert!(error.line == line && error.message.contains(why), "{error}");
}

#[test]
fn a_changed_file_has_lines_with_numbers() {
    let file = one("diff --git a/src/x.rs b/src/x.rs\nindex 1..2 100755\n--- a/src/x.rs\n\
        +++ b/src/x.rs\n@@ -2,3 +2,4 @@ fn f() {\n a\n-b\n+c\r\n+--- d\n e\n@@ -9 +10 @@\n-f\n\
        \\ No newline at end of file\n+f\n");
    assert_eq!((file.old.as_deref(), file.new.as_deref()), (Some("src/x.rs"), Some("src/x.rs")));
    assert_eq!((file.old_mode, file.new_mode), (Some(0o100_755), Some(0o100_755)));
    assert_eq!((file.added(), file.removed()), (3, 2));
    assert_eq!(file.paths().collect::<Vec<_>>(), ["src/x.rs"]);
    let added: Vec<_> = file.added_lines().map(|(n, line)| (n, line.text.as_str())).collect();
    assert_eq!(added, [(3, "c\r"), (4, "--- d"), (10, "f")]);
    assert_eq!((file.hunks[0].old_start, file.hunks[1].new_start), (2, 10));
    let ends: Vec<bool> = file.hunks[1].lines.iter().map(|line| line.no_newline).collect();
    assert_eq!(ends, [true, false]);
    assert_eq!(file.symlink_target(), None);
}

#[test]
fn files_come_and_go() {
    let files = parse(
        "diff --git a/new b/new\nnew file mode 100644\nindex 0..1\n--- /dev/null\n\
        +++ b/new\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\ndiff --git a/empty b/empty\n\
        new file mode 100755\nindex 0..e\ndiff --git a/old b/old\ndeleted file mode 100644\n\
        --- a/old\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
    )
    .unwrap();
    let names: Vec<_> = files.iter().map(|f| (f.old.as_deref(), f.new.as_deref())).collect();
    assert_eq!(names, [(None, Some("new")), (None, Some("empty")), (Some("old"), None)]);
    assert!(files[0].hunks[0].lines[0].no_newline && files[1].hunks.is_empty());
    assert_eq!((files[1].new_mode, files[2].old_mode), (Some(0o100_755), Some(0o100_644)));
}

#[test]
fn renames_copies_and_modes_need_no_hunk() {
    let file =
        one("diff --git a/a b b/c d\nsimilarity index 100%\nrename from a b\nrename to c d\n");
    assert!(file.is_rename && !file.is_copy);
    assert_eq!(file.paths().collect::<Vec<_>>(), ["a b", "c d"]);
    let file = one("diff --git a/x b/y\nold mode 100644\nnew mode 100755\nsimilarity index 90%\n\
        copy from x\ncopy to y\nindex 1..2\n--- a/x\n+++ b/y\n@@ -1 +1 @@\n-1\n+2\n");
    assert!(file.is_copy && file.new.as_deref() == Some("y"));
    let file = one("diff --git a/s p b/s p\nold mode 100644\nnew mode 100755\n");
    assert_eq!((file.new.as_deref(), file.new_mode), (Some("s p"), Some(0o100_755)));
}

#[test]
fn names_are_unquoted() {
    let file = one("diff --git \"a/\\346\\227\\245 \\\"x\\\"\" \"b/\\346\\227\\245 \\\"x\\\"\"\n\
        --- \"a/\\346\\227\\245 \\\"x\\\"\"\n+++ \"b/\\346\\227\\245 \\\"x\\\"\"\n@@ -1 +1 @@\n\
        -1\n+2\n");
    assert_eq!(file.new.as_deref(), Some("日 \"x\""));
    let file = one("diff --git a/x y b/x y\n--- a/x y\t\n+++ b/x y\t\n@@ -1 +1 @@\n-1\n+2\n");
    assert_eq!(file.old.as_deref(), Some("x y"));
    refuses("diff --git \"a/\\377\" \"b/\\377\"\n--- \"a/\\377\"\n", 2, "not UTF-8");
}

#[test]
fn a_link_says_where_it_leads() {
    let file = one("diff --git a/l b/l\nnew file mode 120000\nindex 0..1\n--- /dev/null\n\
        +++ b/l\n@@ -0,0 +1 @@\n+../etc\n\\ No newline at end of file\n");
    assert_eq!(file.symlink_target().as_deref(), Some("../etc"));
    let file = one("diff --git a/l b/l\nindex 0..1 120000\n--- a/l\n+++ b/l\n@@ -1 +1 @@\n-x\n\
        \\ No newline at end of file\n+y\n\\ No newline at end of file\n");
    assert_eq!(file.symlink_target().as_deref(), Some("y"));
}

#[test]
fn binary_content_is_passed() {
    let patch = "diff --git a/x.bin b/x.bin\nindex 1..2 100644\nGIT binary patch\nliteral 4\n\
        LcmZQzWMT#Y01f~L\n\nliteral 0\nHcmV?d00001\n\n";
    let files = parse(&format!("{patch}{patch}")).unwrap();
    assert!(files.len() == 2 && files.iter().all(|f| f.is_binary && f.hunks.is_empty()));
    let file = one("diff --git a/x b/x\ndeleted file mode 100644\nindex 1..0\n\
        Binary files a/x and /dev/null differ\n");
    assert!(file.is_binary && file.new.is_none());
    refuses("diff --git a/x b/x\nGIT binary patch\n", 3, "`literal` or `delta`");
    refuses("diff --git a/x b/x\nGIT binary patch\nliteral 9\n+++ b/evil\n", 4, "no line of");
    refuses("diff --git a/x b/x\nGIT binary patch\nliteral 0\nHcmV?d00001\n", 5, "no end");
}

#[test]
fn plain_diffs_have_times() {
    let file = one("Index: x\n=====\ndiff -u a/x b/x\n--- a/x\t2024-05-01 12:00:00.5 +0200\n\
        +++ b/x\t2024-05-01 12:00:00 +0000\n@@ -1,2 +1,2 @@\n-a\n+b\n\n");
    assert_eq!((file.old.as_deref(), file.new.as_deref()), (Some("x"), Some("x")));
    assert_eq!(file.hunks[0].lines[2].text, "");
    let file = one("--- a/x\t1970-01-01 00:00:00.000000000 +0000\n+++ b/x\t2024-05-01 12:00:00 \
        +0000\n@@ -0,0 +1 @@\n+b\n");
    assert_eq!((file.old, file.new.as_deref()), (None, Some("x")));
    let file = one("--- x.orig\n+++ x\n@@ -1 +1 @@\n-a\n+b\n");
    assert_eq!(file.paths().collect::<Vec<_>>(), ["x.orig", "x"]);
    let file = one("--- /dev/null\n+++ b/d/x\n@@ -0,0 +1 @@\n+b\n");
    assert_eq!((file.old, file.new.as_deref()), (None, Some("d/x")));
}

#[test]
fn what_git_would_read_otherwise_is_refused() {
    let body = "@@ -1 +1 @@\n-a\n+b\n";
    refuses(&format!("hello\n--- a/x\n+++ b/x\n{body}"), 1, "no part of a diff");
    refuses(&format!("--- a/x\n+++ b/x\n{body}bye\n"), 6, "no part of a diff");
    refuses(&format!("diff --git a/x b/x\n--- a/evil\n+++ b/evil\n{body}"), 1, "are others");
    refuses(&format!("diff --git a/x b/y\n--- a/x\n+++ b/y\n{body}"), 1, "nothing is renamed");
    refuses(&format!("diff --git a/x b/x\n--- /dev/null\n+++ b/x\n{body}"), 4, "neither new");
    refuses(&format!("diff --git x x\n--- x\n+++ x\n{body}"), 4, "no prefix");
    refuses("diff --git a/x b/x\nrename from y\nrename to z\n", 1, "are others");
    refuses("diff --git a/x b/y\nold mode 100644\nnew mode 100755\n", 1, "no name before");
    let chmod = "diff --git a/x b/x\nold mode 100644\nnew mode 100755\n";
    refuses(&format!("diff --git a/evil b/evil\n{chmod}"), 1, "nothing follows");
    refuses("diff --git a/x b/x\n", 1, "nothing follows");
    refuses("diff --git a/x b/x\nnew file mode 100644\ndeleted file mode 100644\n", 1, "both");
    refuses(
        &format!("diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n{body}"),
        1,
        "lines before",
    );
    refuses("diff --cc x\nindex 1,2..3\n", 1, "no part of a diff");
    refuses(&format!("--- x\n+++ x\n{body}--- a/y\n+++ b/y\n{body}"), 7, "prefix");
    refuses(&format!("--- a/x\r\n+++ b/x\r\n{body}"), 1, "carriage return");
    refuses("diff --git a/x b/x\nold mode 10x\n", 2, "no mode");
}

#[test]
fn hunks_that_are_cut_short_are_refused() {
    let names = "--- a/x\n+++ b/x\n";
    refuses(names, 3, "`@@ ` is missing");
    refuses("--- a/x\n", 2, "`+++ `");
    refuses(&format!("{names}@@ -1,2 +1 @@\n-a\n+b\n"), 6, "ends inside");
    refuses(&format!("{names}@@ -1 +1 @@\n-a\n-b\n"), 5, "more lines");
    refuses(&format!("{names}@@ -1 +1 @@\n-a\nb\n"), 5, "begins with");
    refuses(&format!("{names}@@ -1 +1 @@\n\\ No newline\n"), 4, "begins with");
    refuses(&format!("{names}@@ -x +1 @@\n"), 3, "this is no");
    refuses(&format!("{names}@@ -1,99999999999999999999 +1 @@\n"), 3, "this is no");
    refuses(&format!("{names}@@ -1,18446744073709551615 +1 @@\n-a\n"), 5, "ends inside");
    assert_eq!(parse("").unwrap(), []);
    assert_eq!(parse("\n\n").unwrap(), []);
}

/// What a file holds after the hunks, if they fit.
fn apply(file: &FileDiff, old: &str) -> Option<String> {
    let mut rest: Vec<&str> = old.split_inclusive('\n').collect();
    rest.reverse();
    let (mut out, mut at) = (String::new(), 1);
    for hunk in &file.hunks {
        while at < hunk.old_start {
            out.push_str(rest.pop()?);
            at += 1;
        }
        for line in &hunk.lines {
            let end = if line.no_newline { "" } else { "\n" };
            let text = format!("{}{end}", line.text);
            if line.kind != LineKind::Added {
                at += 1;
                if rest.pop()? != text {
                    return None;
                }
            }
            if line.kind != LineKind::Removed {
                out.push_str(&text);
            }
        }
    }
    rest.reverse();
    Some(out + &rest.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        old in "([ab+ \\\\-]{0,3}\r?\n){0,12}[ab]{0,2}",
        new in "([ab+ \\\\-]{0,3}\r?\n){0,12}[ab]{0,2}",
        name in "[a-z日 \"\\\\]{1,8}",
    ) {
        prop_assume!(old != new && !old.is_empty() && !new.is_empty());
        let file = one(&unified(&name, Some(&old), Some(&new)));
        prop_assert_eq!(file.new.as_deref(), Some(name.as_str()));
        prop_assert_eq!(apply(&file, &old), Some(new.clone()));
        let added: Vec<_> = file.added_lines().collect();
        let lines: Vec<&str> = new.split('\n').collect();
        for (number, line) in added {
            prop_assert_eq!(&lines[usize::try_from(number).unwrap() - 1], &line.text);
        }
    }

    #[test]
    fn no_text_is_too_odd(
        lines in prop::collection::vec(
            prop_oneof![
                Just("diff --git a/x b/x"), Just("--- a/x"), Just("+++ b/x"), Just("@@ -1 +1 @@"),
                Just("@@ -0,0 +1,2 @@"), Just("-a"), Just("+b"), Just(" c"), Just(""), Just("\\ No"),
                Just("new file mode 100644"), Just("deleted file mode 1"), Just("rename from x"),
                Just("rename to y"), Just("GIT binary patch"), Just("literal 0"), Just("HcmV?d00001"),
                Just("Binary files differ"), Just("--- /dev/null"), Just("index 1..2 100644"),
                Just("--- \"a\\"), Just("diff --git \"a/\\1"),
            ],
            0..16,
        ),
        odd in "\\PC{0,40}",
    ) {
        let text = lines.join("\n");
        if let Ok(files) = parse(&text) {
            for file in files {
                prop_assert!(file.paths().count() > 0);
            }
        }
        if let Err(error) = parse(&odd) {
            prop_assert!(error.line > 0);
        }
    }
}
