//! Which commands are worth typing next.
//!
//! Invariant: each is whole and runs as printed, with the caller's own options;
//! none is one that only people may give.

use crate::answer::Caller;
use crate::ledger::tasks::shell_word;
use crate::model::actor::Role;
use crate::model::task::{is_offered_to, same_actor};
use crate::services::context::{Context, Identity};
use crate::services::transition::Case;
use crate::store::snapshot::Snapshot;
use crate::wire::approval::Approval;
use crate::wire::change::Change;
use crate::wire::list::Shown;
use crate::wire::task::Task;

/// The most bytes of an actor that is repeated for a reader.
const SHORT_NAME: usize = 40;

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
    // The lease of an answer is that of the task that was claimed last.
    let claimed = answer.claimed.iter().flatten().next();
    let one = answer.task.iter().flatten().next().filter(|_| answer.tasks.is_none());
    if answer.already && answer.op.is_some() {
        // What was answered to the same key before; the task may be elsewhere by now.
        let show = claimed.or(one).map(|task| format!("show {}", shell_word(&task.task_id)));
        return vec![with(show.unwrap_or_else(|| "next".to_owned()))];
    }
    let token = answer.lease.as_ref().and_then(|lease| lease.token);
    let Some(task) = claimed.or(one) else {
        let ids: Vec<String> =
            answer.tasks.iter().flatten().map(|task| shell_word(&task.task_id)).collect();
        return match token {
            Some(_) => of_holder(caller, who, &ids.join(" "), token),
            None => vec![with("next".to_owned())],
        };
    };
    let id = shell_word(&task.task_id);
    let mut next = match task.state.as_deref() {
        Some("PLAN") if directs(who) => vec![with(format!("ready {id}"))],
        // With dependencies it may not be free yet: `next` tells.
        Some("READY" | "FIX") if works(who) && task.depends.is_empty() => {
            vec![with(format!("claim {id}"))]
        }
        Some("DOING") if answer.lease.is_some() => of_holder(caller, who, &id, token),
        // Who did it does not accept it, and alone a person decides when to.
        _ => vec![with("next".to_owned())],
    };
    if !answer.cut.is_empty() {
        // A name of many tokens is said where it must be: the answer is bounded.
        let who = (who.actor.as_str().len() <= SHORT_NAME).then_some(who);
        next.push(caller.command(&format!("show {id}"), who));
    }
    next
}

fn directs(who: &Identity) -> bool {
    who.actor.role() == Role::Cmd || who.solo
}

fn works(who: &Identity) -> bool {
    who.actor.role() == Role::Work || who.solo
}

/// What whoever holds tasks does with them.
fn of_holder(caller: &Caller<'_>, who: &Identity, ids: &str, token: Option<u64>) -> Vec<String> {
    let token = token.map_or_else(String::new, |token| format!(" --token {token}"));
    ["submit", "renew", "release"]
        .map(|verb| caller.command(&format!("{verb} {ids}{token}"), Some(who)))
        .to_vec()
}

/// Whole commands that this caller may type after a look at a task.
pub fn after_show(
    caller: &Caller<'_>,
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    shown: &Shown,
) -> Vec<String> {
    let task = &shown.task;
    let id = shell_word(&task.task_id);
    let is_closed = matches!(task.state.as_deref(), Some("DONE" | "DROP"));
    if shown.archived || is_closed {
        return vec![caller.command(&format!("log {id}"), None)];
    }
    if snapshot.tasks.rows_of(&task.task_id).len() > 1 {
        return vec![caller.command("check", None)];
    }
    // Whose name is none may still look; the next change says what is wrong.
    let Ok(who) = ctx.identity(caller.actor) else { return Vec::new() };
    let with = |rest: String| vec![caller.command(&rest, Some(&who))];
    let is_mine = || task.lock_owner.as_deref().is_some_and(|o| same_actor(o, &who.actor));
    match task.state.as_deref() {
        Some("PLAN") if directs(&who) => with(format!("ready {id}")),
        Some("READY" | "FIX") if is_free(&who, task, shown) => with(format!("claim {id}")),
        Some("DOING") if is_mine() => match Case::of(snapshot, &task.task_id) {
            Ok(case) => of_holder(caller, &who, &id, case.token(ctx)),
            Err(_) => with("check".to_owned()),
        },
        _ => with("next".to_owned()),
    }
}

/// Whether a claim would probably be granted.
fn is_free(who: &Identity, task: &Task<'_>, shown: &Shown) -> bool {
    let owner = task.owner.as_deref();
    (is_offered_to(owner, &who.actor) || (who.solo && owner.is_none()))
        && task.lock_owner.is_none()
        && shown.depends_on.iter().all(|on| on.state.as_deref() == Some("DONE"))
        && !shown.approvals.iter().any(|a| a.status.as_deref() == Some("pending"))
}
