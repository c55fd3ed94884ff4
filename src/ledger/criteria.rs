//! Acceptance criteria in a detail section: when the work is done.
//!
//! ```text
//! - **acceptance_criteria**:          Done when:            - [x] it reads
//!   - it reads                        - [x] it reads        - [ ] it writes
//!   - it writes                       - [ ] it writes
//! ```
//!
//! The list below a heading or label that says so or, where there is none, every
//! checkbox. People write them by hand: what is unclear is left to whoever reads the
//! text itself. Fences are skipped.

use crate::ledger::foreign::names;

/// One of the things that must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// In the words of whoever planned it.
    pub text: String,
    /// Whether its box is ticked; without a box it is not.
    pub done: bool,
}

/// Names of such a list, as `names::plain` gives them.
const NAMES: &[&str] = &[
    "acceptance",
    "acceptance_criteria",
    "acceptance_criterion",
    "criteria",
    "definition_of_done",
    "dod",
    "done_when",
    "exit_criteria",
    "受入",
    "受入基準",
    "受入条件",
    "受け入れ",
    "受け入れ基準",
    "受け入れ条件",
    "完了基準",
    "完了条件",
    "達成条件",
];

/// The criteria in the text of a section.
pub fn of(text: &str) -> Vec<Criterion> {
    let mut reader = Reader::default();
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        let inner = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| inner.starts_with(mark));
        match (fence, mark) {
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, Some(mark)) => fence = Some(mark),
            (Some(_), _) => {}
            (None, None) => reader.line(line.len() - inner.len(), inner.trim_end()),
        }
    }
    if reader.labelled.is_empty() { reader.boxes } else { reader.labelled }
}

/// A list that a label began.
#[derive(Debug, Clone, Copy)]
enum Open {
    /// Below a heading or a paragraph.
    Below,
    /// Below a list item of this indent.
    Item(usize),
}

#[derive(Default)]
struct Reader {
    open: Option<Open>,
    labelled: Vec<Criterion>,
    boxes: Vec<Criterion>,
    /// The indent of the first entry of the list, and whether the line before was one.
    first: Option<usize>,
    follows: bool,
}

impl Reader {
    fn line(&mut self, indent: usize, line: &str) {
        let follows = std::mem::take(&mut self.follows);
        if line.is_empty() {
            return;
        }
        if let Some(title) = heading(line) {
            self.open = is_name(title).then_some(Open::Below);
            self.first = None;
            return;
        }
        if let Some(content) = item(line) {
            self.item(indent, content);
            return;
        }
        if let Some(value) = label(line) {
            self.label(Open::Below, value);
        } else if follows && indent > 0 && self.open.is_some() {
            if let Some(last) = self.labelled.last_mut() {
                last.text.push(' ');
                last.text.push_str(line);
            }
            self.follows = true;
        } else if indent == 0 {
            self.open = None;
        }
    }

    fn label(&mut self, open: Open, value: &str) {
        (self.open, self.first) = (Some(open), None);
        if !value.is_empty() {
            self.labelled.push(Criterion { text: value.to_owned(), done: false });
        }
    }

    fn item(&mut self, indent: usize, content: &str) {
        let found = checkbox(content);
        if let Some(found) = &found {
            self.boxes.push(found.clone());
        } else if let Some(value) = label(content) {
            return self.label(Open::Item(indent), value);
        }
        match self.open {
            Some(Open::Item(label)) if indent <= label => self.open = None,
            Some(_) => {
                let first = *self.first.get_or_insert(indent);
                // What is nested deeper says more of the same.
                if indent <= first || found.is_some() {
                    let plain = || Criterion { text: content.to_owned(), done: false };
                    self.labelled.push(found.unwrap_or_else(plain));
                    self.follows = true;
                }
            }
            None => {}
        }
    }
}

fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    let level = line.len() - title.len();
    ((1..=6).contains(&level) && title.starts_with([' ', '\t'])).then(|| title.trim())
}

/// What stands behind a list item's marker.
fn item(line: &str) -> Option<&str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let marker = match line.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..=9).contains(&digits) => digits + 1,
        _ => return None,
    };
    let content = line[marker..].strip_prefix([' ', '\t'])?.trim();
    (!content.is_empty()).then_some(content)
}

fn checkbox(content: &str) -> Option<Criterion> {
    let done = match content.get(..3)? {
        "[ ]" => false,
        "[x]" | "[X]" => true,
        _ => return None,
    };
    let text = content[3..].trim();
    (!text.is_empty()).then(|| Criterion { text: text.to_owned(), done })
}

/// What stands behind a label: `**Done when:** it reads`.
fn label(text: &str) -> Option<&str> {
    let Some((name, value)) = text.split_once([':', '：']) else {
        let bold = text.starts_with("**") || text.starts_with('【');
        return (bold && is_name(text)).then_some("");
    };
    is_name(name).then(|| value.trim_start_matches(['*', '_', '】']).trim())
}

fn is_name(text: &str) -> bool {
    let text = text.trim().trim_end_matches([':', '：']);
    let bare = text.trim_matches(['*', '_', '`', '【', '】', '「', '」', ' ']);
    // `受け入れ条件（必須）`
    let bare = bare.split(['(', '（']).next().unwrap_or(bare);
    // Words of a sentence are no label.
    bare.len() <= 64 && NAMES.contains(&names::plain(bare).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        let found: Vec<String> = of(text)
            .iter()
            .map(|c| format!("{}{}", if c.done { "x " } else { "" }, c.text))
            .collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn a_label_of_any_form_begins_the_list() {
        let list = "- it reads\n- [x] it writes\n";
        for label in [
            "#### Acceptance criteria\n\n",
            "Acceptance (criteria):\n",
            "**Done when**\n\n",
            "**Done when:**\n",
            "Done when:\n\n",
            "受け入れ条件：\n",
            "【完了条件】\n",
            "#### 完了条件（必須）\n",
        ] {
            check(
                &format!("Why.\n\n{label}{list}\nMore text.\n\n- no\n"),
                &["it reads", "x it writes"],
            );
        }
    }

    #[test]
    fn what_migrate_writes_is_read() {
        let text = "- **description**: words\n- **acceptance_criteria**:\n  - 手順の明確化\n  - FAQ\n- **artifacts**:\n  - a.md\n";
        check(text, &["手順の明確化", "FAQ"]);
        check("  - 受入: healthz OK\n", &["healthz OK"]);
    }

    #[test]
    fn without_a_label_every_checkbox_counts() {
        check(
            "Text.\n\n- [ ] a\n  - [x] b\n- plain\n\n* [X] c\n1. [ ] d\n",
            &["a", "x b", "x c", "d"],
        );
        check("- plain\n- list\n", &[]);
        check("", &[]);
    }

    #[test]
    fn fences_sentences_and_deeper_lists_are_none() {
        check("```\n- [ ] no\nDone when:\n```\n- [ ] yes\n", &["yes"]);
        check("It is done when: it is.\n- a\n", &[]);
        check(
            "Done when:\n- a\n  - because\n  goes on\n- b\n  and c\n\nEnd.\n- d\n",
            &["a", "b and c"],
        );
        check("## Done when\n- a\n## Else\n- b\n", &["a"]);
    }
}
