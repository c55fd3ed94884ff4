//! `orch decide`

use crate::answer;
use crate::cli::answer::{Answer, Cx, End};
use crate::cli::args::{ChangeArgs, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::services::context;
use crate::services::decide::{self, Mode, Request};
use crate::wire::decide::{Decided, Decisions};
use clap::Args;
use std::cell::Cell;

/// Arguments of `orch decide`.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// Only these approvals; without any all that are pending
    #[arg(value_name = "APPR")]
    ids: Vec<String>,
    /// List each condition with what was measured
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: DecideArgs) -> End {
    let ctx = cx.context(context::Mode::Change)?;
    let request = Request { ids: args.ids };
    let asked_for = (&request.ids, args.explain);
    let change = cx.asked(&ctx, "decide", args.change, &asked_for)?;
    // What runs leads a group of its own, so Ctrl-C reaches us alone, and the
    // scratch copy has to go before we do.
    let caught =
        cx.sys.process.catch().map_err(|e| {
            Error::new(ErrorKind::Failed, format!("cannot listen for signals: {e}"))
        })?;
    let stop = Cell::new(None);
    let is_stopped = || {
        stop.set(stop.get().or_else(|| caught.take().into_iter().next()));
        stop.get().is_some()
    };
    let changed = decide::run(&ctx, &request, &change, &is_stopped, &|report| {
        answer::decide::present(report, args.explain)
    });
    if let (Some(signal), Err(_)) = (stop.get(), &changed) {
        cx.program_exit.set(Some(128 + signal.number()));
    }
    let changed = changed?;
    let answer: Decisions = serde_json::from_value(changed.data.clone()).unwrap_or_default();
    let warnings: Vec<String> = ctx.warnings.iter().chain(&changed.warnings).cloned().collect();
    let end = tell(cx, &answer, args.explain, &warnings);
    cx.told(&change, &changed.data, &changed.warnings, end)?;
    Ok(None)
}

fn tell(cx: &mut Cx<'_>, answer: &Decisions, explain: bool, warnings: &[String]) -> Result<()> {
    let format = cx.global.format();
    let next = answer::decide::worth_a_look(&cx.caller(), answer);
    if let (Some(diff), true) = (&answer.diff, format != Format::Json) {
        let _ = cx.ui.diff(diff)?;
    }
    if answer.approvals.is_empty() && format == Format::Table {
        cx.ui.note("no approval is pending");
        return Ok(());
    }
    if answer.diff.is_none() || format == Format::Json {
        cx.rows(&Answer {
            kind: "approval.decide",
            data: answer,
            columns: &["appr_id", "task_id", "verdict", "reasons"],
            flexible: &["reasons"],
            rows: answer.approvals.iter().map(row).collect(),
            warnings,
            next: &next,
        })?;
    }
    if explain && format == Format::Table {
        conditions(cx, answer)?;
    }
    if answer.mode == Mode::Shadow.as_str() && format == Format::Table {
        cx.ui.note("AUTO_DECIDE is shadow: the verdicts are in the audit file, and nowhere else");
    }
    cx.next_for_people(&next);
    Ok(())
}

fn row(decided: &Decided) -> Vec<String> {
    vec![
        decided.appr_id.clone(),
        decided.task_id.clone().unwrap_or_default(),
        decided.verdict.clone(),
        decided.reasons.join("; "),
    ]
}

/// For people: each condition below its approval, and what a failing command
/// wrote below that.
fn conditions(cx: &mut Cx<'_>, answer: &Decisions) -> Result<()> {
    let measured = answer.approvals.iter().flat_map(|decided| {
        decided.conditions.iter().flatten().map(move |condition| (decided, condition))
    });
    let rows: Vec<Vec<String>> = measured
        .clone()
        .map(|(decided, condition)| {
            let holds = match condition.holds {
                Some(true) => "yes",
                Some(false) => "no",
                None => "-",
            };
            vec![
                decided.appr_id.clone(),
                condition.name.clone(),
                holds.to_owned(),
                condition.measured.clone(),
                condition.limit.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let _ = cx.ui.line("")?;
        cx.rows(&Answer {
            kind: "approval.decide",
            data: answer,
            columns: &["appr_id", "condition", "holds", "measured", "limit"],
            flexible: &["measured", "limit"],
            rows,
            warnings: &[],
            next: &[],
        })?;
    }
    for (decided, condition) in measured {
        if let Some(output) = &condition.output {
            let _ = cx.ui.line("")?;
            let _ = cx.ui.line(&format!("{}, the end of what was written:", decided.appr_id))?;
            let _ = cx.ui.lines(output)?;
        }
    }
    Ok(())
}
