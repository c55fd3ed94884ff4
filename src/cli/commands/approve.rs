//! `orch approve`, `orch reject` and `orch withdraw`

use crate::answer;
use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::{ChangeArgs, Format};
use crate::error::Result;
use crate::services::approvals::judge::{self, Verdict};
use crate::services::approvals::withdraw;
use crate::services::context::Mode;
use crate::services::evidence;
use crate::store::snapshot::{Files, Snapshot, Want};
use clap::Args;

/// Arguments of `orch approve` and `orch reject`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The approval
    #[arg(value_name = "APPR")]
    id: String,
    /// Decide on this evidence only: the beginning of its SHA-256, as
    /// `orch evidence show` and `orch approvals` print it
    #[arg(long, value_name = "PREFIX")]
    sha: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Arguments of `orch withdraw`.
#[derive(Debug, Args)]
pub struct WithdrawArgs {
    /// The approval
    #[arg(value_name = "APPR")]
    id: String,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn approve(cx: &mut Cx<'_>, args: ApproveArgs) -> End {
    decide(cx, args, Verdict::Approve)
}

pub(super) fn reject(cx: &mut Cx<'_>, args: ApproveArgs) -> End {
    decide(cx, args, Verdict::Reject)
}

fn decide(cx: &mut Cx<'_>, args: ApproveArgs, verdict: Verdict) -> End {
    let asked_for = answer::judge::asked_for(&args.id, args.sha.as_deref());
    let shown = match &args.sha {
        Some(sha) => Some(sha.clone()),
        None => show(cx, &args.id)?,
    };
    cx.change(&answer::judge::verb(verdict), args.change, &asked_for, &|asked| {
        answer::judge::decide(asked, &args.id, verdict, shown.as_deref())
    })
}

/// On a terminal the evidence is shown first, and what was shown is what is
/// decided on.
fn show(cx: &mut Cx<'_>, id: &str) -> Result<Option<String>> {
    let is_person = cx.sys.env.stdout_is_terminal() && cx.global.format() == Format::Table;
    if !is_person || cx.global.quiet {
        return Ok(None);
    }
    let ctx = crate::services::context::Context::open(cx.sys, cx.global.dir.clone(), Mode::Read)?;
    let files = Files::read(cx.sys, &ctx.layout, Want::All)?;
    let snapshot = Snapshot::parse(cx.sys, &ctx.layout, &files)?;
    let Ok(row) = snapshot.approvals.find(id) else { return Ok(None) };
    let Some(cell) = snapshot.approvals.approval(row).evidence.map(std::borrow::Cow::into_owned)
    else {
        return Ok(None);
    };
    // Evidence that cannot be read is refused where it is decided on.
    let Ok(stored) = evidence::load(&ctx, &cell) else { return Ok(None) };
    let text = String::from_utf8_lossy(&stored.bytes).into_owned();
    let diff = crate::ledger::evidence::parse(&text).map_or(&text[..], |evidence| evidence.diff);
    let _ = cx.ui.diff(diff)?;
    Ok(Some(stored.sha))
}

pub(super) fn run_withdraw(cx: &mut Cx<'_>, args: WithdrawArgs) -> End {
    let verb = Verb { command: "withdraw", kind: "approval.withdraw" };
    let id = args.id;
    cx.change(&verb, args.change, &id, &|asked| {
        let mut decision = withdraw::withdraw(asked.ctx, asked.snapshot, asked.who, &id)?;
        judge::note(asked.snapshot, &id, asked.note, &mut decision)?;
        Ok(decision)
    })
}
