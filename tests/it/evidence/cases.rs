//! Single cases of diffs: where there is no commit, no repository or nothing to
//! say, and what git hides or holds otherwise.

use super::tree::{File, Tree};
use orch::error::ErrorKind;
use orch::services::evidence::work_tree::{Change, of_work_tree};
use orch::store::layout::Layout;
use orch::sys::Sys;
use orch::sys::sim::FaultFs;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn paths(change: &Change) -> Vec<&str> {
    change.files.iter().map(|file| file.path.as_str()).collect()
}

#[track_caller]
fn refused(tree: &Tree, rev: Option<&str>, kind: ErrorKind, why: &str) {
    let error = tree.change(rev).unwrap_err();
    assert!(error.kind == kind && error.message.contains(why), "{error:?}");
    assert_eq!(tree.scratch(), Vec::<String>::new());
}

/// A repository whose one commit has `x` of one line.
fn small() -> Tree {
    let tree = Tree::new();
    tree.put("x", b"one\n");
    tree.commit();
    tree
}

#[test]
fn before_the_first_commit_everything_is_new() {
    let tree = Tree::new();
    tree.put("x", b"one\n");
    tree.put("y.log", b"");
    tree.ws.write(".gitignore", "*.log\n");
    let change = tree.change(None).unwrap();
    assert_eq!((change.base.as_deref(), paths(&change)), (None, vec![".gitignore", "x"]));
    assert!(change.diff.contains("new file mode 100644"));
    assert_eq!(tree.change(Some("HEAD")).unwrap(), change);
    refused(&tree, Some("main"), ErrorKind::Usage, "`main` names no commit");
}

#[test]
fn where_nothing_differs_there_is_no_evidence() {
    let tree = small();
    tree.ws.write("ORCH/notes.md", "mine\n");
    refused(&tree, None, ErrorKind::Usage, "nothing outside of `ORCH/` differs from `HEAD`");
    refused(&tree, Some("nope"), ErrorKind::Usage, "`nope` names no commit");
    refused(&tree, Some("--output=x"), ErrorKind::Usage, "`--output=x` names no commit");
    fs::remove_dir_all(tree.at(".git")).unwrap();
    refused(&tree, None, ErrorKind::Usage, "lies in no work tree of git");
}

#[test]
fn an_older_commit_shows_what_came_since() {
    let tree = small();
    tree.put("y", b"two\n");
    tree.commit();
    tree.put("z", b"three\n");
    let change = tree.change(Some("HEAD~1")).unwrap();
    assert_eq!(paths(&change), ["y", "z"]);
    assert_eq!(change.base.as_deref(), Some(tree.git("rev-parse HEAD~1").trim()));
    assert_eq!((change.files[0].added, change.files[0].removed), (1, 0));
    fs::create_dir(tree.at("dir")).unwrap();
    assert_eq!(tree.change_at("dir", Some("HEAD~1")).unwrap(), change, "from any folder");
}

#[test]
fn a_linked_work_tree_is_its_own_and_has_no_ledger() {
    let tree = Tree::new();
    tree.ws.write("sub/ORCH/STATE/TASKS.md", tree.ws.read("ORCH/STATE/TASKS.md"));
    tree.put("x", b"one\n");
    tree.commit();
    let linked = tree.ws.root().with_file_name("linked");
    tree.git(&format!("worktree add -q {}", linked.display()));
    fs::write(linked.join("x"), "two\n").unwrap();
    fs::write(linked.join("ORCH/STATE/TASKS.md"), "old\n").unwrap();
    fs::write(linked.join("sub/ORCH/STATE/TASKS.md"), "old\n").unwrap();
    let of = |root: &Path| of_work_tree(&tree.ws.sys(b""), &Layout::new(root), &linked, None);
    let change = of(tree.ws.root()).unwrap();
    assert_eq!(change.worktree.as_deref(), linked.to_str());
    assert_eq!(paths(&change), ["sub/ORCH/STATE/TASKS.md", "x"]);
    let change = of(&tree.at("sub")).unwrap();
    assert_eq!(paths(&change), ["ORCH/STATE/TASKS.md", "x"], "of this workspace only");
    // Inside of the main one it is another's, not an untracked file.
    tree.git("worktree add -q inner");
    refused(&tree, None, ErrorKind::Usage, "nothing");
}

#[test]
fn line_ends_are_what_git_makes_of_them() {
    let tree = Tree::new();
    tree.ws.write(".gitattributes", "*.txt text eol=crlf\n");
    tree.put("a.txt", b"one\r\ntwo\r\n");
    tree.put("b.txt", b"one\r\n");
    tree.commit();
    tree.put("a.txt", b"one\r\nthree\r\n");
    tree.put("c.txt", b"new \xe9\r\n");
    let change = tree.change(None).unwrap();
    assert_eq!(paths(&change), ["a.txt", "c.txt"]);
    let now = tree.files();
    tree.clean_checkout(&change.diff, |clean| assert_eq!(clean, &now));
    assert_eq!(change.files[0].sha256, Some(now["a.txt"].sha()));
}

#[test]
fn the_index_hides_nothing() {
    let tree = small();
    tree.put("y", b"one\n");
    tree.put("forced.log", b"log\n");
    tree.put("new", b"new\n");
    tree.ws.write(".gitignore", "*.log\n");
    tree.git("add y");
    tree.git("add -f forced.log");
    tree.git("add -N new");
    tree.git("update-index --assume-unchanged y");
    tree.git("update-index --skip-worktree x");
    tree.put("y", b"two\n");
    tree.put("x", b"eno\n");
    let before = tree.repository();
    let change = tree.change(None).unwrap();
    assert_eq!(paths(&change), [".gitignore", "forced.log", "new", "x", "y"]);
    assert!(change.diff.contains("+two\n") && change.diff.contains("+eno\n"), "{}", change.diff);
    assert_eq!(tree.repository(), before);
}

#[test]
fn a_sparse_checkout_deletes_nothing() {
    let tree = small();
    tree.put("far/y", b"one\n");
    tree.put("near/z", b"one\n");
    tree.commit();
    tree.git("sparse-checkout set near ORCH");
    assert!(!tree.at("far").exists());
    tree.put("near/z", b"two\n");
    assert_eq!(paths(&tree.change(None).unwrap()), ["near/z"]);
}

#[test]
fn a_merge_that_stopped_shows_its_marks() {
    let tree = small();
    tree.git("checkout -q -b other");
    tree.put("x", b"theirs\n");
    tree.put("gone", b"theirs\n");
    tree.commit();
    tree.git("checkout -q main");
    tree.put("x", b"ours\n");
    tree.commit();
    let merge = Tree::run(tree.ws.root(), &["merge", "-q", "other"], b"");
    assert!(!merge.status.success());
    let now = tree.files();
    let change = tree.change(None).unwrap();
    assert_eq!(paths(&change), ["gone", "x"]);
    tree.clean_checkout(&change.diff, |clean| assert_eq!(clean, &now));
}

#[test]
fn repositories_inside_are_left_out_and_submodules_are_commits() {
    let tree = small();
    let inner = tree.at("inner");
    fs::create_dir(&inner).unwrap();
    let git = |words: &str| {
        let ran = Tree::run(&inner, &words.split(' ').collect::<Vec<_>>(), b"");
        assert!(ran.status.success(), "{words}");
    };
    git("init -q -b main");
    refused(&tree, None, ErrorKind::Usage, "nothing");
    fs::write(inner.join("f"), "f\n").unwrap();
    git("add f");
    git("commit -q -m f");
    tree.git("-c advice.addEmbeddedRepo=false add inner");
    tree.git("commit -q -m inner");
    git("commit -q --allow-empty -m g");
    fs::write(inner.join("dirt"), "f\n").unwrap();
    let change = tree.change(None).unwrap();
    assert_eq!(paths(&change), ["inner"]);
    assert!(change.diff.contains("+Subproject commit ") && !change.diff.contains("-dirty"));
    assert_eq!((change.files[0].sha256.as_ref(), change.files[0].deleted), (None, false));
}

#[test]
fn other_encodings_are_kept_as_binary() {
    let tree = small();
    tree.ws.write(".gitattributes", "*.java diff=java\n*.odd diff=odd\n*.set diff\n");
    tree.ws.write(".git/info/attributes", "global* diff=java\n");
    tree.git("config diff.odd.textconv false");
    tree.commit();
    for name in ["a.java", "b.odd", "sub dir/c[1].txt", "global"] {
        tree.put(name, b"caf\xe9\n");
    }
    tree.put("utf.java", "café\n".as_bytes());
    let now = tree.files();
    let change = tree.change(None).unwrap();
    assert_eq!(change.diff.matches("GIT binary patch\n").count(), 4);
    assert!(change.diff.contains("\n+café\n"), "what is text stays text");
    tree.clean_checkout(&change.diff, |clean| assert_eq!(clean, &now));
    tree.put("x.set", b"caf\xe9\n");
    refused(&tree, None, ErrorKind::Usage, "`x.set` is not UTF-8");
}

#[test]
fn a_name_that_is_not_text_is_refused_where_it_changes() {
    use std::os::unix::ffi::OsStrExt as _;
    let tree = small();
    let name = tree.ws.root().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::write(&name, "1").unwrap();
    refused(&tree, None, ErrorKind::Usage, "the name is not UTF-8");
    tree.commit();
    tree.put("x", b"two\n");
    assert_eq!(paths(&tree.change(None).unwrap()), ["x"]);
    fs::write(&name, "2").unwrap();
    refused(&tree, None, ErrorKind::Usage, "the name is not UTF-8");
}

/// The world with a lever: somebody saves `x` before a call.
fn with_saves(tree: &Tree) -> (Arc<FaultFs>, Sys) {
    let sys = tree.ws.sys(b"");
    let faults = Arc::new(FaultFs::new(sys.fs.clone()));
    (faults.clone(), Sys { fs: faults, ..sys })
}

#[test]
fn a_save_while_the_files_are_hashed_is_seen() {
    let tree = small();
    tree.put("x", b"two\n");
    let (faults, sys) = with_saves(&tree);
    let layout = Layout::new(tree.ws.root());
    let run = || of_work_tree(&sys, &layout, tree.ws.root(), None);
    run().unwrap();
    let hashing = 1 + faults.calls().iter().position(|call| call == "lstat x").unwrap();
    faults.reset();
    let x = tree.at("x");
    faults.before(hashing, move || fs::write(x, "six\n").unwrap());
    let change = run().unwrap();
    assert_eq!(change.files[0].sha256, Some(File::Plain(b"six\n".to_vec(), false).sha()));
    assert!(change.diff.contains("\n+six\n"), "{}", change.diff);
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let tree = small();
    tree.put("x", b"two\n");
    let (faults, sys) = with_saves(&tree);
    let layout = Layout::new(tree.ws.root());
    let run = || of_work_tree(&sys, &layout, tree.ws.root(), None);
    run().unwrap();
    let writing = 1 + faults.calls().iter().position(|c| c.starts_with("write_all")).unwrap();
    faults.reset();
    faults.fail_at(writing, 28);
    assert_eq!(run().unwrap_err().kind, ErrorKind::Failed);
    assert_eq!(tree.scratch(), Vec::<String>::new());
}
