//! Approvals judged by the rules of orch.yaml.

use crate::answer::change::{self, Options};
use crate::answer::{Caller, Reply};
use crate::error::Result;
use crate::ledger::tasks::shell_word;
use crate::services::context::Mode;
use crate::services::decide::conditions::{Holds, Measured};
use crate::services::decide::{self, Judged, Report, Request};
use crate::wire::decide::{Condition, Decided, Decisions};
use serde_json::Value;

/// Judges these approvals, or all that are pending. `is_stopped` ends what runs.
///
/// # Errors
/// As the command.
pub fn run(
    caller: &Caller<'_>,
    options: Options,
    ids: Vec<String>,
    explain: bool,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Reply> {
    let ctx = caller.context(Mode::Change)?;
    let request = Request { ids };
    let asked_for = (&request.ids, explain);
    let change = change::asked(caller, &ctx, "decide", options, &asked_for)?;
    let changed =
        decide::run(&ctx, &request, &change, is_stopped, &|report| present(report, explain))?;
    let answer: Decisions = serde_json::from_value(changed.data.clone()).unwrap_or_default();
    let next = worth_a_look(caller, &answer);
    let warnings = [ctx.warnings, changed.warnings].concat();
    Ok(Reply { kind: "approval.decide", data: changed.data, warnings, next, end: None })
}

/// The evidence of the first that was left to people.
pub fn worth_a_look(caller: &Caller<'_>, answer: &Decisions) -> Vec<String> {
    let left = answer.approvals.iter().find(|approval| approval.verdict == "leave");
    let show = left.map(|left| format!("evidence show {}", shell_word(&left.appr_id)));
    show.map(|show| caller.command(&show, None)).into_iter().collect()
}

/// The answer's data.
pub fn present(report: &Report<'_>, explain: bool) -> Value {
    serde_json::to_value(shape(report, explain)).unwrap_or_default()
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
