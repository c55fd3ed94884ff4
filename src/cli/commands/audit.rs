//! `orch audit`

use crate::cli::answer::{Answer, Cx, End};
use crate::cli::args::Format;
use crate::error::ErrorKind;
use crate::services::audit::{self, Report, Since};
use crate::services::context::Mode;
use crate::services::doctor::Severity;
use crate::wire::audit::Audit;
use crate::wire::list::Finding;
use clap::{Args, Subcommand};

/// Arguments of `orch audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    verb: AuditVerb,
}

#[derive(Debug, Subcommand)]
enum AuditVerb {
    /// Look whether the journal is whole and the ledgers agree with it
    Verify {
        /// This operation, noted elsewhere, must still be there: `SEQ:HASH`, or
        /// an operation's id
        #[arg(long, value_name = "SEQ:HASH|OP")]
        since: Vec<String>,
    },
}

pub(super) fn run(cx: &mut Cx<'_>, args: AuditArgs) -> End {
    let AuditVerb::Verify { since } = args.verb;
    let since = since.iter().map(|text| Since::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let ctx = cx.context(Mode::Read)?;
    let report = audit::workspace(&ctx, &since)?;
    let place = |finding: &audit::Finding| {
        let place = finding.place.as_ref();
        place.map_or_else(String::new, |(file, line, column)| format!("{file}:{line}:{column}: "))
    };
    let rows: Vec<Vec<String>> = report
        .findings
        .iter()
        .map(|f| {
            let message = format!("{}{}", place(f), f.message);
            vec![f.severity.as_str().to_owned(), f.code.to_owned(), message]
        })
        .collect();
    let ends_badly = report.has_errors();
    let summary = summary(&report);
    let heads = report.heads.clone();
    let for_people = cx.global.format() == Format::Table;
    if !for_people || !rows.is_empty() {
        let next = if ends_badly { vec![cx.command("check", None)] } else { Vec::new() };
        let findings: Vec<Finding> = report.findings.into_iter().map(shape).collect();
        let total = findings.len();
        cx.rows(&Answer {
            kind: "audit.verify",
            data: Audit {
                findings,
                total,
                returned: total,
                truncated: false,
                heads: report.heads,
                operations: report.operations,
                duplicates: report.duplicates,
            },
            columns: &["severity", "code", "message"],
            flexible: &[],
            rows,
            warnings: &ctx.warnings,
            next: &next,
        })?;
    }
    if for_people {
        let _ = cx.ui.line(&summary)?;
        for head in &heads {
            let _ = cx.ui.line(&format!("head {head}"))?;
        }
    }
    Ok(ends_badly.then_some(ErrorKind::LedgerInvalid))
}

fn shape(finding: audit::Finding) -> Finding {
    let (file, line, column) = match finding.place {
        Some((file, line, column)) => (Some(file), Some(line), Some(column)),
        None => (None, None, None),
    };
    Finding {
        code: finding.code.to_owned(),
        severity: finding.severity.as_str().to_owned(),
        message: finding.message,
        file,
        line,
        column,
        help: None,
    }
}

/// How it stands, in one line.
fn summary(report: &Report) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let of = |severity| report.findings.iter().filter(|f| f.severity == severity).count();
    if report.operations == 0 && report.findings.is_empty() {
        return "no journal yet: the first change begins it".to_owned();
    }
    let mut parts = vec![count(report.operations, "operation")];
    if report.duplicates > 0 {
        parts.push(count(report.duplicates, "line") + " twice");
    }
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    if errors > 0 {
        parts.push(count(errors, "error"));
    }
    if warnings > 0 {
        parts.push(count(warnings, "warning"));
    }
    if errors + warnings == 0 {
        parts.push("in order".to_owned());
    }
    parts.join(", ")
}
