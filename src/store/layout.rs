//! Every path of a workspace.
//!
//! Lives here: names of files and folders, encoding of ids in them. Not here:
//! finding the workspace (`store::discover`), reading the files. Invariant: no
//! other module joins a path of the workspace, and a name made from an id never
//! leaves its folder.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::sys::Fs;

/// The one file that makes a folder a workspace.
pub(super) const LEDGER: &str = "ORCH/STATE/TASKS.md";

/// A workspace: the folder that holds `ORCH/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The folder that holds `ORCH/`; without links when it was discovered.
    pub root: PathBuf,
}

impl Layout {
    /// The workspace at a folder, whether or not it is there yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `ORCH/`.
    pub fn orch_dir(&self) -> PathBuf {
        self.root.join("ORCH")
    }

    /// `ORCH/orch.yaml`.
    pub fn settings(&self) -> PathBuf {
        self.root.join("ORCH/orch.yaml")
    }

    /// `ORCH/prime.md`.
    pub fn prime(&self) -> PathBuf {
        self.root.join("ORCH/prime.md")
    }

    /// `ORCH/.gitattributes`.
    pub fn gitattributes(&self) -> PathBuf {
        self.root.join("ORCH/.gitattributes")
    }

    /// `ORCH/STATE/`.
    pub fn state_dir(&self) -> PathBuf {
        self.root.join("ORCH/STATE")
    }

    /// `ORCH/STATE/.gitignore`.
    pub fn state_gitignore(&self) -> PathBuf {
        self.root.join("ORCH/STATE/.gitignore")
    }

    /// `ORCH/STATE/TASKS.md`.
    pub fn tasks(&self) -> PathBuf {
        self.root.join(LEDGER)
    }

    /// `ORCH/STATE/APPROVALS.md`.
    pub fn approvals(&self) -> PathBuf {
        self.root.join("ORCH/STATE/APPROVALS.md")
    }

    /// `ORCH/STATE/FLAGS.md`, or `flags.md` where only that is there. A name
    /// that cannot be looked at counts as there: the flags file may say FREEZE,
    /// so reading it has to fail rather than miss it.
    pub fn flags(&self, fs: &dyn Fs) -> PathBuf {
        let there = |path: &Path| !fs.lstat(path).is_err_and(|e| is_absent(&e));
        let (upper, lower) = (self.state_dir().join("FLAGS.md"), self.state_dir().join("flags.md"));
        if !there(&upper) && there(&lower) { lower } else { upper }
    }

    /// `ORCH/STATE/FLAGS.md`: its name where there is none yet.
    pub fn new_flags(&self) -> PathBuf {
        self.state_dir().join("FLAGS.md")
    }

    /// `ORCH/STATE/archive/`.
    pub fn archive_dir(&self) -> PathBuf {
        self.root.join("ORCH/STATE/archive")
    }

    /// `ORCH/STATE/archive/TASKS-YYYY.md`.
    pub fn archive_tasks(&self, year: i32) -> PathBuf {
        self.archive_dir().join(format!("TASKS-{year:04}.md"))
    }

    /// `ORCH/STATE/LOCKS/`.
    pub fn locks_dir(&self) -> PathBuf {
        self.root.join("ORCH/STATE/LOCKS")
    }

    /// The file of the OS lock. Without a suffix: the mirrors of tasks end in
    /// `.lock`, so no id can name it.
    pub fn os_lock(&self) -> PathBuf {
        self.locks_dir().join("ledger")
    }

    /// The file of the OS lock of those who watch.
    pub fn alerts_lock(&self) -> PathBuf {
        self.locks_dir().join("alerts")
    }

    /// `ORCH/STATE/LOCKS/<task_id>.lock`.
    pub fn lease_mirror(&self, task_id: &str) -> PathBuf {
        self.locks_dir().join(format!("{}.lock", encode_id(task_id)))
    }

    /// `ORCH/STATE/LOCKS/names/<name>.lock`.
    pub fn named_lock(&self, name: &str) -> PathBuf {
        self.locks_dir().join(format!("names/{}.lock", encode_id(name)))
    }

    /// `ORCH/STATE/LOCKS/schedules/`.
    pub fn schedule_marks_dir(&self) -> PathBuf {
        self.locks_dir().join("schedules")
    }

    /// `ORCH/STATE/LOCKS/schedules/<name>`: the newest due time that was taken.
    pub fn schedule_mark(&self, name: &str) -> PathBuf {
        self.schedule_marks_dir().join(encode_id(name))
    }

    /// The lock of that folder. No name is encoded to it.
    pub fn schedules_lock(&self) -> PathBuf {
        self.schedule_marks_dir().join("@lock")
    }

    /// Whether hand edits of a file, by its name from the root, are noticed.
    pub fn is_watched(&self, name: &str) -> bool {
        let watched = [self.tasks(), self.approvals(), self.settings()];
        watched.iter().any(|path| self.display(path) == name)
            || ["ORCH/STATE/FLAGS.md", "ORCH/STATE/flags.md"].contains(&name)
    }

    /// The redo record. Its name does not end in 16 hexadecimal digits, so that
    /// nobody takes it for a temporary file.
    pub fn redo(&self) -> PathBuf {
        self.state_dir().join(".TASKS.md.orch-redo")
    }

    /// `ORCH/STATE/<file>.orch-conflict-<id>`: bytes that lost a race and wait
    /// for a person.
    pub fn conflict(&self, file: &str, id: &str) -> PathBuf {
        let name = file.rsplit('/').next().unwrap_or(file);
        self.state_dir().join(format!("{name}.orch-conflict-{}", encode_id(id)))
    }

    /// What this machine saw last: `ORCH/STATE/LOCKS/checkpoint`.
    pub fn checkpoint(&self) -> PathBuf {
        self.locks_dir().join("checkpoint")
    }

    /// The former bytes of a file, for telling what a hand edit changed:
    /// `ORCH/STATE/LOCKS/base/<file>`.
    pub fn base(&self, file: &str) -> PathBuf {
        let name = file.rsplit('/').next().unwrap_or(file);
        self.locks_dir().join("base").join(encode_id(name))
    }

    /// `ORCH/STATE/LOCKS/quarantine/`.
    pub fn quarantine(&self) -> PathBuf {
        self.locks_dir().join("quarantine")
    }

    /// `ORCH/LOGS/`.
    pub fn logs_dir(&self) -> PathBuf {
        self.root.join("ORCH/LOGS")
    }

    /// `ORCH/LOGS/.gitignore`.
    pub fn logs_gitignore(&self) -> PathBuf {
        self.logs_dir().join(".gitignore")
    }

    /// `ORCH/LOGS/YYYY-MM/journal.jsonl` for `YYYY-MM`.
    pub fn journal_month(&self, month: &str) -> PathBuf {
        self.logs_dir().join(month).join("journal.jsonl")
    }

    /// `ORCH/LOGS/YYYY-MM/alerts.jsonl` for `YYYY-MM`.
    pub fn alerts_month(&self, month: &str) -> PathBuf {
        self.logs_dir().join(month).join("alerts.jsonl")
    }

    /// `ORCH/LOGS/YYYY-MM/APPROVALS-YYYY-MM-DD.md` for `YYYY-MM-DD`.
    pub fn audit_day(&self, date: &str) -> PathBuf {
        let month = date.get(..7).unwrap_or(date);
        self.logs_dir().join(month).join(format!("APPROVALS-{date}.md"))
    }

    /// `ORCH/LOGS/YYYY-MM/migrate-<stamp>/`: what a migration keeps.
    pub fn migration(&self, month: &str, stamp: &str) -> PathBuf {
        self.logs_dir().join(month).join(format!("migrate-{}", encode_id(stamp)))
    }

    /// Whether a file, by its name from the root, is a log: no diff shows it.
    pub fn is_log(&self, name: &str) -> bool {
        name.strip_prefix(&self.display(&self.logs_dir())).is_some_and(|r| r.starts_with('/'))
    }

    /// `ORCH/patches/`.
    pub fn patches(&self) -> PathBuf {
        self.root.join("ORCH/patches")
    }

    /// `ORCH/patches/YYYY-MM/<task_id>-<appr_id>.diff.md`.
    pub fn patch(&self, month: &str, task_id: &str, appr_id: &str) -> PathBuf {
        let name = format!("{}-{}.diff.md", encode_id(task_id), encode_id(appr_id));
        self.patches().join(month).join(name)
    }

    /// `ORCH/runs/`.
    pub fn runs_dir(&self) -> PathBuf {
        self.root.join("ORCH/runs")
    }

    /// `ORCH/runs/<task_id>/<run>/`.
    pub fn run_dir(&self, task_id: &str, run: &str) -> PathBuf {
        self.task_runs_dir(task_id).join(encode_id(run))
    }

    /// `ORCH/runs/<task_id>/`.
    pub fn task_runs_dir(&self, task_id: &str) -> PathBuf {
        self.runs_dir().join(encode_id(task_id))
    }

    /// `ORCH/runs/@going/`: what is not settled. No id becomes that name.
    pub fn going_dir(&self) -> PathBuf {
        self.runs_dir().join("@going")
    }

    /// `ORCH/runs/@schedules/`: no id becomes that name.
    pub fn schedules_dir(&self) -> PathBuf {
        self.runs_dir().join("@schedules")
    }

    /// `ORCH/runs/@schedules/<name>/`.
    pub fn schedule_dir(&self, name: &str) -> PathBuf {
        self.schedules_dir().join(encode_id(name))
    }

    /// `ORCH/runs/@schedules/<name>/<due ms>/`.
    pub fn schedule_run_dir(&self, name: &str, due_ms: i64) -> PathBuf {
        self.schedule_dir(name).join(due_ms.to_string())
    }

    /// The path as people read it: from the workspace, with `/`.
    pub fn display(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).map_or_else(
            |_| path.display().to_string(),
            |inside| {
                let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
                parts.join("/")
            },
        )
    }
}

/// An id as part of a file name: bytes outside `[A-Za-z0-9._-]` become `%XX`.
/// The names `.` and `..` become `%2E` and `%2E%2E`: as they are they would
/// name another folder.
pub fn encode_id(id: &str) -> String {
    let only_dots = matches!(id, "." | "..");
    id.bytes().fold(String::with_capacity(id.len()), |mut name, byte| {
        match byte {
            b'.' if only_dots => name.push_str("%2E"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                name.push(char::from(byte));
            }
            _ => write!(name, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
        name
    })
}

/// Whether nothing has the name, as opposed to not being allowed to see.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sys::Disk;
    use crate::sys::sim::FaultFs;

    #[test]
    fn ids_become_names_that_stay_in_their_folder() {
        assert_eq!(encode_id("T-104_a.b"), "T-104_a.b");
        assert_eq!(encode_id("006-P∞"), "006-P%E2%88%9E");
        assert_eq!(encode_id("../x %"), "..%2Fx%20%25");
        assert_eq!((encode_id("."), encode_id("..")), ("%2E".to_owned(), "%2E%2E".to_owned()));
        let layout = Layout::new("/w");
        assert!(layout.run_dir("..", "1").ends_with("ORCH/runs/%2E%2E/1"));
        assert_ne!(layout.lease_mirror("ledger"), layout.os_lock());
        assert!(layout.patch("2026-01", "T/1", "A1").ends_with("2026-01/T%2F1-A1.diff.md"));
        assert!(layout.audit_day("2026-01-31").ends_with("2026-01/APPROVALS-2026-01-31.md"));
    }

    #[test]
    fn either_spelling_of_the_flags_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let disk = Arc::new(Disk);
        disk.create_dir_all(&layout.state_dir(), None).unwrap();
        let faults = FaultFs::new(disk);
        let flags = || layout.display(&layout.flags(&faults));
        assert_eq!(flags(), "ORCH/STATE/FLAGS.md");
        faults.append(&layout.state_dir().join("flags.md")).unwrap();
        assert_eq!(flags(), "ORCH/STATE/flags.md");
        faults.reset();
        faults.fail_at(1, 13);
        assert_eq!(flags(), "ORCH/STATE/FLAGS.md", "what cannot be looked at may be there");
    }
}
