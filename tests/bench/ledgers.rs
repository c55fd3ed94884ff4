//! Ledgers of 190 bytes a row, and the same tasks as SQL.
//!
//! Invariant: the same number of rows gives the same bytes.

use crate::programs::{orch, time};
use anyhow::Result;
use std::fmt::Write as _;
use std::fs;
use tempfile::TempDir;

const VERBS: [&str; 8] =
    ["Implement", "Refactor", "Document", "Review", "Fix", "Verify", "Migrate", "Benchmark"];
const NOUNS: [&str; 8] = [
    "login timeout",
    "ledger parser",
    "lease expiry",
    "approval gate",
    "export pipeline",
    "notification hook",
    "audit log",
    "config loader",
];
const NOTES: [&str; 6] = [
    "台帳の行を原子的に更新する",
    "承認待ちの依頼を確認する",
    "期限切れのロックを回収する",
    "監査ログの整合性を検証する",
    "担当者へ差し戻しの理由を伝える",
    "成果物のパスを記録する",
];
/// States and their weights out of 100.
const STATES: [(&str, u64); 6] =
    [("PLAN", 10), ("READY", 20), ("DOING", 8), ("REVIEW", 7), ("FIX", 5), ("DONE", 50)];

/// `SplitMix64`: enough chance for a bench, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64)]
    }

    fn state(&mut self) -> &'static str {
        let mut at = self.below(100) as u64;
        for (state, weight) in STATES {
            if at < weight {
                return state;
            }
            at -= weight;
        }
        "PLAN"
    }
}

/// The id of a task, from 1.
pub fn id(k: usize) -> String {
    format!("T-{k:06}")
}

/// The cells of every task.
fn tasks(rows: usize) -> impl Iterator<Item = [String; 10]> {
    let mut chance = Chance(1);
    (1..=rows).map(move |k| {
        let state = chance.state();
        let empty = || "-".to_owned();
        let when = |is: bool, text: String| if is { text } else { empty() };
        let (doing, done) = (state == "DOING", state == "DONE");
        let holder = format!("WORK@agent-{:02}", k % 16);
        let due = format!("2026-{:02}-{:02}", 1 + chance.below(12), 1 + chance.below(28));
        let notes = format!(
            "{}。{}。ref #{}",
            chance.pick(&NOTES),
            chance.pick(&NOTES),
            chance.below(9999)
        );
        [
            id(k),
            format!("{} {} {k}", chance.pick(&VERBS), chance.pick(&NOUNS)),
            state.to_owned(),
            chance.pick(&["CMD", "WORK", "AUDIT"]).to_owned(),
            when(doing, format!("{holder}@2026-11-01T{:02}:00:00Z", k % 24)),
            when(doing, holder),
            when(doing, "2099-01-01T00:00:00Z".to_owned()),
            when(chance.below(2) == 0, due),
            when(done, format!("docs/out/{k:06}.md")),
            notes,
        ]
    })
}

/// TASKS.md with so many rows.
pub fn ledger(rows: usize) -> String {
    let mut text = String::from(
        "# TASKS\n\nこの台帳は手で編集してもよい。Rows below are the single source of truth.\n\n\
         <!-- keep this comment -->\n\n\
         | task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact \
         | notes |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for cells in tasks(rows) {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push_str("\n## メモ\n\n- free prose after the table must survive every update\n");
    text
}

/// The same tasks as a script for the sqlite3 command.
pub fn sql(rows: usize) -> String {
    let mut script = String::from(
        "create table tasks(task_id text primary key, title text, state text, owner text, \
         lock text, lock_owner text, lock_expires_at text, due text, artifact text, notes text);\n\
         create index by_state on tasks(state);\nbegin;\n",
    );
    for cells in tasks(rows) {
        let _ = writeln!(script, "insert into tasks values('{}');", cells.join("','"));
    }
    script.push_str("commit;\n");
    script
}

/// A folder with a workspace of so many rows. It is beside the build, since a
/// system's folder for temporary files may be in memory, where syncing is free.
pub fn workspace(rows: usize) -> Result<TempDir> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    // The top of a repository, so that the project's own is not looked at.
    fs::create_dir(dir.path().join(".git"))?;
    time(&mut orch(dir.path(), &["init", "-q"]))?;
    fs::write(dir.path().join("ORCH/STATE/TASKS.md"), ledger(rows))?;
    Ok(dir)
}
