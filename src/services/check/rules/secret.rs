//! `secret`: a key, a token or a password in plain text.

use crate::model::secrets;
use crate::model::severity::Severity;
use crate::services::check::book::{At, Book, Content};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Pages(look)];

/// A key, a token or a password in plain text.
pub static SECRET: Rule = Rule {
    code: "secret",
    severity: Severity::Error,
    says: "a ledger, or a change in evidence, holds a key, a token or a password",
    why: "Ledgers and evidence are committed, pushed and mailed. Whoever reads them has the \
          secret, and git keeps it when the line is gone.",
    example: "| 001 | Deploy | READY | ada | … | token=[REDACTED github-token] |",
    mend: "Make the secret worthless where it is used, then take it out of the file; the journal \
           and git still have it.",
};

fn look(book: &Book<'_>, n: usize, found: &mut Found) {
    let page = &book.pages[n];
    let secrets = secrets::find(page.text);
    if secrets.is_empty() {
        return;
    }
    for secret in secrets {
        let row = row_at(book, n, secret.range.start);
        found.hide(n, secret.range.clone());
        let message = format!("here is a secret ({})", secret.kind);
        let help = "make it worthless where it is used, then take it out";
        found.add(&SECRET, At::Span { page: n, span: secret.range }, row, message).help(help);
    }
}

/// The id of the row that holds an offset; empty outside of rows.
fn row_at(book: &Book<'_>, n: usize, offset: usize) -> String {
    let page = &book.pages[n];
    if matches!(page.content, Content::Flags) {
        return String::new();
    }
    let rows = page.grid().map(|grid| &grid.rows[..]).unwrap_or_default();
    let at = rows.partition_point(|row| row.span.range().end <= offset);
    match rows.get(at) {
        Some(row) if row.span.range().contains(&offset) => page.id(at).into_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    #[test]
    fn a_secret_is_found_and_not_shown() {
        let token = ["gh", "p_0123456789abcdefABCDEF0123456789abcd"].concat();
        let row = format!("| 1 | a | LATER | - | - | - | - | - | - | token={token} |\n");
        let case = Case::tasks(&row);
        assert_eq!(case.codes(), ["unknown-state", "secret"]);
        for finding in case.findings() {
            let snippet = finding.snippet.unwrap();
            assert!(!snippet.text.contains(&token[4..]), "{}", finding.code);
            let marked = &snippet.text[snippet.span];
            assert!(["LATER", "[REDACTED]"].contains(&marked), "{marked}");
            assert_eq!(finding.row.as_deref(), Some("1"));
        }
        assert_eq!(
            Case::tasks("| 1 | set a token=<token> | PLAN | - | - | - | - | - | - | - |\n").codes(),
            Vec::<&str>::new()
        );
    }
}
