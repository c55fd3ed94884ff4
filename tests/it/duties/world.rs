//! What the matrix is made of: the table of the contract as it is written here,
//! ways to a task that somebody held and an approval that somebody asked for,
//! and the verdict on one case.

use crate::support::Workspace;
use crate::support::workspace::{APPROVALS, Ran, TASKS};
use std::fmt::Write as _;

/// Who asks, holds and writes: one person in another role, in other letters,
/// under another of her names; somebody else; bare roles.
pub const PARTIES: [&str; 7] =
    ["CMD@eve", "WORK@eve", "WORK@EVE", "WORK@eve-laptop", "WORK@ada", "WORK", "CMD"];

/// Who judges.
pub const DECIDERS: [&str; 6] =
    ["CMD@eve", "AUDIT@Eve", "CMD@eve-laptop", "WORK@bob", "CMD", "AUDIT"];

pub const PRINCIPALS: &str = "principals: {eve: [eve-laptop]}\ndurability: fast\n";

// ---- the table ---------------------------------------------------------------

pub fn role(actor: &str) -> &str {
    actor.split('@').next().unwrap_or(actor)
}

/// Whose name it is; none for a bare role.
fn person(actor: &str) -> Option<String> {
    let name = actor.split_once('@')?.1.to_lowercase();
    Some(if name == "eve-laptop" { "eve".to_owned() } else { name })
}

/// "The same person when their names match without regard to case, or both map
/// to one principal, or both are bare and have one role."
pub fn same(a: &str, b: &str) -> bool {
    match (person(a), person(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => role(a) == role(b),
        _ => false,
    }
}

/// "Role CMD or AUDIT; not the same person as …; whoever decides or finishes as
/// a bare role is refused (exit 8) where the requester or a holder has a name."
/// Of several exits the role's, 4, comes before 8.
pub fn expected(decider: &str, others: &[&str]) -> u8 {
    let is_bare = person(decider).is_none();
    if role(decider) == "WORK" {
        4
    } else if others.iter().any(|o| same(decider, o) || is_bare && person(o).is_some()) {
        8
    } else {
        0
    }
}

// ---- the doors ----------------------------------------------------------------

/// A task in REVIEW that these held in this round, the last handed it in.
pub fn held_by(holders: &[&str], settings: &str) -> Workspace {
    let ws = Workspace::new().task("T-1", "Ship it").settings(settings);
    for (n, holder) in holders.iter().enumerate() {
        if role(holder) == "CMD" {
            let _ = ws.run_as("CMD@boss", &format!("set T-1 owner={holder}")).ok();
        }
        let lease = ws.run_as(holder, "claim T-1 --json").ok().json();
        let token = &lease["data"]["lease"]["token"];
        let end = if n + 1 == holders.len() { "submit" } else { "release" };
        let _ = ws.run_as(holder, &format!("{end} T-1 --token {token}")).ok();
        if role(holder) == "CMD" {
            let _ = ws.run_as("CMD@boss", "set T-1 owner=-").ok();
        }
    }
    if holders.is_empty() {
        ws.write(TASKS, ws.read(TASKS).replace("READY", "REVIEW"));
    }
    ws
}

/// Evidence whose front matter names its author.
fn written_by(author: &str) -> String {
    use orch::ledger::evidence::{diff_sha256, render};
    let diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n";
    let front = orch::model::evidence::Front {
        appr_id: "A001".into(),
        task_id: "T-1".into(),
        op: "merge".into(),
        requested_by: author.into(),
        ts_req: "2026-01-01T09:00:00Z".into(),
        base: None,
        worktree: None,
        files: Vec::new(),
        sha256: diff_sha256(diff),
    };
    render(&front, "Ship it", diff)
}

/// `A001`, asked for by one, with evidence by another.
pub fn ask(ws: &Workspace, requester: &str, author: Option<&str>) {
    let evidence = author.map_or("", |author| {
        ws.write("docs/e.diff.md", written_by(author));
        " --evidence docs/e.diff.md"
    });
    let _ = ws.run_as(requester, &format!("request T-1 --op merge{evidence}")).ok();
}

pub const AUDIT: &str = "ORCH/LOGS/2026-01/APPROVALS-2026-01-01.md";

#[derive(Default)]
pub struct Tally {
    pub cases: usize,
    pub wrong: String,
}

impl Tally {
    /// Runs one case and leaves the workspace as it was. Its exit is the one of
    /// the table; a refusal changes no ledger, stands in the audit file, and ends
    /// in a hint.
    pub fn case(
        &mut self,
        ws: &Workspace,
        what: &str,
        expected: u8,
        run: impl Fn(&Workspace) -> Ran,
    ) {
        // What is refused leaves a line in the audit file, and nothing else.
        let before = (expected == 0).then(|| ws.kept());
        let ledgers = || [TASKS, APPROVALS].map(|path| ws.read(path));
        let (old, audit) = (ledgers(), ws.existing(AUDIT));
        let ran = run(ws);
        self.cases += 1;
        let unchanged = ledgers() == old;
        let line = ws.read(AUDIT).split_off(audit.as_ref().map_or(0, String::len));
        let audited = line.contains("result=FAIL");
        let in_order = if expected == 0 {
            !unchanged && !audited
        } else {
            unchanged && audited == (expected == 8) && ran.stderr.contains("\nhint: orch ")
        };
        if ran.exit != expected || !in_order {
            let _ = writeln!(
                self.wrong,
                "{what}: `{}`: exit {}, the table has {expected}; ledgers unchanged: {unchanged}, \
                 audit: {line:?}\n    {}",
                ran.command,
                ran.exit,
                ran.stderr.lines().next().unwrap_or("")
            );
        }
        match (before, audit) {
            (Some(before), _) => ws.back_to(&before),
            (None, Some(audit)) => ws.write(AUDIT, audit),
            (None, None) => ws.remove(AUDIT),
        }
    }

    #[track_caller]
    pub fn finish(self, at_least: usize) {
        let first: Vec<&str> = self.wrong.lines().take(40).collect();
        assert!(first.is_empty(), "of {} cases:\n{}", self.cases, first.join("\n"));
        assert!(self.cases >= at_least, "{} cases", self.cases);
    }
}
