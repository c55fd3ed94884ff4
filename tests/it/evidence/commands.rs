//! `orch evidence`: what is told of evidence, and the change made by it.

use super::tree::{File, Tree};
use crate::support::workspace::{APPROVALS, Ran};
use serde_json::Value;
use std::fs;

const FILE: &str = "ORCH/patches/2026-01/001-A001.diff.md";

/// A task of somebody's, `x` of two lines in HEAD, another second line now, a
/// new file in a folder, and a request with all that.
fn asked() -> Tree {
    let tree = Tree::new();
    let _ = tree.ws.run("add One --state READY --as CMD@eve").ok();
    tree.put("x", b"1\n2\n");
    tree.commit();
    let _ = tree.ws.run("claim 001 --as WORK@ada").ok();
    tree.put("x", b"1\ntwo\n");
    tree.put("d/new", b"new\n");
    let _ = tree.ws.run("request 001 --op merge --diff --as WORK@ada").ok();
    tree
}

/// Adds a row that somebody typed.
fn typed(tree: &Tree, id: &str, evidence: &str) {
    let text = tree.ws.read(APPROVALS);
    let row = format!(
        "| {id} | 001 | x | pending | WORK@ada | - | - | 2026-01-01T09:00:00Z | - | {evidence} |\n"
    );
    let at = text.rfind("| A").or_else(|| text.rfind("| -")).unwrap();
    let at = at + text[at..].find('\n').unwrap() + 1;
    tree.ws.write(APPROVALS, format!("{}{row}{}", &text[..at], &text[at..]));
}

fn verify(tree: &Tree, words: &str, exit: u8) -> Vec<Value> {
    let ran = tree.ws.run(&format!("evidence verify {words} --json")).exit(exit);
    let answer = ran.json();
    assert_eq!(answer["kind"], "evidence.verify");
    assert_eq!(answer["data"]["total"], answer["data"]["evidence"].as_array().unwrap().len());
    answer["data"]["evidence"].as_array().unwrap().clone()
}

#[track_caller]
fn stands(tree: &Tree, id: &str, exit: u8, status: &str) -> Value {
    let found = verify(tree, id, exit);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["status"], status, "{found:?}");
    found[0].clone()
}

#[track_caller]
fn says(ran: Ran, exit: u8, why: &str) {
    let ran = ran.exit(exit);
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
}

#[test]
fn what_is_shown_is_what_is_there() {
    let tree = asked();
    let answer = tree.ws.run("evidence show A001 --json").ok().json();
    let evidence = &answer["data"]["evidence"];
    let bytes = fs::read(tree.at(FILE)).unwrap();
    assert_eq!(evidence["sha256"], File::Plain(bytes.clone(), false).sha());
    assert_eq!((&evidence["path"], &evidence["task_id"]), (&FILE.into(), &"001".into()));
    assert_eq!(evidence["base"], tree.git("rev-parse HEAD").trim());
    assert_eq!(evidence["worktree"], "[ROOT]");
    assert_eq!(evidence["text"], Value::Null);
    let diff = evidence["diff"].as_str().unwrap();
    assert!(String::from_utf8(bytes).unwrap().contains(&format!("```diff\n{diff}```\n")));
    assert_eq!(evidence["diff_sha256"], File::Plain(diff.into(), false).sha());
    let new = &evidence["files"][0];
    assert_eq!(new["sha256"], File::Plain(b"new\n".to_vec(), false).sha());
    assert_eq!((&new["path"], &new["added"]), (&"d/new".into(), &1.into()));
    // What is piped is what git takes.
    let shown = tree.ws.run("evidence show A001").ok().stdout;
    tree.clean_checkout(&shown, |clean| assert_eq!(clean, &tree.files()));
    // On a terminal nothing of it drives the terminal.
    tree.put("x", b"1\n\x1b]0;gotcha\x07\n");
    let _ = tree.ws.run("request 001 --op other --diff --as WORK@ada").ok();
    tree.ws.columns(80);
    let shown = tree.ws.run("evidence show A002").ok().stdout;
    assert!(shown.contains("\x1b[32m+\\u{1b}]0;gotcha\\u{7}\x1b[0m\n"), "{shown:?}");
}

#[test]
fn one_byte_is_enough() {
    let tree = asked();
    let whole = fs::read(tree.at(FILE)).unwrap();
    let found = stands(&tree, "A001", 0, "ok");
    assert_eq!((&found["sha256"], &found["reason"]), (&found["expected"], &Value::Null));
    for at in (0..whole.len()).step_by(37) {
        let mut other = whole.clone();
        other[at] ^= 1;
        tree.ws.write(FILE, &other);
        let found = stands(&tree, "A001", 9, "altered");
        assert_ne!(found["sha256"], found["expected"], "{at}");
    }
    for other in [&whole[..whole.len() - 1], b"", &[0xff; 9]] {
        tree.ws.write(FILE, other);
        stands(&tree, "A001", 9, "altered");
        says(tree.ws.run("evidence show A001"), 0, "was altered");
        says(tree.ws.run("evidence apply A001 --check"), 9, "was altered");
    }
    tree.ws.write(FILE, &whole);
    stands(&tree, "A001", 0, "ok");
}

#[test]
fn what_cannot_be_read_is_missing_or_unsafe() {
    let tree = asked();
    fs::remove_file(tree.at(FILE)).unwrap();
    assert_eq!(stands(&tree, "A001", 9, "missing")["sha256"], Value::Null);
    says(tree.ws.run("evidence apply A001"), 9, "is not there");
    // 65 MiB that take no room on the disk.
    fs::File::create(tree.at(FILE)).unwrap().set_len(65 << 20).unwrap();
    stands(&tree, "A001", 9, "missing");
    says(tree.ws.run("evidence show A001"), 9, "more than the 67108864");
    fs::remove_file(tree.at(FILE)).unwrap();
    fs::create_dir(tree.at(FILE)).unwrap();
    says(tree.ws.run("evidence show A001"), 9, "is not a regular file");
    fs::remove_dir(tree.at(FILE)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", tree.at(FILE)).unwrap();
    stands(&tree, "A001", 10, "unsafe");
    says(tree.ws.run("evidence show A001"), 10, "leads out of the workspace");
    says(tree.ws.run("evidence apply A001"), 10, "leads out of the workspace");
}

#[test]
fn what_people_typed_is_taken_as_it_is() {
    let tree = asked();
    tree.ws.write("ORCH/orch.yaml", "evidence: {root: 'C:\\Users\\User\\Repo'}\n");
    tree.ws.write("ORCH/patches/2025-10/006-A007.diff.md", "# By hand\n\n```diff\n-a\n+b\n```\n");
    tree.ws.write("logo.png", [0x89, b'P', b'N', b'G', 0, 0xff]);
    for (id, cell) in [
        ("A010", r"C:\\Users\\User\\Repo\\ORCH\\patches\\2025-10\\006-A007.diff.md"),
        ("A011", "coverage.xml, other.txt"),
        ("A012", "見た。よい"),
        ("A013", "logo.png"),
        ("A014", r"D:\elsewhere\x.md"),
        ("A015", "-"),
        ("A016", "ORCH/../../x"),
    ] {
        typed(&tree, id, cell);
    }
    let found = verify(&tree, "", 10);
    let of = |id: &str| found.iter().find(|one| one["appr_id"] == id).cloned();
    for (id, status) in [
        ("A001", "ok"),
        ("A010", "unrecorded"),
        ("A011", "missing"),
        ("A012", "missing"),
        ("A013", "unrecorded"),
        ("A014", "missing"),
        ("A016", "unsafe"),
    ] {
        assert_eq!(of(id).unwrap()["status"], status, "{id}");
    }
    assert_eq!(of("A010").unwrap()["path"], "ORCH/patches/2025-10/006-A007.diff.md");
    assert_eq!(of("A015"), None);
    says(tree.ws.run("evidence show A015"), 3, "names no evidence");
    says(tree.ws.run("evidence verify A015"), 3, "names no evidence");
    let shown = tree.ws.run("evidence show A010 --json").ok().json();
    assert_eq!(shown["data"]["evidence"]["text"], "# By hand\n\n```diff\n-a\n+b\n```\n");
    let shown = tree.ws.run("evidence show A013").ok().stdout;
    assert!(shown.ends_with("\n\u{fffd}PNG\\u{0}\u{fffd}\n"), "{shown:?}");
    says(tree.ws.run("evidence apply A013"), 10, "holds no diff");
    // The next change journals what it sees.
    let _ = tree.ws.run("note 001 text --as WORK@ada").ok();
    let found = verify(&tree, "A010 A013", 0);
    assert!(found.iter().all(|one| one["status"] == "ok"), "{found:?}");
    tree.ws.write("logo.png", "other");
    stands(&tree, "A013", 9, "altered");
}

#[test]
fn evidence_that_contradicts_itself_is_altered() {
    let tree = asked();
    let whole = tree.ws.read(FILE);
    for (n, other) in [
        whole.replace("+two", "+six"),
        whole.replace("path: d/new", "path: d/old"),
        whole.replace("removed: 1", "removed: 0"),
    ]
    .iter()
    .enumerate()
    {
        assert_ne!(*other, whole);
        tree.ws.write("other.md", other);
        let request = format!("request 001 --op op{n} --evidence other.md --as WORK@ada");
        let _ = tree.ws.run(&request).ok();
        let found = stands(&tree, &format!("A00{}", n + 2), 9, "altered");
        assert_eq!(found["sha256"], found["expected"], "as it was asked for, and never right");
    }
}

#[test]
fn a_change_is_made_as_a_whole_or_not_at_all() {
    let tree = asked();
    let changed = tree.files();
    fs::remove_dir_all(tree.at("d")).unwrap();
    tree.git("checkout -q x");
    let clean = tree.files();
    let apply = |words: &str| tree.ws.run(&format!("evidence apply A001 {words}"));
    let _ = apply("--check").ok();
    assert_eq!(tree.files(), clean);
    // One of two files does not fit.
    tree.put("d/new", b"mine\n");
    let mine = tree.files();
    says(apply(""), 9, "d/new: already exists in working directory");
    says(apply("--check"), 9, "nothing was changed");
    assert_eq!(tree.files(), mine);
    fs::remove_dir_all(tree.at("d")).unwrap();
    // From a folder below, whatever the settings say.
    fs::create_dir(tree.at("e")).unwrap();
    tree.git("config apply.whitespace error-all");
    tree.git("config apply.ignoreWhitespace change");
    tree.ws.cd("e");
    let answer = apply("--json").ok().json();
    assert_eq!(
        (&answer["kind"], &answer["data"]["already"]),
        (&"evidence.apply".into(), &false.into())
    );
    assert_eq!(answer["data"]["files"], serde_json::json!(["d/new", "x"]));
    assert_eq!(tree.files(), changed);
    assert_eq!(apply("--json").ok().json()["data"]["already"], true);
    let _ = apply("--reverse --check").ok();
    assert_eq!(tree.files(), changed);
    let _ = apply("-R").ok();
    assert_eq!(tree.files(), clean);
    assert_eq!(apply("-R --json").ok().json()["data"]["already"], true);
    stands(&tree, "A001", 0, "ok");
}

#[test]
fn no_change_reaches_the_ledger_or_leaves_the_work_tree() {
    let tree = asked();
    let before = tree.ws.read(APPROVALS);
    let make = |path: &str| {
        format!(
            "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n"
        )
    };
    let link = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+..\n\\ No newline at end of file\n";
    for (n, (patch, exit, why)) in [
        (make("ORCH/STATE/FLAGS.md"), 4, "lies in `ORCH/`"),
        (make("../out"), 4, "leads out of"),
        (make(".git/hooks/post-checkout"), 4, "into `.git`"),
        (format!("{link}{}", make("l/out")), 9, "beyond a symbolic link"),
    ]
    .into_iter()
    .enumerate()
    {
        tree.ws.write("p.patch", patch);
        let request = format!("request 001 --op op{n} --evidence p.patch --as WORK@ada");
        let _ = tree.ws.run(&request).ok();
        says(tree.ws.run(&format!("evidence apply A00{}", n + 2)), exit, why);
    }
    assert!(!tree.ws.root().with_file_name("out").exists() && !tree.at("l").exists());
    assert!(!tree.at("ORCH/STATE/FLAGS.md").exists());
    assert!(tree.ws.read(APPROVALS).starts_with(before.trim_end_matches(|c| c != '|')));
    fs::remove_dir_all(tree.at(".git")).unwrap();
    says(tree.ws.run("evidence apply A001"), 2, "lies in no work tree of git");
}

#[test]
fn damaged_binary_content_is_not_half_applied() {
    let tree = asked();
    tree.put("b.bin", &[0, 1, 2, 3]);
    let _ = tree.ws.run("request 001 --op more --diff --as WORK@ada").ok();
    let diff = tree.ws.run("evidence show A002 --json").ok().json();
    let diff = diff["data"]["evidence"]["diff"].as_str().unwrap();
    let at = diff.find("literal 4\nL").unwrap() + "literal 4\nL".len();
    // Another digit: the content no longer unpacks.
    let damaged = format!("{}{}{}", &diff[..at + 3], "0", &diff[at + 4..]);
    assert_ne!(damaged, diff);
    let (x, rest) = damaged.split_once("diff --git a/d/new").unwrap();
    let damaged = format!("diff --git a/d/new{rest}{x}");
    tree.ws.write("p.patch", &damaged);
    let _ = tree.ws.run("request 001 --op binary --evidence p.patch --as WORK@ada").ok();
    for file in ["b.bin", "d/new"] {
        fs::remove_file(tree.at(file)).unwrap();
    }
    tree.git("checkout -q x");
    let clean = tree.files();
    says(tree.ws.run("evidence apply A003"), 10, "git reads the diff otherwise");
    assert_eq!(tree.files(), clean);
    let words = ["request", "001", "--op", "y", "--patch", "-", "--as", "WORK@ada"];
    let ran = tree.ws.run_words(&words.map(str::to_owned), damaged.as_bytes());
    says(ran, 2, "git reads the diff otherwise");
}

#[test]
fn two_work_trees_share_the_evidence() {
    let tree = asked();
    let linked = tree.ws.root().with_file_name("linked");
    tree.git(&format!("worktree add -q --detach {}", linked.display()));
    tree.ws.cd("../linked");
    let answer = tree.ws.run("evidence apply A001 --json").ok().json();
    assert_eq!(answer["data"]["already"], false);
    assert_eq!(fs::read(linked.join("x")).unwrap(), b"1\ntwo\n");
}
