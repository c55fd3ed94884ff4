//! Diffs and evidence that people decide on, each for its reason.

use super::repo::{Repo, TRUE, edit};
use std::fs;
use std::os::unix::fs::symlink;

fn rules() -> Repo {
    Repo::new(&format!("{TRUE}\nprotected: [migrations/**]\nmax_lines: 10\nmax_files: 2"))
}

/// Asks, is left alone for this reason, and withdraws.
fn left(repo: &Repo, diff: &str, why: &str) {
    let id = repo.ask(diff);
    repo.decide().is("leave").says(why);
    assert_eq!(repo.status(&id), "pending");
    let _ = repo.ws.run_as("WORK@ada", &format!("withdraw {id}")).ok();
}

#[test]
fn protected_paths_by_every_name() {
    let repo = rules();
    let root = repo.ws.root().to_owned();
    let from = |path: &str| root.join(path);
    left(
        &repo,
        &edit("migrations/1.sql", "select 1;\n", "1", "2"),
        "`migrations/1.sql` is protected",
    );
    left(
        &repo,
        &edit("Migrations/1.sql", "select 1;\n", "1", "2"),
        "is protected (`migrations/**`)",
    );
    let away = repo.diff(|_| fs::rename(from("migrations/1.sql"), from("src/1.sql")).unwrap());
    assert!(away.contains("rename from migrations/1.sql"), "{away}");
    left(&repo, &away, "`migrations/1.sql` is protected");
    let into = repo.diff(|_| fs::rename(from("src/b.txt"), from("migrations/b.txt")).unwrap());
    left(&repo, &into, "`migrations/b.txt` is protected");
    let copy = repo.diff(|_| {
        let _ = fs::copy(from("migrations/1.sql"), from("src/1.sql")).unwrap();
    });
    assert!(copy.contains("copy from migrations/1.sql"), "{copy}");
    left(&repo, &copy, "`migrations/1.sql` is protected");
    let link = repo.diff(|_| symlink("../migrations/1.sql", from("src/link")).unwrap());
    left(&repo, &link, "the link `src/link` would lead to `../migrations/1.sql`");
    for path in [".github/workflows/ci.yml", "src/.gitattributes", "ORCH/orch.yaml", "orch/x"] {
        left(&repo, &edit(path, "a\nb\n", "b", "c"), "is protected (`");
    }
    for path in ["src/../migrations/1.sql", "./migrations/1.sql"] {
        left(&repo, &edit(path, "select 1;\n", "1", "2"), "migrations/1.sql");
    }
}

#[test]
fn protected_paths_through_links_of_the_repository() {
    let repo = rules();
    symlink("migrations", repo.ws.root().join("by")).unwrap();
    symlink("../migrations/1.sql", repo.ws.root().join("src/link")).unwrap();
    repo.commit();
    left(
        &repo,
        &edit("by/1.sql", "select 1;\n", "1", "2"),
        "`by/1.sql` is `migrations/1.sql` by a link",
    );
    left(
        &repo,
        &edit("src/link", "select 1;\n", "1", "2"),
        "`src/link` is `migrations/1.sql` by a link",
    );
    // A link that only the base has.
    fs::remove_file(repo.ws.root().join("by")).unwrap();
    left(
        &repo,
        &edit("by/1.sql", "select 1;\n", "1", "2"),
        "`by/1.sql` is `migrations/1.sql` by a link",
    );
}

#[test]
fn what_is_too_large_secret_or_ends_otherwise() {
    let repo = rules();
    let long = "x\n".repeat(11);
    left(&repo, &repo.diff(|repo| repo.write("src/c.txt", &long)), "it changes 11 lines in 1 file");
    let many = repo.diff(|repo| {
        for name in ["c", "d", "e"] {
            repo.write(&format!("src/{name}"), "x\n");
        }
    });
    left(&repo, &many, "in 3 files; up to 10 lines in 2 files");
    let token = format!("{}_{}", "ghp", "a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8");
    let secret = repo.diff(|repo| repo.write("src/c", &format!("x\ntoken = \"{token}\"\n")));
    left(&repo, &secret, "`src/c` would get a secret in line 2 (github-token)");
    let ends = edit("src/a.txt", "one\ntwo\nthree\n", "two", "TWO\r");
    left(&repo, &ends, "line 2 would end in CRLF");
    // What only stands for a secret is none.
    let placeholder =
        "password = \"CHANGEME123\"\ntoken: <your-token-1>\napi_key = \"${API_KEY_1}\"\n";
    let _ = repo.ask(&repo.diff(|repo| repo.write("src/c", placeholder)));
    repo.decide().is("approve");
}

#[test]
fn what_cannot_be_judged() {
    let repo = rules();
    let binary = repo.diff(|repo| fs::write(repo.ws.root().join("src/c"), b"\0\x01").unwrap());
    left(&repo, &binary, "`src/c` is binary");
    let other = repo.head();
    let module = format!(
        "diff --git a/m b/m\nnew file mode 160000\nindex 0000000..{short}\n--- /dev/null\n+++ b/m\n\
         @@ -0,0 +1 @@\n+Subproject commit {other}\n",
        short = &other[..7]
    );
    left(&repo, &module, "`m` is a submodule");
    left(
        &repo,
        &edit("src/a.txt", "one\nelse\nthree\n", "else", "x"),
        "does not apply to its base",
    );
    left(&repo, &edit("src/no.txt", "a\nb\n", "b", "c"), "does not apply to its base");
    left(&repo, "nothing like a diff\n", "cannot be read: line 1");
    let id = repo.ask_with(&Repo::small(), |front| front.files.clear());
    repo.decide().is("leave").says("does not list `src/a.txt`");
    let _ = repo.ws.run_as("WORK@ada", &format!("withdraw {id}")).ok();
    let id = repo.ask_with(&Repo::small(), |front| front.files[0].sha256 = Some("0".repeat(64)));
    repo.decide().is("leave").says("`src/a.txt` does not become what its evidence lists");
    let _ = repo.ws.run_as("WORK@ada", &format!("withdraw {id}")).ok();
    let id = repo.ask_with(&Repo::small(), |front| front.appr_id = "A001".to_owned());
    repo.decide().is("leave").says("was made for `A001` of `T-1`");
    let _ = repo.ws.run_as("WORK@ada", &format!("withdraw {id}")).ok();
    let _ = repo.ask_with(&Repo::small(), |front| front.sha256 = "0".repeat(64));
    repo.decide().is("leave").says("was altered: it has another SHA-256");
}

#[test]
fn evidence_that_is_gone_altered_or_none_of_ours() {
    let repo = rules();
    let withdraw = |id: &str| drop(repo.ws.run_as("WORK@ada", &format!("withdraw {id}")).ok());
    let path = |id: &str| repo.ws.root().join(format!("ORCH/patches/2026-01/T-1-{id}.diff.md"));
    let id = repo.ask(&Repo::small());
    let text = fs::read_to_string(path(&id)).unwrap();
    fs::write(path(&id), text.replace("# x", "# y")).unwrap();
    repo.decide().is("leave").says("was altered since it was asked for");
    fs::remove_file(path(&id)).unwrap();
    repo.decide().is("leave").says("is not there");
    withdraw(&id);
    withdraw(&{
        let id = repo.ask_by("WORK@ada", "# what I did\n\nI wrote it.\n");
        repo.decide().is("leave").says("is no evidence that `orch` wrote");
        id
    });
    let _ = repo.ws.run_as("WORK@ada", "request T-1 --op talk").ok();
    repo.decide().is("leave").says("it names no evidence");
}

#[test]
fn bases_that_are_not_of_the_history() {
    let repo = rules();
    let withdraw = |id: &str| drop(repo.ws.run_as("WORK@ada", &format!("withdraw {id}")).ok());
    let small = Repo::small();
    let with = |base: Option<String>, why: &str| {
        let id = repo.ask_with(&small, |front| front.base = base);
        repo.decide().is("leave").says(why);
        withdraw(&id);
    };
    with(None, "names no commit as its base");
    with(Some("0".repeat(40)), "is not in the repository");
    with(Some("HEAD".to_owned()), "is no whole name of a commit");
    with(Some(format!("--output={}", "x".repeat(31))), "is no whole name of a commit");
    // Prepared beside the history, where the tests may be others.
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let beside = repo.git(&["commit-tree", "-m", "beside", tree.trim()]);
    with(Some(beside.trim().to_owned()), "is not in the history of HEAD");
    // An older commit of the history is as good as the newest.
    let before = repo.head();
    repo.write("src/b.txt", "other\n");
    repo.git(&["commit", "-qam", "y"]);
    let _ = repo.ask_with(&small, |front| front.base = Some(before));
    repo.decide().is("approve");
}

#[test]
fn a_workspace_without_a_repository() {
    let repo = rules();
    let diff = Repo::small();
    let id = repo.ask(&diff);
    fs::remove_dir_all(repo.ws.root().join(".git")).unwrap();
    repo.decide().is("leave").says("is in no repository of git");
    assert_eq!(repo.status(&id), "pending");
}
