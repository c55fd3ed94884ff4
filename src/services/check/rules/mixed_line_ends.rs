//! `mixed-line-ends`: LF and CRLF in one file.

use crate::model::severity::Severity;
use crate::services::check::book::{At, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Pages(look)];

/// LF and CRLF in one file.
pub static MIXED_LINE_ENDS: Rule = Rule {
    code: "mixed-line-ends",
    severity: Severity::Warning,
    says: "lines of one file end in different ways",
    why: "Editors and git turn all of them into one kind when they feel like it, and then every \
          line of the ledger differs though no cell does.",
    example: "a line that ends in LF, and below it one that ends in CR LF",
    mend: "Let your editor save the file with one kind of line ends, and name that kind in \
           `.gitattributes`. `--fix` leaves them alone: both kinds are right.",
};

fn look(book: &Book<'_>, n: usize, found: &mut Found) {
    let page = &book.pages[n];
    let bytes = page.text.as_bytes();
    let (mut lf, mut crlf, mut cr) = (Kind::default(), Kind::default(), Kind::default());
    for at in memchr::memchr2_iter(b'\n', b'\r', bytes) {
        let kind = match (bytes[at], bytes.get(at + 1)) {
            (b'\r', Some(b'\n')) => continue,
            (b'\r', _) => &mut cr,
            _ if at > 0 && bytes[at - 1] == b'\r' => &mut crlf,
            _ => &mut lf,
        };
        kind.first.get_or_insert(at);
        kind.count += 1;
    }
    let kinds = [("LF", lf), ("CRLF", crlf), ("CR", cr)];
    let there: Vec<_> = kinds.iter().filter(|(_, kind)| kind.count > 0).collect();
    // The kind that fewer lines have is where to look.
    let Some((name, rare)) = there.iter().min_by_key(|(_, kind)| kind.count) else { return };
    if there.len() < 2 {
        return;
    }
    let first = rare.first.unwrap_or_default();
    let counts: Vec<String> =
        there.iter().map(|(name, kind)| format!("{} in {name}", kind.count)).collect();
    let message = format!("lines end in different ways: {}", counts.join(", "));
    let at = At::Span { page: n, span: first..first };
    found
        .add(&MIXED_LINE_ENDS, at, "", message)
        .help(format!("this is the first line that ends in {name}"));
}

#[derive(Default)]
struct Kind {
    count: usize,
    first: Option<usize>,
}

#[cfg(test)]
mod tests {
    use crate::services::check::book::Expect;
    use crate::services::check::testing::{Case, TASKS};

    #[test]
    fn the_rarer_kind_is_shown() {
        let found =
            |text: &str| Case::default().page("T.md", Expect::Tasks, text).found("mixed-line-ends");
        let crlf = TASKS.replace('\n', "\r\n");
        assert_eq!(found(TASKS).len() + found(&crlf).len(), 0);
        assert_eq!(
            found(&format!("{crlf}\nend\r\n")),
            ["T.md:3:1 [] lines end in different ways: 1 in LF, 3 in CRLF"]
        );
        assert_eq!(found(&format!("{TASKS}\nold\rmac\n")).len(), 1);
    }
}
