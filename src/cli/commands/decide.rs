//! `orch decide`

use crate::cli::answer::{Answer, Cx, End};
use crate::cli::args::{ChangeArgs, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::tasks::shell_word;
use crate::services::context;
use crate::services::decide::conditions::{Holds, Measured};
use crate::services::decide::{self, Judged, Mode, Report, Request};
use crate::wire::decide::{Condition, Decided, Decisions};
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
        serde_json::to_value(shape(report, args.explain)).unwrap_or_default()
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

fn shape(report: &Report<'_>, explain: bool) -> Decisions {
    let of = |judged: &Judged| Decided {
        appr_id: judged.appr_id.clone(),
        task_id: judged.task_id.clone(),
        verdict: judged.verdict.as_str().to_owned(),
        reasons: judged.reasons.clone(),
        conditions: explain.then(|| judged.conditions.iter().map(condition).collect()),
    };
    let total = report.judged.len();
    Decisions {
        approvals: report.judged.iter().map(of).collect(),
        total,
        returned: total,
        truncated: false,
        mode: report.mode.as_str().to_owned(),
        already: false,
        op: report.op.map(Into::into),
        diff: report.diff.map(str::to_owned),
    }
}

fn condition(measured: &Measured) -> Condition {
    Condition {
        name: measured.name.to_owned(),
        holds: match measured.holds {
            Holds::Yes => Some(true),
            Holds::Breach | Holds::Fails => Some(false),
            Holds::Skipped => None,
        },
        measured: measured.measured.clone(),
        limit: measured.limit.clone(),
        output: measured.output.clone(),
    }
}

fn tell(cx: &mut Cx<'_>, answer: &Decisions, explain: bool, warnings: &[String]) -> Result<()> {
    let format = cx.global.format();
    let left = answer.approvals.iter().filter(|a| a.verdict == "leave");
    let next: Vec<String> = left
        .take(1)
        .map(|a| cx.command(&format!("evidence show {}", shell_word(&a.appr_id)), None))
        .collect();
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
