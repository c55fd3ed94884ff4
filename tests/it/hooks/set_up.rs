//! Install, uninstall, status, doctor.

use super::ground::Repo;
use std::fs;
use std::os::unix::fs::symlink;

const HOOKS: [&str; 4] = ["pre-commit", "pre-merge-commit", "post-merge", "post-rewrite"];

#[test]
fn what_is_installed_twice_is_installed_once_and_goes_without_a_trace() {
    let repo = Repo::new();
    repo.script(".git/hooks/pre-commit", "#!/bin/sh\r\n# theirs é\n");
    repo.write(".git/hooks/post-merge", "#!/bin/sh\nexit 1\n");
    let settings = |repo: &Repo| repo.git("config --list --local").out;
    let before = (repo.files(".git/hooks"), settings(&repo));
    repo.orch("hooks install --locks --trailer --dry-run").ok().says("made merge.orch.driver");
    assert_eq!((repo.files(".git/hooks"), settings(&repo)), before, "--dry-run writes nothing");
    repo.orch("hooks status").exits(10);
    let ran = repo.orch("hooks install --locks --trailer").ok();
    let ran = ran.says("moved .git/hooks/pre-commit: it is `.git/hooks/pre-commit.before-orch`");
    ran.says("made .git/hooks/commit-msg");
    let once = (repo.files(".git/hooks"), settings(&repo));
    // What was asked for stays, though it is not asked for again.
    let again = repo.orch("hooks install").ok();
    assert!(again.out.lines().all(|line| line.starts_with("kept ")), "{again:?}");
    assert_eq!((repo.files(".git/hooks"), settings(&repo)), once);
    let status = repo.status();
    assert!(status.values().all(|state| state == "installed"), "{status:?}");
    assert_eq!(status.len(), 2 + HOOKS.len() + 1);
    repo.orch("hooks status").ok();
    repo.orch("hooks uninstall --dry-run").ok();
    assert_eq!((repo.files(".git/hooks"), settings(&repo)), once);
    repo.orch("hooks uninstall").ok().says("restored .git/hooks/pre-commit");
    assert_eq!((repo.files(".git/hooks"), settings(&repo)), before, "byte for byte");
    repo.orch("hooks uninstall").ok();
    assert_eq!((repo.files(".git/hooks"), settings(&repo)), before);
}

#[test]
fn an_attribute_that_says_otherwise_is_named_by_its_line() {
    let repo = Repo::installed();
    let lines = repo.read("ORCH/.gitattributes").lines().count();
    for (file, line, at) in [
        ("ORCH/.gitattributes", "STATE/TASKS.md merge=union", lines + 1),
        ("ORCH/STATE/.gitattributes", "*.md -merge", 1),
        (".git/info/attributes", "TASKS.md binary", 1),
    ] {
        let was = repo.read(file);
        repo.append(file, &format!("{line}\n"));
        let way = format!("remove line {at} of `{file}`, `{line}`, then: orch hooks install");
        for verb in ["status", "install"] {
            repo.orch(&format!("hooks {verb}")).exits(10).says(&way);
        }
        assert!(repo.health().iter().any(|(_, said)| said.contains(&way)), "{:?}", repo.health());
        repo.write(file, &was);
        repo.orch("hooks install").ok();
    }
    // Lines of ours that somebody took away are brought back.
    repo.write("ORCH/.gitattributes", "");
    repo.write(".gitattributes", "*.md merge=union\n");
    assert_eq!(repo.status()["attributes"], "missing");
    repo.orch("hooks status").exits(10).says("next: orch hooks install");
    repo.orch("hooks install").ok();
    assert_eq!(repo.status()["attributes"], "installed");
}

#[test]
fn a_users_settings_are_found_where_git_finds_them() {
    let repo = Repo::new();
    let (hooks, file) = (repo.top().join("shared"), repo.top().join("settings"));
    let text = format!("[user]\nname = a\nemail = a@b\n[core]\nhooksPath = {}\n", hooks.display());
    fs::write(&file, text).unwrap();
    let orch = repo.top().join("bin/orch");
    let run =
        |argv: &[&str]| super::ground::ran(repo.command(argv).env("GIT_CONFIG_GLOBAL", &file));
    run(&[orch.to_str().unwrap(), "hooks", "install"]).ok();
    assert!(hooks.join("pre-commit").exists() && !repo.path(".git/hooks/pre-commit").exists());
    repo.append("ORCH/STATE/TASKS.md", "\n<<<<<<< a\n1\n=======\n2\n>>>>>>> b\n");
    run(&["git", "commit", "-q", "-a", "-m", "x"]).fails().says("unresolved merge");
}

/// Git before 2.44 takes the number 129 for conflicts that are marked in the file.
#[test]
fn without_the_program_the_driver_leaves_marks() {
    let repo = Repo::installed();
    let driver = repo.git("config merge.orch.driver").out;
    for (name, text) in [("base", "x\n"), ("ours", "y\n"), ("theirs", "z\n")] {
        repo.write(name, text);
    }
    fs::remove_file(repo.top().join("bin/orch")).unwrap();
    let names = [("%O", "base"), ("%A", "ours"), ("%B", "theirs"), ("%L", "7"), ("%P", "p")];
    let labels = [("%S", "'b b'"), ("%X", "HEAD"), ("%Y", "'it'")];
    let filled = |text: String, (mark, word): (&str, &str)| text.replace(mark, word);
    let script = names.into_iter().chain(labels).fold(driver.trim().to_owned(), filled);
    let script = script.replace(env!("CARGO_BIN_EXE_orch"), "/nowhere/orch");
    repo.run(&["sh", "-c", &script]).exits(129);
    assert_eq!(repo.read("ours"), "<<<<<<< HEAD\ny\n=======\nz\n>>>>>>> it\n");
}

#[test]
fn what_somebody_changed_since_is_nobodys_to_touch() {
    let repo = Repo::installed();
    repo.append(".git/hooks/pre-commit", "echo mine\n");
    let text = repo.read(".git/hooks/pre-commit");
    assert_eq!(repo.status()["pre-commit"], "altered");
    assert!(repo.health().iter().any(|(severity, said)| severity == "warning"
        && said.contains(".git/hooks/pre-commit")));
    for verb in ["install", "uninstall"] {
        repo.orch(&format!("hooks {verb}")).exits(10).says("left .git/hooks/pre-commit");
        assert_eq!(repo.read(".git/hooks/pre-commit"), text);
    }
    // Every command says which line it is, and what leads out of it.
    let way = "(line 21: `echo mine`) and is left alone: move it away, then: orch hooks install";
    repo.orch("hooks status").exits(10).says(way).says("`pre-commit.before-orch` beside it");
    repo.orch("hooks install").exits(10).says(way);
    assert!(repo.health().iter().any(|(_, said)| said.contains(way)), "{:?}", repo.health());
    fs::rename(repo.path(".git/hooks/pre-commit"), repo.path("mine")).unwrap();
    repo.orch("hooks install").ok();
    // One that may not be run is none, whosever it is.
    let repo = Repo::installed();
    repo.git("config core.fileMode true").ok();
    repo.run(&["chmod", "-x", ".git/hooks/pre-commit"]).ok();
    assert_eq!(repo.status()["pre-commit"], "outdated");
    repo.orch("hooks install").ok().says("replaced .git/hooks/pre-commit");
    repo.orch("hooks uninstall").ok();
    repo.write(".git/hooks/pre-commit", "#!/bin/sh\norch check --staged\n");
    assert_eq!(repo.status()["pre-commit"], "missing");
    repo.orch("hooks install").ok().says("moved .git/hooks/pre-commit");
    // A manager that took the place, and what was here before it.
    let repo = Repo::new();
    repo.script(".git/hooks/pre-commit", "#!/bin/sh\nexit 0 # first\n");
    repo.orch("hooks install").ok();
    repo.script(".git/hooks/pre-commit", "#!/bin/sh\nexit 0 # manager\n");
    let before = repo.files(".git/hooks");
    repo.orch("hooks install").exits(10).says("move one of them away");
    repo.orch("hooks uninstall").exits(10).says("pre-commit.before-orch");
    let after = repo.files(".git/hooks");
    for name in ["pre-commit", "pre-commit.before-orch"] {
        let path = repo.path(".git/hooks").join(name);
        assert_eq!(before.get(&path), after.get(&path));
    }
}

#[test]
fn an_older_version_gives_way() {
    let repo = Repo::installed();
    let text = repo.read(".git/hooks/pre-commit");
    // As another version would have written it: another text, its own sum.
    let (_, rest) = text.split_once('\n').unwrap().1.split_once('\n').unwrap();
    let rest = rest.replace("# Nothing of a ledger", "# No ledger");
    let sum = orch::store::entry::sha256_hex(rest.as_bytes());
    repo.write(
        ".git/hooks/pre-commit",
        &format!("#!/bin/sh\n# orch hooks 0 {}\n{rest}", &sum[..16]),
    );
    assert_eq!(repo.status()["pre-commit"], "outdated");
    assert_eq!(repo.health()[0].0, "warning");
    repo.orch("hooks install").ok().says("replaced .git/hooks/pre-commit");
    assert_eq!(repo.read(".git/hooks/pre-commit"), text);
}

#[test]
fn hooks_go_where_git_looks_for_them() {
    for (setting, folder) in
        [(".githooks", "work/.githooks"), ("~/hooks", "home/hooks"), ("ABSOLUTE/x y", "x y")]
    {
        let repo = Repo::new();
        let setting = setting.replace("ABSOLUTE", repo.top().to_str().unwrap());
        repo.run(&["git", "config", "core.hooksPath", &setting]).ok();
        repo.orch("hooks install").ok().says("core.hooksPath");
        for hook in HOOKS {
            assert!(repo.top().join(folder).join(hook).is_file(), "{setting}: {hook}");
        }
        assert!(!repo.path(".git/hooks/pre-commit").exists());
        repo.append("ORCH/STATE/TASKS.md", "\n<<<<<<< a\n=======\n>>>>>>> b\n");
        repo.run(&["git", "commit", "-qam", "x"]).fails().says("unresolved merge");
        repo.orch("hooks uninstall").ok();
        assert_eq!(fs::read_dir(repo.top().join(folder)).unwrap().count(), 0);
    }
    // A folder that is a link is written through.
    let repo = Repo::new();
    fs::rename(repo.path(".git/hooks"), repo.top().join("shared")).unwrap();
    symlink(repo.top().join("shared"), repo.path(".git/hooks")).unwrap();
    repo.orch("hooks install").ok();
    assert!(repo.top().join("shared/pre-commit").is_file());
    // None at all is made.
    let repo = Repo::new();
    fs::remove_dir_all(repo.path(".git/hooks")).unwrap();
    repo.orch("hooks install").ok();
    assert_eq!(repo.status()["pre-commit"], "installed");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_names_it() {
    let repo = Repo::new();
    fs::remove_dir_all(repo.path(".git/hooks")).unwrap();
    repo.write(".git/hooks", "no folder");
    let ran = repo.orch("hooks install").exits(1).says(".git/hooks/pre-commit");
    assert!(ran.err.contains("hint: orch hooks status"), "{ran:?}");
    assert_eq!(repo.read(".git/hooks"), "no folder");
    // Half of it is there, and doctor says so.
    assert!(
        repo.health().iter().any(|(_, said)| said.contains("pre-commit")),
        "{:?}",
        repo.health()
    );
}

#[test]
fn managers_of_hooks_keep_theirs() {
    // husky: its folder is written anew by every `husky`.
    let repo = Repo::new();
    repo.script(".husky/_/pre-commit", "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"\n");
    repo.git("config core.hooksPath .husky/_").ok();
    let before = repo.files(".husky");
    repo.orch("hooks install").exits(10).says("orch hooks run pre-commit");
    assert_eq!(repo.files(".husky"), before);
    assert_eq!(repo.status()["pre-commit"], "foreign");
    for hook in HOOKS {
        repo.write(&format!(".husky/{hook}"), &format!("orch hooks run {hook} \"$@\"\n"));
    }
    repo.orch("hooks install").ok();
    repo.orch("hooks status").ok();
    // A hook that goes by its own name would do nothing under another.
    let repo = Repo::new();
    repo.script(".git/hooks/pre-commit", "#!/bin/sh\nexec run-parts \"$(basename \"$0\").d\"\n");
    repo.orch("hooks install").exits(10).says("its own name");
    assert_eq!(repo.status()["pre-commit"], "foreign");
    assert!(!repo.path(".git/hooks/pre-commit.before-orch").exists());
    // The pre-commit framework moves what it finds, and calls it: no circle.
    let repo = Repo::installed();
    fs::rename(repo.path(".git/hooks/pre-commit"), repo.path(".git/hooks/pre-commit.legacy"))
        .unwrap();
    let manager =
        "#!/bin/sh\nexec \"$(cd \"$(dirname \"$0\")\" && pwd)\"/pre-commit.legacy \"$@\"\n";
    repo.script(".git/hooks/pre-commit", manager);
    assert_eq!(repo.status()["pre-commit"], "called");
    repo.orch("hooks install").ok();
    assert_eq!(repo.read(".git/hooks/pre-commit"), manager);
    repo.append("ORCH/STATE/TASKS.md", "\n<<<<<<< a\n=======\n>>>>>>> b\n");
    repo.run(&["git", "commit", "-qam", "x"]).fails().says("unresolved merge");
    // Even where somebody closes it by hand.
    repo.git("checkout -q .").ok();
    fs::copy(repo.path(".git/hooks/pre-commit"), repo.path(".git/hooks/pre-commit.before-orch"))
        .unwrap();
    repo.run(&["git", "commit", "-q", "--allow-empty", "-m", "x"]).ok();
}

#[test]
fn a_fresh_clone_needs_one_command() {
    let mut repo = Repo::installed();
    assert_eq!(repo.health().iter().map(|(s, _)| s.as_str()).collect::<Vec<_>>(), ["ok"]);
    repo.git("clone -q . ../clone").ok();
    repo.cd("../clone");
    let health = repo.health();
    let [(severity, said)] = &health[..] else { panic!("{health:?}") };
    assert_eq!(severity, "warning");
    assert!(said.contains("ORCH/.gitattributes") && said.contains("line by line"), "{said}");
    repo.orch("doctor").ok().says("orch hooks install");
    repo.orch("hooks install").ok();
    assert_eq!(repo.health()[0].0, "ok", "{:?}", repo.health());
    // Without the attributes nothing of ours was ever asked for.
    repo.orch("hooks uninstall").ok();
    repo.write("ORCH/.gitattributes", "# nothing\n");
    assert_eq!(repo.health()[0].0, "ok", "{:?}", repo.health());
}

#[test]
fn each_half_that_is_missing_is_told() {
    let repo = Repo::installed();
    let told = |what: &str, severity: &str| {
        let health = repo.health();
        let found = health.iter().any(|(s, said)| s == severity && said.contains(what));
        assert!(found, "no {severity} with `{what}`: {health:?}");
    };
    let attributes = repo.read("ORCH/.gitattributes");
    repo.write("ORCH/.gitattributes", "LOGS/x -diff");
    told("ORCH/.gitattributes", "warning");
    repo.orch("hooks install").ok().says("commit ORCH/.gitattributes");
    assert!(repo.read("ORCH/.gitattributes").starts_with("LOGS/x -diff\n"));
    // Somebody's own wish is left, and told.
    repo.write(
        "ORCH/.gitattributes",
        &attributes.replace("TASKS.md              merge=orch", "TASKS.md merge=ours"),
    );
    repo.orch("hooks install").exits(10).says("`ORCH/STATE/TASKS.md` has `merge=ours`");
    told("merge=ours", "warning");
    repo.write("ORCH/.gitattributes", &attributes);
    fs::remove_file(repo.path(".git/hooks/pre-commit")).unwrap();
    told("hooks are missing: pre-commit", "warning");
    repo.git("config core.hooksPath elsewhere").ok();
    told("git runs those in `elsewhere` now", "warning");
    repo.git("config --unset core.hooksPath").ok();
    repo.git("config merge.orch.driver /no/such/orch").ok();
    told("`/no/such/orch`, which is not there", "error");
    repo.orch("doctor").exits(10);
    repo.git("config --unset merge.orch.driver").ok();
    told("the merge driver is not set up", "warning");
    repo.orch("hooks install").ok();
    told("set up", "ok");
    // A ledger that git leaves out is none of its business.
    repo.orch("hooks uninstall").ok();
    repo.git("rm -q -r --cached ORCH").ok();
    repo.write(".gitignore", "ORCH\n");
    told("ignored", "ok");
}

#[test]
fn without_a_work_tree_there_is_nothing_to_set_up() {
    let repo = Repo::bare_folder();
    repo.orch("init --team").ok();
    let ran = repo.orch("hooks install").exits(3).says("is in no git repository");
    assert!(ran.err.contains("hint: git init"), "{ran:?}");
    assert_eq!(repo.health()[0].0, "ok");
    let mut repo = Repo::bare_folder();
    repo.git("init -q --bare .").ok();
    fs::create_dir(repo.path("sub")).unwrap();
    repo.cd("sub").orch("init --team").ok();
    repo.orch("hooks install").exits(3).says("bare repository");
    // `orch` itself is still what it was.
    repo.orch("hooks").exits(2);
    let repo = Repo::bare_folder();
    repo.git("init -q").ok();
    repo.orch("hooks install").exits(3).says("orch init");
}

#[test]
fn a_linked_worktree_and_a_submodule_have_the_hooks_that_git_runs() {
    let mut repo = Repo::new();
    repo.git("worktree add -q ../linked").ok();
    repo.cd("../linked").orch("hooks install").ok();
    assert!(repo.top().join("work/.git/hooks/pre-commit").is_file());
    repo.orch("hooks status").ok();
    assert_eq!(repo.health()[0].0, "ok");
    let mut repo = Repo::new();
    let own = repo.root().to_str().unwrap().to_owned();
    let add = ["git", "-c", "protocol.file.allow=always", "submodule", "add", "-q", &own, "part"];
    repo.run(&add).ok();
    repo.cd("part").orch("hooks install").ok();
    assert!(repo.top().join("work/.git/modules/part/hooks/pre-commit").is_file());
    assert!(!repo.top().join("work/.git/hooks/pre-commit").exists());
}
