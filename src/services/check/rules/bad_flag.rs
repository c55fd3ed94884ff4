//! `bad-flag`: a flag that does not say what somebody meant.

use crate::ledger::flags::{self, Line};
use crate::model::severity::Severity;
use crate::services::check::book::{At, Book, Content};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Pages(look)];

/// A flag that does not say what somebody meant.
pub static BAD_FLAG: Rule = Rule {
    code: "bad-flag",
    severity: Severity::Error,
    says: "a flag has a value that is not known, stands twice, or is misspelled",
    why: "The safe value counts: AUTO_DECIDE=off and FREEZE=on. Whoever wrote the line meant \
          something else, or believes that something is frozen which is not.",
    example: "FREEZE=yes, or freeze=on",
    mend: "`orch flag FREEZE=on` and `orch flag AUTO_DECIDE=off` write flags as CMD; delete \
           second lines by hand.",
};

const KNOWN: [(&str, &[&str]); 2] =
    [("AUTO_DECIDE", &["on", "shadow", "off"]), ("FREEZE", &["on", "off"])];

fn look(book: &Book<'_>, n: usize, found: &mut Found) {
    let page = &book.pages[n];
    if !matches!(page.content, Content::Flags) {
        return;
    }
    let mut first: [Option<usize>; 2] = [None; 2];
    let mut at = 0;
    for (line, text) in page.text.split_inclusive('\n').enumerate() {
        let start = at;
        at += text.len();
        let Some(Line { name, value, at: within }) = flags::line(text) else { continue };
        let is_it = |(known, _): &(&str, &[&str])| known.eq_ignore_ascii_case(name);
        let Some(which) = KNOWN.iter().position(is_it) else { continue };
        let (known, values) = KNOWN[which];
        let here = At::Span { page: n, span: start + within.start..start + within.end };
        let (message, help) = if name != known {
            (format!("`{name}` is no flag"), format!("flags are upper case: `{known}`"))
        } else if !values.contains(&value) {
            let safe = if which == 0 { "off" } else { "on" };
            let message =
                format!("`{known}` is `{value}`, which is not known and counts as {safe}");
            (message, format!("write one of {}", values.join(", ")))
        } else if let Some(line) = first[which] {
            let message = format!("`{known}` stands twice, first in line {line}");
            (message, "the safer of both counts; delete one".to_owned())
        } else {
            first[which] = Some(line + 1);
            continue;
        };
        found.add(&BAD_FLAG, here, known, message).help(help);
    }
}

#[cfg(test)]
mod tests {
    use crate::services::check::book::Expect;
    use crate::services::check::testing::Case;

    #[test]
    fn values_names_and_second_lines() {
        let text =
            "# Flags\n\n- `AUTO_DECIDE=on`\nFREEZE = maybe\nfreeze=on\nAUTO_DECIDE=off\na=b\n";
        let case = Case::default().page("F.md", Expect::Flags, text);
        assert_eq!(
            case.found("bad-flag"),
            [
                "F.md:4:1 [FREEZE = maybe] `FREEZE` is `maybe`, which is not known and counts as on",
                "F.md:5:1 [freeze=on] `freeze` is no flag",
                "F.md:6:1 [AUTO_DECIDE=off] `AUTO_DECIDE` stands twice, first in line 3",
            ]
        );
        let fine = "* AUTO_DECIDE=shadow\r\n`FREEZE=off`\r\n";
        assert!(Case::default().page("F.md", Expect::Flags, fine).findings().is_empty());
    }
}
