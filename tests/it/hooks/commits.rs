//! What the hooks do when somebody commits.

use super::ground::{Repo, TASKS, ran, row, table};
use std::fs;
use std::process::Command;

const MARKS: &str = "\n<<<<<<< ours\none\n=======\ntwo\n>>>>>>> theirs\n";

/// A ledger with an id that stands twice, in the index' own words.
fn twice() -> String {
    table(&[row("1", "One"), row("1", "Two")])
}

#[test]
fn every_way_to_commit_is_looked_at() {
    let mut repo = Repo::installed();
    repo.write(TASKS, &table(&[row("1", "One")]));
    repo.write("src/x", "1\n");
    repo.commit_all("good");
    repo.write("src/x", "2\n");
    repo.write(TASKS, &twice());
    let refused = |repo: &Repo, words: &str| {
        let head = repo.git("rev-parse HEAD").out;
        repo.git(words).fails().says("ORCH/STATE/TASKS.md:6:3").says("the commit is refused");
        assert_eq!(repo.git("rev-parse HEAD").out, head, "{words}");
    };
    refused(&repo, "commit -a -m x");
    refused(&repo, "commit -m x ORCH/STATE/TASKS.md");
    // Only the other file: what is not in this commit does not matter.
    repo.git("commit -q -m x src/x").ok();
    repo.git("add -A").ok();
    refused(&repo, "commit -m x");
    refused(&repo, "commit --amend --no-edit");
    repo.cd("src");
    refused(&repo, "commit -m x");
    refused(&repo, "commit -a -m x");
    repo.cd("..");
    // The caller's ways to read paths are the caller's.
    refused(&repo, "--literal-pathspecs commit -m x");
    refused(&repo, "-c core.quotePath=true -c diff.noprefix=true commit -m x");
    repo.git("commit -q --no-verify -m x").ok();
    // What HEAD has already stops nobody.
    repo.write("src/x", "3\n");
    repo.git("commit -q -a -m x").ok();
    repo.git("commit -q --allow-empty -m empty").ok();
    repo.git("stash").ok();
}

#[test]
fn a_first_commit_and_one_without_a_ledger_are_commits_like_any() {
    let repo = Repo::bare_folder();
    repo.git("init -q").ok();
    repo.orch("init").ok();
    repo.orch("hooks install").ok();
    repo.append(TASKS, MARKS);
    repo.git("add -A").ok();
    repo.git("commit -q -m x").fails().says("unresolved merge");
    repo.git("rm -q -r --cached ORCH").ok();
    repo.write("x", "1");
    repo.git("add x").ok();
    repo.git("commit -q -m x").ok();
}

#[test]
fn a_workspace_in_a_folder_of_any_name_is_found() {
    for folder in ["sub", "a b/c", "it's \"so\"", "日本\\n", "new\nline"] {
        let mut repo = Repo::bare_folder();
        repo.git("init -q").ok();
        repo.write("top", "1\n");
        fs::create_dir_all(repo.path(folder)).unwrap();
        repo.cd(folder).orch("init --team").ok();
        repo.orch("hooks install").ok();
        repo.commit_all("first");
        repo.append(TASKS, MARKS);
        repo.git("commit -q -a -m x").fails().says("unresolved merge");
        let up = "../".repeat(folder.matches('/').count() + 1);
        repo.cd(&up);
        repo.git("commit -q -a -m x").fails().says("unresolved merge");
        repo.write("top", "2\n");
        repo.git("commit -q -m x top").ok();
    }
}

#[test]
fn of_two_workspaces_each_finding_names_its_own() {
    let mut repo = Repo::bare_folder();
    repo.git("init -q").ok();
    for folder in ["w a", "w-b"] {
        fs::create_dir(repo.path(folder)).unwrap();
        repo.cd(folder).orch("init --team").ok();
        repo.cd("..");
    }
    repo.cd("w-b").orch("hooks install").ok();
    repo.cd("..").commit_all("first");
    for folder in ["w a", "w-b"] {
        repo.write(&format!("{folder}/{TASKS}"), &twice());
    }
    let ran = repo.git("commit -q -a -m x").fails();
    ran.says("w a/ORCH/STATE/TASKS.md:6:3").says("w-b/ORCH/STATE/TASKS.md:6:3");
    repo.git("checkout -q .").ok();
    repo.run(&["git", "rm", "-q", "--cached", "w a/ORCH/STATE/TASKS.md"]).ok();
    let help = "git restore --staged 'w a/ORCH/STATE/TASKS.md'";
    repo.git("commit -q -m x").fails().says(help);
}

#[test]
fn a_ledger_that_leaves_the_repository_is_a_commit_that_is_meant() {
    let mut repo = Repo::installed();
    let words = [
        "rm -q ORCH/STATE/TASKS.md",
        "mv ORCH/STATE/TASKS.md T.md",
        "mv ORCH/STATE/TASKS.md ORCH/STATE/tasks.md",
        "rm -q -r ORCH",
    ];
    for words in words {
        let head = repo.git("rev-parse HEAD").out;
        repo.git(words).ok();
        let ran = repo.git("commit -q -m x").fails().says("the commit takes the ledger away");
        ran.says("git commit --no-verify").says("--> ORCH/STATE/TASKS.md");
        assert_eq!(repo.git("rev-parse HEAD").out, head, "{words}");
        // What is printed is what brings it back.
        repo.git("restore --staged --worktree ORCH/STATE/TASKS.md").ok();
        repo.orch("list").ok();
        repo.git("reset -q --hard").ok();
    }
    // Moved as a whole it is still there.
    fs::create_dir(repo.path("sub")).unwrap();
    repo.git("mv ORCH sub/ORCH").ok();
    repo.git("commit -q -m moved").ok();
    repo.cd("sub").orch("list").ok();
    repo.git("rm -q ORCH/STATE/TASKS.md").ok();
    repo.git("commit -q -m x").fails().says("sub/ORCH/STATE/TASKS.md");
    repo.git("commit -q --no-verify -m x").ok();
}

#[test]
fn a_linked_worktree_commits_its_own_index() {
    let mut repo = Repo::installed();
    repo.git("worktree add -q ../linked").ok();
    repo.cd("../linked");
    repo.append(TASKS, MARKS);
    repo.git("commit -q -a -m x").fails().says("unresolved merge");
    repo.git("checkout -q .").ok();
    repo.append(TASKS, "\nMore text.\n");
    repo.git("commit -q -a -m x").ok();
    // What lies about in the main one is not this commit's.
    repo.cd("../work").append(TASKS, MARKS);
    repo.cd("../linked").append(TASKS, "\nEven more.\n");
    repo.git("commit -q -a -m x").ok();
}

#[test]
fn a_former_hook_runs_first_with_everything_that_it_had() {
    let repo = Repo::new();
    repo.script(
        ".git/hooks/pre-commit",
        "#!/bin/sh\necho \"former $# $0\"\ntest ! -e stop || exit 7\n",
    );
    repo.script(".git/hooks/post-rewrite", "#!/bin/sh\necho \"$1\" >rewritten\ncat >>rewritten\n");
    repo.script(".git/hooks/commit-msg", "#!/bin/sh\necho seen >>\"$1\"\n");
    repo.orch("hooks install --trailer").ok();
    repo.write("x", "1");
    repo.git("add x").ok();
    repo.git("commit -m one").ok().says("former 0 .git/hooks/pre-commit.before-orch");
    assert_eq!(repo.git("log -1 --format=%B").out.trim(), "one\nseen");
    repo.write("stop", "");
    repo.git("commit --allow-empty -m x").fails();
    fs::remove_file(repo.path("stop")).unwrap();
    repo.git("commit -q --amend --allow-empty -m two").ok();
    let rewritten = repo.read("rewritten");
    let lines: Vec<&str> = rewritten.lines().collect();
    assert_eq!((lines[0], lines.len()), ("amend", 2), "{rewritten}");
    assert_eq!(lines[1].split(' ').filter(|word| word.len() == 40).count(), 2, "its stdin");
    // One that git would not have run is not run.
    let repo = Repo::new();
    repo.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    repo.orch("hooks install").ok();
    repo.git("commit -q --allow-empty -m x").ok();
}

#[test]
fn where_the_program_is_gone_only_ledgers_wait_for_it() {
    let repo = Repo::installed();
    fs::remove_file(repo.top().join("bin/orch")).unwrap();
    repo.write("x", "1");
    repo.git("add x").ok();
    repo.git("commit -q -m x").ok();
    repo.write("ORCH/orch.yaml", "solo: true\n");
    repo.git("commit -q -a -m x").ok();
    repo.append(TASKS, "\nText.\n");
    let ran = repo.git("commit -q -a -m x").fails().says("`orch`, which checks it, is not there");
    assert!(ran.err.contains("orch hooks install"), "{ran:?}");
    // A merge that needs the driver stops before anything is lost, and says so.
    repo.git("commit -q -a --no-verify -m ours").ok();
    repo.git("checkout -q -b other HEAD~1").ok();
    repo.append(TASKS, "\nOther text.\n");
    repo.git("commit -q -a --no-verify -m theirs").ok();
    let before = repo.read(TASKS);
    repo.git("merge main").fails();
    assert_eq!(repo.read(TASKS), before);
    assert_eq!(repo.git("status --short -uno").out, "", "nothing is half merged");
}

#[test]
fn without_a_ledger_in_the_commit_no_program_is_started() {
    let repo = Repo::installed();
    fs::remove_file(repo.top().join("bin/orch")).unwrap();
    repo.script("../bin/orch", "#!/bin/sh\necho \"$@\" >>\"$HOME/started\"\n");
    let started = || fs::read_to_string(repo.top().join("home/started")).unwrap_or_default();
    repo.write("docs/ORCHARD/x", "1");
    repo.commit_all("no ledger");
    repo.git("checkout -q -b other").ok();
    repo.write("y", "1");
    repo.commit_all("y");
    repo.git("checkout -q main").ok();
    repo.git("commit -q --allow-empty -m x").ok();
    repo.git("merge -q --no-edit other").ok();
    repo.git("checkout -q other").ok();
    repo.git("rebase -q main").ok();
    assert_eq!(started(), "");
    repo.append(TASKS, "\nText.\n");
    repo.commit_all("ledger");
    assert_eq!(started(), "hooks run pre-commit\n");
}

#[test]
fn a_file_that_somebody_else_holds_is_not_committed() {
    let mut repo = Repo::new();
    repo.orch("hooks install --locks").ok();
    repo.orch("lock acquire src/** ./a[[]1].txt deploy --as WORK@bob").ok();
    for file in ["src/deep/x.rs", "a[1].txt", "free.txt"] {
        repo.write(file, "1\n");
    }
    let commit = |repo: &Repo, actor: &str, files: &[&str]| {
        repo.run(&[&["git", "add"], files].concat()).ok();
        let mut command = repo.command(&["git", "commit", "-q", "-m", "x"]);
        ran(command.env("ORCH_ACTOR", actor))
    };
    let refused = commit(&repo, "WORK@ada", &["src/deep/x.rs", "free.txt"]).fails();
    let refused = refused.says("`src/deep/x.rs` is held by `WORK@bob` until ").says("(`src/**`)");
    refused.says("hint: orch lock list");
    repo.git("reset -q").ok();
    commit(&repo, "WORK@ada", &["a[1].txt"]).fails().says("a[1].txt");
    repo.git("reset -q").ok();
    commit(&repo, "WORK@ada", &["free.txt"]).ok();
    commit(&repo, "WORK@bob", &["src/deep/x.rs", "a[1].txt"]).ok();
    // Taking a held file away, or moving it, is a change of it, too.
    repo.git("mv src/deep/x.rs moved.rs").ok();
    commit(&repo, "WORK@ada", &["moved.rs"]).fails().says("src/deep/x.rs");
    repo.git("reset -q --hard").ok();
    // In a linked worktree the same locks count.
    repo.git("worktree add -q ../linked").ok();
    repo.cd("../linked").write("src/deep/x.rs", "2\n");
    commit(&repo, "WORK@ada", &["src/deep/x.rs"]).fails().says("WORK@bob");
    repo.orch("lock release src/** ./a[[]1].txt --as WORK@bob").ok();
    commit(&repo, "WORK@ada", &["src/deep/x.rs"]).ok();
}

#[test]
fn a_trailer_names_the_head_of_the_journal_that_is_committed() {
    let repo = Repo::new();
    repo.orch("hooks install --trailer").ok();
    repo.orch("add One --as CMD@eve").ok();
    let entry = repo.orch("log --json --limit 1").json()["data"]["entries"][0].clone();
    let trailer = |repo: &Repo| {
        repo.git("log -1 --format=%(trailers:key=Orch-Journal,valueonly,separator=%x2C)").out
    };
    repo.git("add -A").ok();
    // What is not staged is not committed.
    repo.orch("add Two --as CMD@eve").ok();
    repo.git("commit -q -m one").ok();
    let first = trailer(&repo);
    assert!(first.starts_with(&format!("{}:", entry["seq"])), "{first} of {entry}");
    let journal = repo.git("show HEAD:ORCH/LOGS").out;
    let month = journal.lines().last().unwrap().trim_end_matches('/').to_owned();
    let lines = repo.git(&format!("show HEAD:ORCH/LOGS/{month}/journal.jsonl")).out;
    let hash = first.trim().split_once(':').unwrap().1.to_owned();
    assert!(lines.lines().last().unwrap().ends_with(&format!("\"hash\":\"{hash}\"}}")), "{first}");
    repo.commit_all("two");
    let second = trailer(&repo);
    assert_ne!(first, second);
    repo.git("commit -q --amend --no-edit").ok();
    assert_eq!(trailer(&repo), second, "once, and the same");
    repo.git("commit -q --allow-empty -m other").ok();
    assert_eq!(trailer(&repo).trim(), "");
    // A message that says nothing ends the commit, as ever.
    repo.orch("add Three --as CMD@eve").ok();
    repo.git("add -A").ok();
    repo.git("commit -q -v").fails().says("empty commit message");
}

#[test]
fn runtime_files_are_nobodys_to_commit() {
    let repo = Repo::installed();
    repo.orch("add One --state READY --as CMD@eve").ok();
    repo.orch("claim 001 --as WORK@ada").ok();
    repo.orch("lock acquire deploy --as WORK@ada").ok();
    repo.commit_all("work");
    let files = repo.git("ls-files").out;
    assert!(files.contains("ORCH/LOGS/") && !files.contains("LOCKS"), "{files}");
    assert_eq!(repo.git("status --short").out, "");
}

#[test]
fn a_hook_does_its_work_for_a_hook_of_ones_own() {
    let repo = Repo::new();
    repo.append(TASKS, MARKS);
    repo.git("add -A").ok();
    repo.orch("hooks run pre-commit").exits(10).says("unresolved merge");
    repo.orch("hooks run post-merge").ok();
    repo.orch("hooks run commit-msg").exits(2);
    repo.orch("hooks run nonsense").exits(2);
    let mut elsewhere = Command::new(env!("CARGO_BIN_EXE_orch"));
    elsewhere.args(["hooks", "run", "pre-commit"]).current_dir(repo.top()).env_clear();
    ran(elsewhere.env("PATH", "/usr/local/bin:/usr/bin:/bin")).exits(3);
}
