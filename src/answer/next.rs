//! Which commands are worth typing next.
//!
//! Invariant: each is whole and runs as printed, with the caller's own options;
//! none is one that only people may give.

use crate::answer::Caller;
use crate::ledger::tasks::shell_word;
use crate::model::actor::Role;
use crate::services::context::Identity;
use crate::wire::approval::Approval;
use crate::wire::change::Change;

/// What is worth looking at once an approval was asked for or decided.
fn after_approval(caller: &Caller<'_>, approval: &Approval) -> Vec<String> {
    let appr = shell_word(&approval.appr_id);
    let shows = approval.status.as_deref() == Some("pending") && approval.evidence.is_some();
    let verb = if shows { "evidence show" } else { "approvals" };
    vec![caller.command(&format!("{verb} {appr}"), None)]
}

/// Whole commands that this caller may type after a change.
pub fn after_change(
    caller: &Caller<'_>,
    who: &Identity,
    answer: &Change,
    nothing: bool,
) -> Vec<String> {
    if answer.diff.is_some() {
        return Vec::new();
    }
    let with = |rest: String| caller.command(&rest, Some(who));
    if nothing {
        return vec![with("next".to_owned())];
    }
    if answer.undid.as_ref().is_some_and(|undid| undid.redoable) && !answer.already {
        return vec![with("redo".to_owned())];
    }
    if let Some(approval) = &answer.approval {
        return after_approval(caller, approval);
    }
    if answer.flag.is_some() {
        return vec![caller.command("status", None)];
    }
    let several = answer.tasks.is_some();
    let current = answer.claimed.iter().flatten().next().or(answer.task.iter().flatten().next());
    let Some(task) = current.filter(|_| !several) else {
        let token = answer.lease.as_ref().and_then(|lease| lease.token);
        let ids: Vec<String> =
            answer.tasks.iter().flatten().map(|task| shell_word(&task.task_id)).collect();
        return match token {
            Some(token) => ["submit", "renew", "release"]
                .map(|verb| with(format!("{verb} {} --token {token}", ids.join(" "))))
                .to_vec(),
            None => vec![with("next".to_owned())],
        };
    };
    let id = shell_word(&task.task_id);
    let token = answer
        .lease
        .as_ref()
        .and_then(|lease| lease.token)
        .map_or_else(String::new, |token| format!(" --token {token}"));
    let is_cmd = who.actor.role() == Role::Cmd || who.solo;
    let is_work = who.actor.role() == Role::Work || who.solo;
    match task.state.as_deref() {
        Some("PLAN") if is_cmd => vec![with(format!("ready {id}"))],
        // With dependencies it may not be free yet: `next` tells.
        Some("READY" | "FIX") if is_work && task.depends.is_empty() => {
            vec![with(format!("claim {id}"))]
        }
        Some("DOING") if answer.lease.is_some() => vec![
            with(format!("submit {id}{token}")),
            with(format!("renew {id}{token}")),
            with(format!("release {id}{token}")),
        ],
        Some("REVIEW") if who.solo => vec![with(format!("done {id}"))],
        _ => vec![with("next".to_owned())],
    }
}
