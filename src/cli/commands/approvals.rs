//! `orch approvals`

use crate::answer;
use crate::cli::answer::{Answer, Cx, End};
use crate::cli::args::Format;
use crate::cli::commands::next::Reader;
use crate::error::Error;
use crate::model::approval::ApprovalStatus;
use crate::services::approvals::force::Force;
use crate::services::approvals::list::{self, Item, Query};
use crate::wire::approval::{Approval, ApprovalList};
use clap::Args;

/// How much of a hash people see; `--sha` takes any beginning.
const SHOWN: usize = 12;

/// Arguments of `orch approvals`.
#[derive(Debug, Args)]
pub struct ApprovalsArgs {
    /// Only these
    #[arg(value_name = "APPR")]
    ids: Vec<String>,
    /// Only those of this status: pending, approved, rejected, expired
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only those of this task
    #[arg(long, value_name = "ID")]
    task: Option<String>,
    /// At most so many (0: all)
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    limit: usize,
}

pub(super) fn run(cx: &mut Cx<'_>, args: ApprovalsArgs) -> End {
    let reader = Reader::open(cx)?;
    let snapshot = reader.snapshot(cx)?;
    let now = reader.ctx.now(snapshot.journal()?.newest());
    if let Some(status) = &args.status
        && ApprovalStatus::parse(&status.to_ascii_lowercase()).is_none()
    {
        return Err(Error::usage(format!(
            "`{status}` is no status of an approval: pending, approved, rejected or expired"
        ))
        .hint("orch approvals --help"));
    }
    let query = Query { ids: args.ids, status: args.status, task: args.task };
    let items = list::list(&reader.ctx, &snapshot, &query, now)?;
    let total = items.len();
    let returned = if args.limit == 0 { total } else { total.min(args.limit) };
    let approvals: Vec<Approval> = items.iter().take(returned).map(answer::approvals::of).collect();
    let notes: Vec<String> = items.iter().take(returned).filter_map(stale).collect();
    let next = answer::approvals::worth_a_look(&cx.caller(), &items[..returned]);
    let rows = approvals.iter().map(row).collect();
    if approvals.is_empty() && cx.global.format() == Format::Table {
        cx.ui.note("no such approval");
        return Ok(None);
    }
    cx.rows(&Answer {
        kind: "approval.list",
        data: ApprovalList { approvals, total, returned, truncated: returned < total },
        columns: &[
            "appr_id",
            "status",
            "task_id",
            "op",
            "requested_by",
            "approver",
            "ts_req",
            "sha",
        ],
        flexible: &["op"],
        rows,
        warnings: &reader.ctx.warnings,
        next: &next,
    })?;
    for note in notes {
        cx.ui.note(&note);
    }
    cx.next_for_people(&next);
    Ok(None)
}

fn stale(item: &Item<'_>) -> Option<String> {
    match &item.force {
        Some(Force::Stale(why)) => Some(format!("`{}` no longer counts: {why}", item.approval.id)),
        _ => None,
    }
}

fn row(approval: &Approval) -> Vec<String> {
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_default();
    let sha = approval.evidence_sha256.as_deref().unwrap_or_default();
    vec![
        approval.appr_id.clone(),
        cell(&approval.status),
        cell(&approval.task_id),
        cell(&approval.op),
        cell(&approval.requested_by),
        cell(&approval.approver),
        cell(&approval.ts_req),
        sha.get(..SHOWN).unwrap_or(sha).to_owned(),
    ]
}
