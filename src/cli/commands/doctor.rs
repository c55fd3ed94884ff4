//! `orch doctor`

use crate::cli::answer::{Answer, Cx, End};
use crate::error::{ErrorKind, Result};
use crate::git::hooks;
use crate::services::doctor::{self, Severity};
use crate::store::discover::Start;
use crate::store::layout::Layout;
use crate::wire::list::{Finding, Findings};
use clap::Args;

/// Arguments of `orch doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {}

pub(super) fn run(cx: &mut Cx<'_>, _: DoctorArgs) -> End {
    let start = cx.global.dir.clone().map_or(Start::CurrentDir, Start::At);
    let layout = Layout::discover(cx.sys, start)?;
    let mut found = doctor::examine(&cx.sys.within(&layout.root), &layout)?;
    found.extend(hooks::examine(cx.sys, &layout));
    let worst = found.iter().map(|f| f.severity).max().unwrap_or(Severity::Ok);
    let mends = |f: &&doctor::Finding| f.subject == "git" && f.severity > Severity::Note;
    let help = found.iter().find(mends).and_then(|finding| finding.help.clone());
    let rest = help.as_deref().and_then(|command| command.strip_prefix("orch "));
    let next: Vec<String> = rest.map(|rest| cx.command(rest, None)).into_iter().collect();
    tell(cx, "doctor", found, &[], &next)?;
    cx.next_for_people(&next);
    Ok((worst == Severity::Error).then_some(ErrorKind::LedgerInvalid))
}

/// Prints findings.
pub(super) fn tell(
    cx: &mut Cx<'_>,
    kind: &'static str,
    found: Vec<doctor::Finding>,
    warnings: &[String],
    next: &[String],
) -> Result<()> {
    let rows = found
        .iter()
        .map(|f| {
            let place = f.place.as_ref().map_or_else(String::new, |(file, line, column)| {
                match (line, column) {
                    (0, _) => format!("{file}: "),
                    (line, 0) => format!("{file}:{line}: "),
                    (line, column) => format!("{file}:{line}:{column}: "),
                }
            });
            vec![
                f.severity.as_str().to_owned(),
                f.subject.to_owned(),
                format!("{place}{}", f.message),
            ]
        })
        .collect();
    let findings: Vec<Finding> = found
        .into_iter()
        .map(|f| Finding {
            code: f.subject.to_owned(),
            severity: f.severity.as_str().to_owned(),
            message: f.message,
            file: f.place.as_ref().map(|p| p.0.clone()),
            line: f.place.as_ref().map(|p| p.1),
            column: f.place.as_ref().map(|p| p.2),
            help: f.help,
        })
        .collect();
    let total = findings.len();
    cx.rows(&Answer {
        kind,
        data: Findings { findings, total, returned: total, truncated: false },
        columns: &["severity", "code", "message"],
        flexible: &[],
        rows,
        warnings,
        next,
    })
}
