//! From what rules saw to findings with line, column and snippet.

use crate::ledger::tasks::shell_word;
use crate::model::field::{ApprovalField, TaskField};
use crate::services::check::book::{At, Book};
use crate::services::check::finding::{Finding, Snippet};
use crate::services::check::rules::{self, Rule};
use crate::services::hand_edits;
use crate::store::entry::Forbidden;
use crate::store::seen::Suspended;
use std::borrow::Cow;
use std::ops::Range;

/// What rules saw so far.
#[derive(Debug, Default)]
pub struct Found {
    seen: Vec<Seen>,
    /// What must not be shown: secrets, by page.
    hidden: Vec<(usize, Range<usize>)>,
}

/// One thing that a rule saw.
#[derive(Debug)]
pub struct Seen {
    rule: &'static Rule,
    at: At,
    row: String,
    message: String,
    help: Option<String>,
    op: Option<String>,
}

impl Seen {
    /// Says how to mend it.
    pub fn help(&mut self, text: impl Into<String>) {
        self.help = Some(text.into());
    }
}

impl Found {
    /// Adds what a rule saw. `row` is the row's id, empty for a whole file.
    pub fn add(
        &mut self,
        rule: &'static Rule,
        at: At,
        row: impl Into<String>,
        message: impl Into<String>,
    ) -> &mut Seen {
        let (row, message) = (row.into(), message.into());
        self.seen.push(Seen { rule, at, row, message, help: None, op: None });
        self.seen.last_mut().expect("it was added just now")
    }

    /// Keeps bytes of a page out of every snippet.
    pub fn hide(&mut self, page: usize, span: Range<usize>) {
        self.hidden.push((page, span));
    }

    /// Adds an edit by hand that counts for nothing.
    pub fn add_by_hand(&mut self, book: &Book<'_>, standing: &Suspended) {
        let Forbidden { code, file, row } = &standing.forbidden;
        let Some(rule) = rules::named(code) else { return };
        let at = book
            .tasks()
            .find(|r| r.task.id == *row && book.pages[r.page].name == file)
            .map(|r| r.at(TaskField::State))
            .or_else(|| {
                let mut rows = book.approvals();
                let row =
                    rows.find(|r| r.approval.id == *row && book.pages[r.page].name == file)?;
                Some(row.at(ApprovalField::Status))
            })
            .unwrap_or_else(|| At::File(file.clone()));
        let message = format!("`{row}`: {}", hand_edits::describe(code));
        let seen = self.add(rule, at, row, message);
        seen.help(format!(
            "`orch log {}` shows who changed what; CMD accepts or undoes it",
            shell_word(row)
        ));
        seen.op = Some(standing.op.clone()).filter(|op| !op.is_empty());
    }

    /// Findings in the order of the files, each by line and column.
    pub fn told(self, book: &Book<'_>) -> Vec<Finding> {
        let Self { seen, hidden } = self;
        let mut told: Vec<(usize, Finding)> = seen
            .into_iter()
            .map(|seen| {
                let (order, mut finding) = placed(book, &seen.at, &hidden);
                finding.code = seen.rule.code;
                finding.severity = seen.rule.severity;
                finding.message = seen.message;
                finding.help = seen.help;
                finding.op = seen.op;
                finding.row = Some(seen.row).filter(|row| !row.is_empty());
                (order, finding)
            })
            .collect();
        told.sort_by(|(n, a), (m, b)| {
            (n, &a.file, a.line, a.column).cmp(&(m, &b.file, b.line, b.column))
        });
        told.into_iter().map(|(_, finding)| finding).collect()
    }
}

fn placed(book: &Book<'_>, at: &At, hidden: &[(usize, Range<usize>)]) -> (usize, Finding) {
    match at {
        At::Span { page: n, span } => {
            let page = &book.pages[*n];
            let (line, column) = page.lines().position(span.start);
            let whole = page.lines().line_at(span.start);
            let inside = |at: usize| at.clamp(whole.start, whole.end) - whole.start;
            let marked: Range<usize> = inside(span.start)..inside(span.end);
            let text = &page.text[whole.clone()];
            let length = text[marked.clone()].chars().count();
            let secrets: Vec<Range<usize>> = hidden
                .iter()
                .filter(|(page, span)| {
                    page == n && span.start < whole.end && span.end > whole.start
                })
                .map(|(_, span)| inside(span.start)..inside(span.end))
                .collect();
            let (text, marked) = blackened(text, marked, &secrets);
            let snippet = Some(Snippet::of(&text, marked));
            (
                *n,
                Finding {
                    line,
                    column,
                    end_column: column + length,
                    snippet,
                    ..Finding::of_file(page.name)
                },
            )
        }
        At::File(file) => {
            let order = book.pages.iter().position(|page| page.name == file);
            (order.unwrap_or(usize::MAX), Finding::of_file(file))
        }
        At::Place { file, line, column } => {
            let (line, column) = (*line, *column);
            (usize::MAX, Finding { line, column, end_column: column, ..Finding::of_file(file) })
        }
    }
}

/// A line with `[REDACTED]` for each secret, and where the marked bytes are then.
fn blackened<'l>(
    line: &'l str,
    marked: Range<usize>,
    secrets: &[Range<usize>],
) -> (Cow<'l, str>, Range<usize>) {
    if secrets.is_empty() {
        return (Cow::Borrowed(line), marked);
    }
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    let (mut start, mut end) = (None, None);
    for secret in secrets.iter().filter(|secret| secret.start < secret.end) {
        let before = out.len();
        out.push_str(&line[at..secret.start]);
        // An end inside of a secret takes all of what stands for it.
        let shift =
            |place: usize| (at..=secret.start).contains(&place).then(|| before + place - at);
        start = start.or_else(|| shift(marked.start));
        end = end.or_else(|| {
            shift(marked.end).filter(|_| marked.end < secret.start || marked.is_empty())
        });
        let black = out.len();
        out.push_str("[REDACTED]");
        if secret.contains(&marked.start) {
            start = Some(black);
        }
        if (secret.start..=secret.end).contains(&marked.end) {
            end = Some(out.len());
        }
        at = secret.end;
    }
    let before = out.len();
    out.push_str(&line[at..]);
    let rest = |place: usize| before + place.saturating_sub(at);
    let (start, end) =
        (start.unwrap_or_else(|| rest(marked.start)), end.unwrap_or_else(|| rest(marked.end)));
    (Cow::Owned(out), start..end.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stay_where_they_belong() {
        let line = "a SECRET b SECRET c";
        let secrets = [2..8, 11..17];
        let marked = |text: &str, n: usize| {
            let at = line.match_indices(text).nth(n).unwrap().0;
            let (black, span) = blackened(line, at..at + text.len(), &secrets);
            assert_eq!(black, "a [REDACTED] b [REDACTED] c");
            black[span].to_owned()
        };
        assert_eq!(marked("a", 0), "a");
        assert_eq!(marked("SECRET", 0), "[REDACTED]");
        assert_eq!(marked("b", 0), "b");
        assert_eq!(marked("SECRET", 1), "[REDACTED]");
        assert_eq!(marked("CRE", 1), "[REDACTED]");
        assert_eq!(marked(" c", 0), " c");
        assert_eq!(marked("SECRET b", 0), "[REDACTED] b");
        assert_eq!(marked(line, 0), "a [REDACTED] b [REDACTED] c");
        assert_eq!(blackened("plain", 1..3, &[]).0, "plain");
    }
}
