//! `orch leases`

use crate::cli::answer::{Answer, Cx, End};
use crate::cli::commands::next::Reader;
use crate::ledger::tasks::shell_word;
use crate::model::field::TaskField;
use crate::model::task::Expiry;
use crate::services::transition::Case;
use crate::wire::list::{LeaseList, LeaseRow};
use clap::Args;
use std::time::Duration;

/// Arguments of `orch leases`.
#[derive(Debug, Args)]
pub struct LeasesArgs {}

pub(super) fn run(cx: &mut Cx<'_>, _: LeasesArgs) -> End {
    let reader = Reader::open(cx)?;
    let snapshot = reader.snapshot(cx)?;
    let now = reader.ctx.now(snapshot.journal()?.newest());
    let mut leases = Vec::new();
    for row in snapshot.tasks.rows() {
        let doing = snapshot.tasks.cell(row, TaskField::State).as_deref() == Some("DOING");
        if !doing && snapshot.tasks.cell(row, TaskField::LockOwner).is_none() {
            continue;
        }
        let id = snapshot.tasks.id(row);
        let task = snapshot.tasks.task(row);
        let Some(lease) = task.lease() else { continue };
        let status = match lease.expiry {
            _ if !lease.is_live(now, reader.ctx.settings.leases.grace) => "expired",
            Expiry::Malformed(_) => "unreadable",
            Expiry::At(_) if !lease.is_live(now, Duration::ZERO) => "grace",
            _ => "live",
        };
        // An id that stands twice has no lease that could be told apart.
        let token = Case::of(&snapshot, &id).ok().and_then(|case| case.token(&reader.ctx));
        leases.push(LeaseRow {
            task_id: id.into_owned(),
            owner: lease.holder.map(str::to_owned),
            token,
            expires_at: task.lock_expires_at.as_deref().map(str::to_owned),
            status: status.to_owned(),
        });
    }
    let rows = leases
        .iter()
        .map(|l| {
            vec![
                l.task_id.clone(),
                l.owner.clone().unwrap_or_default(),
                l.status.clone(),
                l.expires_at.clone().unwrap_or_default(),
                l.token.map(|t| t.to_string()).unwrap_or_default(),
            ]
        })
        .collect();
    let expired = leases.iter().any(|l| l.status == "expired");
    let mine = |lease: &&LeaseRow| {
        let is_mine = |owner| crate::model::task::same_actor(owner, &reader.who.actor);
        lease.status != "expired" && lease.owner.as_deref().is_some_and(is_mine)
    };
    let renew = leases.iter().find(mine).map(|lease| {
        let token = lease.token.map_or_else(String::new, |token| format!(" --token {token}"));
        format!("renew {}{token}", shell_word(&lease.task_id))
    });
    let next = renew.into_iter().chain(expired.then(|| "reap".to_owned()));
    let next: Vec<String> = next.map(|rest| cx.command(&rest, Some(&reader.who))).collect();
    let total = leases.len();
    cx.rows(&Answer {
        kind: "lease.list",
        data: LeaseList { leases, total, returned: total, truncated: false },
        columns: &["task_id", "owner", "status", "expires_at", "token"],
        flexible: &[],
        rows,
        warnings: &reader.ctx.warnings,
        next: &next,
    })?;
    cx.next_for_people(&next);
    Ok(None)
}
