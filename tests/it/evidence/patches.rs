//! Patches that are handed in: to be applied, applied, or for somewhere else.

use super::tree::{File, Tree};
use orch::error::{ErrorKind, Result};
use orch::services::evidence::patch::of_patch;
use orch::services::evidence::work_tree::Change;
use orch::store::layout::Layout;
use std::fs;

fn take(tree: &Tree, patch: &str) -> Result<Change> {
    of_patch(&tree.ws.sys(b""), &Layout::new(tree.ws.root()), tree.ws.root(), patch)
}

#[track_caller]
fn refused(tree: &Tree, patch: &str, kind: ErrorKind, why: &str) {
    let error = take(tree, patch).unwrap_err();
    assert!(error.kind == kind && error.message.contains(why), "{error:?}");
}

fn sha(text: &str) -> String {
    File::Plain(text.into(), false).sha()
}

/// `x` of three lines in HEAD, and a patch that changes the second, renames
/// nothing, makes `new` and deletes `old`.
fn ground() -> (Tree, String) {
    let tree = Tree::new();
    tree.put("x", b"1\n2\n3\n");
    tree.put("old", b"old\n");
    tree.commit();
    tree.put("x", b"1\ntwo\n3\n");
    tree.put("new", b"new\n");
    fs::remove_file(tree.at("old")).unwrap();
    tree.git("add -A");
    let patch = tree.git("diff --cached");
    (tree, patch)
}

#[track_caller]
fn knows(change: &Change) {
    let found: Vec<_> =
        change.files.iter().map(|f| (f.path.as_str(), f.sha256.clone(), f.deleted)).collect();
    let (new, x) = (Some(sha("new\n")), Some(sha("1\ntwo\n3\n")));
    assert_eq!(found, [("new", new, false), ("old", None, true), ("x", x, false)]);
}

#[test]
fn what_a_patch_leads_to_is_known_where_git_can_tell() {
    let (tree, patch) = ground();
    let head = tree.git("rev-parse HEAD").trim().to_owned();
    // Applied, and not committed: it fits HEAD.
    let applied = take(&tree, &patch).unwrap();
    knows(&applied);
    assert_eq!((applied.base.as_deref(), &applied.worktree), (Some(head.as_str()), &None));
    assert_eq!(applied.diff, patch);
    // Yet to be applied, and the same from a mail.
    tree.git("reset -q --hard");
    let before = (tree.files(), tree.repository());
    assert_eq!(take(&tree, &patch).unwrap(), applied);
    let mail = format!("From: ada\n\n---\n x | 2\n\n{patch}-- \n2.40.0\n\n");
    assert_eq!(take(&tree, &mail).unwrap(), applied);
    // Content that the repository does not have yet.
    let other = patch.replace("+two", "+three");
    assert_eq!(take(&tree, &other).unwrap().files[2].sha256, Some(sha("1\nthree\n3\n")));
    assert_eq!((tree.files(), tree.repository()), before, "nothing is touched");
    // It fits what is staged.
    tree.put("x", b"0\n1\n2\n3\n");
    tree.put("old", b"old\n");
    let edited = patch.replace("@@ -1,3 +1,3 @@\n 1", "@@ -1,4 +1,4 @@\n 0\n 1");
    refused_base(&tree, &edited, None);
    tree.git("add x");
    let staged = take(&tree, &edited).unwrap();
    assert_eq!((staged.base, staged.files[2].sha256.clone()), (None, Some(sha("0\n1\ntwo\n3\n"))));
    // It was applied and committed.
    tree.git("reset -q --hard");
    let ran = Tree::run(tree.ws.root(), &["apply", "-"], patch.as_bytes());
    assert!(ran.status.success());
    tree.commit();
    let committed = take(&tree, &patch).unwrap();
    knows(&committed);
    assert_eq!(committed.base, None);
    assert_eq!(tree.scratch(), Vec::<String>::new());
}

/// The patch is taken, and nothing is known of what it leads to.
#[track_caller]
fn refused_base(tree: &Tree, patch: &str, base: Option<&str>) {
    let change = take(tree, patch).unwrap();
    assert_eq!(change.base.as_deref(), base);
    assert!(change.files.iter().all(|file| file.sha256.is_none()), "{change:?}");
}

#[test]
fn where_there_is_no_repository_a_patch_is_taken_as_it_is() {
    let (tree, patch) = ground();
    fs::remove_dir_all(tree.at(".git")).unwrap();
    refused_base(&tree, &patch, None);
    let plain = "--- x.orig\t2024-05-01 12:00:00 +0000\n+++ x\t2024-05-02 12:00:00 +0000\n\
                 @@ -1 +1 @@\n-a\n+b";
    let change = take(&tree, plain).unwrap();
    assert_eq!(change.diff, format!("{plain}\n"));
    let orch = patch.replace("/x", "/ORCH/x");
    refused(&tree, &orch, ErrorKind::NotAllowed, "`ORCH/x`");
}

#[test]
fn links_and_line_ends_are_hashed_as_they_will_be() {
    let tree = Tree::new();
    tree.ws.write(".gitattributes", "*.txt text eol=crlf\n");
    tree.put("a.txt", b"1\r\n");
    tree.commit();
    tree.put("a.txt", b"2\r\n");
    std::os::unix::fs::symlink("a.txt", tree.at("link")).unwrap();
    tree.git("add -A");
    let patch = tree.git("diff --cached");
    tree.git("reset -q --hard");
    let change = take(&tree, &patch).unwrap();
    assert_eq!(change.files[0].sha256, Some(sha("2\r\n")));
    assert_eq!(change.files[1].sha256, Some(sha("a.txt")), "a link is the path that it names");
}

#[test]
fn what_no_patch_may_touch_is_refused() {
    let (tree, patch) = ground();
    for (path, why) in [
        ("ORCH/STATE/TASKS.md", "which only commands change"),
        ("../x", "leads out of the repository"),
        ("a/../../x", "leads out of the repository"),
        ("/etc/passwd", "leads out of the repository"),
        (".git/config", "into `.git`"),
        ("sub/.GIT/hooks/pre-commit", "into `.git`"),
    ] {
        let patch = patch.replace("a/x", &format!("a/{path}"));
        let patch = patch.replace("b/x", &format!("b/{path}"));
        refused(&tree, &patch, ErrorKind::NotAllowed, why);
    }
    refused(&tree, "", ErrorKind::Usage, "the patch is empty");
    refused(&tree, "hello\n", ErrorKind::Usage, "line 1: this is no part of a diff");
    let broken = format!("Subject: x\n\n{}", patch.replace("+two\n", ""));
    refused(&tree, &broken, ErrorKind::Usage, "line 25: ");
    refused(&tree, &patch.replace("+two", "+t\0o"), ErrorKind::Usage, "NUL");
}
