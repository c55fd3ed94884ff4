//! Tests of `discover`: worktrees made of plain files, no git involved.
#![allow(clippy::disallowed_methods, reason = "the tests place files by hand")]

use std::fs;

use super::*;
use crate::error::ErrorKind;
use crate::sys::sim::Sim;

struct Place {
    dir: tempfile::TempDir,
    sim: Sim,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim::new(dir.path());
        Self { dir, sim }
    }

    fn path(&self, path: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(path)
    }

    fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn ledger(&self, root: &str) -> &Self {
        self.file(&format!("{root}/ORCH/STATE/TASKS.md"), "")
    }

    /// `main` with a linked worktree `wt`, as `git worktree add` makes it.
    fn worktree(&self) -> &Self {
        let git_dir = self.path("main/.git/worktrees/wt");
        self.file("main/.git/worktrees/wt/commondir", "../..\n")
            .file("wt/.git", &format!("gitdir: {}\n", git_dir.display()))
            .file("wt/src/deep/x", "")
    }

    fn from(&self, start: &str) -> Result<PathBuf> {
        Layout::discover(&self.sim.sys(), Start::At(self.path(start))).map(|found| found.root)
    }
}

#[test]
fn the_search_goes_upward_from_the_working_directory_or_the_given_one() {
    let place = Place::new();
    place.ledger("a").file("a/b/c/x", "").ledger("other");
    place.sim.env.set_cwd(place.path("a/b/c"));
    let sys = place.sim.sys();
    let found = Layout::discover(&sys, Start::CurrentDir).unwrap();
    assert_eq!(found.root, place.path("a"));
    let relative = Layout::discover(&sys, Start::At("../../../other".into())).unwrap();
    assert_eq!(relative.root, place.path("other"));
    assert_eq!(found.display(&found.tasks()), "ORCH/STATE/TASKS.md");
}

#[test]
fn nothing_found_names_the_place_and_init() {
    let place = Place::new();
    place.file("empty/x", "");
    let error = place.from("empty").unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    let start = place.path("empty");
    let message = format!("no `ORCH/STATE/TASKS.md` in `{}` or above", start.display());
    assert_eq!((error.message, error.hint.as_deref()), (message, Some("orch init")));
    assert_eq!(place.from("missing").unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn the_variable_names_a_folder_without_a_search_and_gives_way_to_a_given_start() {
    let place = Place::new();
    place.ledger("a").ledger("b").file("b/sub/x", "");
    place.sim.env.set_cwd(place.path("b"));
    place.sim.env.set_var("ORCH_ROOT", "../a");
    let sys = place.sim.sys();
    assert_eq!(Layout::discover(&sys, Start::CurrentDir).unwrap().root, place.path("a"));
    assert_eq!(place.from("b").unwrap(), place.path("b"));
    place.sim.env.set_var("ORCH_ROOT", "sub");
    let error = Layout::discover(&sys, Start::CurrentDir).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.contains("ORCH_ROOT"), "{error}");
    place.sim.env.set_var("ORCH_ROOT", "");
    assert_eq!(Layout::discover(&sys, Start::CurrentDir).unwrap().root, place.path("b"));
}

#[test]
fn a_linked_worktree_shares_the_main_ledger() {
    let place = Place::new();
    place.worktree().ledger("main").ledger("wt");
    assert_eq!(place.from("wt/src/deep").unwrap(), place.path("main"));
    place.ledger("main/src");
    assert_eq!(place.from("wt/src/deep").unwrap(), place.path("main/src"));
    assert_eq!(place.from("main").unwrap(), place.path("main"));
}

#[test]
fn a_relative_gitdir_is_relative_to_its_file() {
    let place = Place::new();
    place.worktree().ledger("main").file("wt/.git", "gitdir: ../main/.git/worktrees/wt\n");
    assert_eq!(place.from("wt").unwrap(), place.path("main"));
}

#[test]
fn a_worktree_uses_its_own_ledger_where_main_has_none_or_it_says_so() {
    let place = Place::new();
    // A ledger above the main worktree's top is not the main worktree's.
    place.worktree().ledger("wt").ledger(".");
    assert_eq!(place.from("wt/src").unwrap(), place.path("wt"));
    place.ledger("main").file("wt/ORCH/orch.yaml", "solo: true\r\nworktrees: own # each\r\n");
    assert_eq!(place.from("wt/src").unwrap(), place.path("wt"));
    place.file("wt/ORCH/orch.yaml", "# worktrees: own\nworktrees: owned\n");
    assert_eq!(place.from("wt/src").unwrap(), place.path("main"));
    place.file("wt/ORCH/orch.yaml", "worktrees: \"own\"\n");
    fs::remove_file(place.path("wt/ORCH/STATE/TASKS.md")).unwrap();
    assert_eq!(place.from("wt/src").unwrap_err().kind, ErrorKind::NotFound, "not the one above");
}

#[test]
fn a_submodule_and_a_bare_repository_have_no_main_worktree() {
    let place = Place::new();
    place.ledger("super").ledger("super/sub").file("super/.git/modules/sub/HEAD", "");
    place.file("super/sub/.git", "gitdir: ../.git/modules/sub\n");
    assert_eq!(place.from("super/sub").unwrap(), place.path("super/sub"));
    place.ledger("wt").file("bare.git/worktrees/wt/commondir", "../..\n");
    place.file("wt/.git", "gitdir: ../bare.git/worktrees/wt\n").ledger(".");
    assert_eq!(place.from("wt").unwrap(), place.path("wt"));
}

#[test]
fn diff_paths_begin_at_the_repository() {
    let place = Place::new();
    place.ledger("repo/app").file("repo/.git/HEAD", "").ledger("plain");
    let sys = place.sim.sys();
    let root = |of: &str| repository_root(&sys, &Layout::new(place.path(of)));
    assert_eq!(root("repo/app"), place.path("repo"));
    assert_eq!(root("plain"), place.path("plain"));
}

#[test]
fn a_dangling_ledger_is_found_rather_than_passed_by() {
    let place = Place::new();
    place.ledger(".").file("a/ORCH/STATE/x", "");
    std::os::unix::fs::symlink("gone", place.path("a/ORCH/STATE/TASKS.md")).unwrap();
    assert_eq!(place.from("a").unwrap(), place.path("a"));
}
