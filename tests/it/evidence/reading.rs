//! What we read in a diff is what `git apply` reads in it.
//!
//! Rules about a change are rules about what we read; a diff that git reads
//! otherwise would pass them and do something else.

use super::tree::{Dice, Tree};
use orch::ledger::git_diff::{FileDiff, parse};

/// Each file's name after the change, else before, with the lines that come and
/// go; those of a binary file are not counted.
type Read = Vec<(String, Option<(u64, u64)>)>;

fn ours(files: &[FileDiff]) -> Read {
    let read = |file: &FileDiff| {
        let name = file.new.clone().or(file.old.clone()).unwrap();
        (name, (!file.is_binary).then(|| (file.added(), file.removed())))
    };
    files.iter().map(read).collect()
}

/// None where git refuses the diff.
fn gits(tree: &Tree, diff: &str) -> Option<Read> {
    let ran = Tree::run(tree.ws.root(), &["apply", "--numstat", "-z", "-"], diff.as_bytes());
    if !ran.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let read = |entry: &str| {
        let mut fields = entry.splitn(3, '\t');
        let (added, removed) = (fields.next()?.parse().ok(), fields.next()?.parse().ok());
        Some((fields.next()?.to_owned(), added.zip(removed)))
    };
    Some(text.split('\0').filter_map(read).collect())
}

#[track_caller]
fn agree(tree: &Tree, diff: &str, about: &str) -> bool {
    let (Ok(files), Some(read)) = (parse(diff), gits(tree, diff)) else { return false };
    // Git stops without a word before binary content that is damaged; `apply`
    // asks it for its reading before.
    if files.get(read.len()).is_some_and(|file| file.is_binary) {
        return false;
    }
    // Git names one of the two where a plain diff gives a file another name.
    let same = ours(&files).iter().zip(&files).zip(&read).all(|(((_, count), file), read)| {
        *count == read.1 && file.paths().any(|path| path == read.0)
    });
    assert!(same && files.len() == read.len(), "{about}\n{:?}\n{read:?}\n{diff}", ours(&files));
    true
}

/// Diffs of every shape that git and `diff` write.
fn diffs() -> (Tree, Vec<String>) {
    let tree = Tree::with_files();
    let mut dice = Dice::new(7);
    let mut diffs: Vec<String> = (0..8)
        .map(|_| {
            (0..9).for_each(|_| drop(tree.edit(&mut dice)));
            tree.change(None).unwrap().diff
        })
        .collect();
    diffs.push("--- x.orig\t2024-05-01 12:00:00 +0000\n+++ x\n@@ -1 +1 @@\n-a\n+b\n".to_owned());
    diffs.push(
        "Index: d/y\n=====\ndiff -u a/d/y b/d/y\n--- a/d/y 2024-05-01 12:00:00 +0000\n+++ b/d/y\n\
         @@ -1,2 +1,2 @@\n-a\n+b\n c\n--- /dev/null\n+++ b/d/z\n@@ -0,0 +1 @@\n+b\n\
         --- a/d/w\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n"
            .to_owned(),
    );
    (tree, diffs)
}

/// The files of a diff that have few lines.
fn parts(diff: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in diff.split_inclusive('\n') {
        match parts.last_mut().filter(|_| !line.starts_with("diff --git ")) {
            Some(part) => part.push_str(line),
            None => parts.push(line.to_owned()),
        }
    }
    parts.retain(|part| part.lines().count() < 16);
    parts
}

#[test]
fn we_read_what_git_reads() {
    let (tree, diffs) = diffs();
    for diff in &diffs {
        assert!(agree(&tree, diff, "as it was written"), "one of us refuses\n{diff}");
        assert_eq!(Some(ours(&parse(diff).unwrap()).len()), gits(&tree, diff).map(|r| r.len()));
    }
}

#[test]
fn a_diff_that_was_tampered_with_is_read_as_git_reads_it_or_refused() {
    const LINES: [&str; 34] = [
        "--- a/evil",
        "+++ b/evil",
        "--- /dev/null",
        "+++ /dev/null",
        "rename from evil",
        "rename to evil",
        "copy from evil",
        "copy to evil",
        "new file mode 100755",
        "deleted file mode 100644",
        "diff --git a/evil b/evil",
        "@@ -1 +1 @@",
        "\\ No newline at end of file",
        "GIT binary patch",
        "--- evil",
        "+++ evil",
        "--- a/evil\t",
        "+++ b/evil 2024-05-01 12:00:00 +0000",
        "--- a/evil\t1970-01-01 00:00:00 +0000",
        "--- \"a/ev\\151l\"",
        "+++ \"b/evil\"\t",
        "--- /dev/null evil",
        "+++ b//evil",
        "+++ b/../evil",
        "rename to ev\til",
        "rename old evil",
        "old mode 100644",
        "new mode 120000",
        "index 1..2 120000",
        "similarity index 100%",
        "diff --git evil evil",
        "diff --git a/x b/evil",
        "diff --git a/evil b/evil b/evil b/evil",
        "",
    ];
    let (tree, diffs) = diffs();
    let parts: Vec<String> = diffs.iter().flat_map(|diff| parts(diff)).collect();
    let mut read = 0;
    for seed in 1..=400 {
        let mut dice = Dice::new(seed);
        // A few files: the shorter, the likelier is a hit among lines with names.
        let few: String =
            (0..=dice.below(3)).map(|_| parts[dice.below(parts.len())].as_str()).collect();
        let mut lines: Vec<&str> = few.lines().collect();
        for _ in 0..=dice.below(3) {
            let (at, other) = (dice.below(lines.len()), dice.below(lines.len()));
            match dice.below(5) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[other]),
                2 => lines.swap(at, other),
                3 => lines[at] = LINES[dice.below(LINES.len())],
                _ => lines.insert(at, LINES[dice.below(LINES.len())]),
            }
            if lines.is_empty() {
                lines.push("");
            }
        }
        let diff = lines.join("\n") + "\n";
        read += usize::from(agree(&tree, &diff, &format!("seed {seed}")));
    }
    assert!(read > 20, "only {read} are read by both, which says little");
}
