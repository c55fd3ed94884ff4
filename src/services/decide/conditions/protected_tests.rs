//! Every way that a path could be meant which is protected.

use super::*;
use crate::ledger::git_diff::parse;
use crate::services::decide::conditions::Holds;
use crate::sys::sim::Sim;
use std::os::unix::fs::symlink;

fn guard(globs: &[&str], prefix: &str) -> Guard {
    Guard::new(&globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>(), prefix)
}

#[test]
fn orch_and_git_are_always_protected() {
    let guard = guard(&[], "");
    for path in [
        "ORCH/STATE/TASKS.md",
        "orch/orch.yaml",
        "./ORCH/x",
        "a/../ORCH/x",
        "a/b/../../Orch/x",
        "ORCH\\STATE\\x",
        "ORCH./x",
        "ORCH /x",
        "ORCH:x/y",
        "ORCH",
        "OR\u{200c}CH/x",
        ".git/config",
        ".gitattributes",
        ".gitmodules",
        ".github/workflows/ci.yml",
        "a/b/.gitignore",
        "a/.GIT/hooks/x",
        ".git./x",
        "git~1/x",
        ".g\u{200d}it/config",
    ] {
        assert!(guard.covers(path).is_some_and(|why| why.contains("is protected")), "{path}");
    }
    for path in ["../x", "a/../../x", "/etc/passwd", "\\x"] {
        assert!(guard.covers(path).is_some_and(|why| why.contains("leads out")), "{path}");
    }
    for path in ["src/orch/mod.rs", "ORCHARD.md", "docs/git.md", "x.gitignored", "a/b"] {
        assert_eq!(guard.covers(path), None, "{path}");
    }
    // A workspace below the top of its repository.
    let below = self::guard(&[], "services/api/");
    assert!(below.covers("services/api/ORCH/orch.yaml").is_some());
    assert!(below.covers("Services/API/orch/x").is_some());
    assert!(below.covers("ORCH/x").is_some());
    assert_eq!(below.covers("services/api/src/x"), None);
}

#[test]
fn globs_protect_more_rather_than_less() {
    for (glob, path) in [
        ("migrations/**", "migrations/1.sql"),
        ("migrations/**", "Migrations/a/b.sql"),
        ("migrations/**", "migrations"),
        ("migrations/**", "x/../migrations/1.sql"),
        ("migrations/**", "migrations\\1.sql"),
        ("migrations", "service/migrations/1.sql"),
        ("migrations/", "service/migrations/1.sql"),
        ("./db/migrations/", "db/migrations/1.sql"),
        ("/db/migrations", "db/migrations/1.sql"),
        ("db\\migrations\\**", "db/migrations/1.sql"),
        ("db/*", "db/a/b.sql"),
        ("*.sql", "a/b/c.SQL"),
        ("Cargo.lock", "crates/x/Cargo.lock"),
        ("設定/**", "設定/本番.yaml"),
        ("[", "anything"),
    ] {
        assert!(guard(&[glob], "").covers(path).is_some(), "{glob} on {path}");
    }
    for (glob, path) in [
        ("migrations/**", "src/migrations.rs"),
        ("migrations/**", "service/migrations/1.sql"),
        ("db/migrations/**", "db/seed.sql"),
        ("db/migrations/**", "x/db/migrations/1.sql"),
        ("*.sql", "a/sql"),
    ] {
        assert_eq!(guard(&[glob], "").covers(path), None, "{glob} on {path}");
    }
    let below = guard(&["db/**"], "api/");
    assert!(below.covers("api/db/x").is_some() && below.covers("db/x").is_some());
    assert_eq!(
        guard(&["*.md", "db/**"], "").covers("db/x").as_deref(),
        Some("`db/x` is protected (`db/**`)")
    );
}

#[test]
fn links_of_a_diff_lead_nowhere_near() {
    let guard = guard(&["db/migrations/**"], "");
    for (path, target, why) in [
        ("a", "ORCH/STATE", "(`ORCH/**`)"),
        ("a/b", "../orch/x", "(`ORCH/**`)"),
        ("a", "./x/../.git/hooks", "(`.git*`)"),
        ("a", "db/migrations/1.sql", "(`db/migrations/**`)"),
        ("a", "db", "lie below"),
        ("a", ".", "lie below"),
        ("a/b", "..", "lie below"),
        ("a", "../x", "out of the repository"),
        ("a", "/etc/passwd", "out of the repository"),
        ("a", "C:\\x", "out of the repository"),
    ] {
        let told = guard.covers_target(path, target);
        assert!(
            told.as_ref().is_some_and(|told| told.contains(why)),
            "{path} → {target}: {told:?}"
        );
    }
    for (path, target) in [("a", "b"), ("a/b", "../c/d"), ("db/seeds", "../x")] {
        assert_eq!(guard.covers_target(path, target), None, "{path} → {target}");
    }
}

fn holds(diff: &str, top: &Path) -> Holds {
    let files = parse(diff).unwrap();
    let auto = AutoDecide { protected: vec!["safe/**".to_owned()], ..AutoDecide::default() };
    measure(&Sim::new(top).sys(), &files, top, "", &auto).holds
}

fn edit(path: &str) -> String {
    format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n")
}

#[test]
fn every_name_in_a_diff_counts() {
    let top = tempfile::tempdir().unwrap();
    assert_eq!(holds(&edit("free/x"), top.path()), Holds::Yes);
    assert_eq!(holds(&edit("safe/x"), top.path()), Holds::Breach);
    for (what, old, new) in [
        ("rename", "safe/x", "free/x"),
        ("rename", "free/x", "safe/x"),
        ("copy", "safe/x", "free/x"),
        ("copy", "free/x", "SAFE/x"),
    ] {
        let diff = format!(
            "diff --git a/{old} b/{new}\nsimilarity index 100%\n{what} from {old}\n{what} to {new}\n"
        );
        assert_eq!(holds(&diff, top.path()), Holds::Breach, "{what} {old} {new}");
    }
    let link = |target: &str| {
        format!(
            "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n\
             +{target}\n\\ No newline at end of file\n"
        )
    };
    assert_eq!(holds(&link("safe/x"), top.path()), Holds::Breach);
    assert_eq!(holds(&link("free/x"), top.path()), Holds::Yes);
}

#[test]
fn links_of_the_work_tree_are_followed() {
    let temp = tempfile::tempdir().unwrap();
    let top = temp.path().join("top");
    for dir in ["safe", "free/deep", "ORCH"] {
        std::fs::create_dir_all(top.join(dir)).unwrap();
    }
    std::fs::create_dir(temp.path().join("other")).unwrap();
    for (link, target) in [
        ("by", "safe"),
        ("free/up", "../safe"),
        ("file", "safe/x"),
        ("chain", "by"),
        ("state", "ORCH"),
        ("out", "../other"),
        ("nowhere", "missing"),
        ("fine", "free/deep"),
    ] {
        symlink(target, top.join(link)).unwrap();
    }
    for path in ["by/x", "by", "free/up/a/b", "file", "chain/x", "state/x", "out/x", "nowhere"] {
        assert_eq!(holds(&edit(path), &top), Holds::Breach, "{path}");
    }
    for path in ["fine/x", "free/deep/x", "new/folder/x"] {
        assert_eq!(holds(&edit(path), &top), Holds::Yes, "{path}");
    }
}
