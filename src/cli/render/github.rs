//! Findings as workflow commands, which GitHub shows beside the lines.
//!
//! `::error file=F,line=N,col=N,endColumn=N,title=CODE::MESSAGE`, as the runner
//! reads it: `%`, CR and LF are escaped everywhere, `:` and `,` in properties.
//! Invariant: whatever a ledger holds, a finding is one line and one command.

use crate::cli::render::safe::safe;
use crate::model::severity::Severity;
use crate::services::check::Finding;

/// A finding as one line, without its end. `prefix` leads from the repository's
/// top to where the finding's path begins.
pub fn line(finding: &Finding, prefix: &str) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note | Severity::Ok => "notice",
    };
    let mut line = format!("::{command} file={}", property(&format!("{prefix}{}", finding.file)));
    if finding.line > 0 {
        line.push_str(&format!(",line={}", finding.line));
    }
    if finding.column > 0 {
        line.push_str(&format!(",col={}", finding.column));
        if finding.end_column > finding.column {
            line.push_str(&format!(",endColumn={}", finding.end_column));
        }
    }
    line.push_str(&format!(",title={}::{}", finding.code, data(&finding.message)));
    if let Some(help) = &finding.help {
        line.push_str("%0A");
        line.push_str(&data(help));
    }
    line
}

fn data(text: &str) -> String {
    safe(text).replace('%', "%25")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_finding_begins_a_command_of_its_own() {
        let finding = Finding {
            code: "bad-time",
            severity: Severity::Error,
            file: "a,b:c%.md".into(),
            line: 3,
            column: 5,
            end_column: 9,
            snippet: None,
            message: "100% wrong\r\n::stop-commands::x".into(),
            help: Some("write UTC".into()),
            row: None,
            op: None,
            is_accepted: false,
        };
        assert_eq!(
            line(&finding, "sub/"),
            "::error file=sub/a%2Cb%3Ac%25.md,line=3,col=5,endColumn=9,title=bad-time::100%25 wrong\
             \\u{d}\\u{a}::stop-commands::x%0Awrite UTC"
        );
        let whole = Finding { severity: Severity::Note, line: 0, column: 0, help: None, ..finding };
        assert!(
            line(&whole, "").starts_with("::notice file=a%2Cb%3Ac%25.md,title=bad-time::100%25")
        );
    }
}
