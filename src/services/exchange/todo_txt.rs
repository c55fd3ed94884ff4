//! todo.txt: one task a line (<https://github.com/todotxt/todo.txt>).
//!
//! ```text
//!  (B) Sow the peas +garden @home id:001 due:2026-03-01
//!  x 2026-03-02 Dig the bed id:002 pri:A
//! ```
//!
//! `x` is DONE, or DROP where `state:DROP` says so; (A) to (D) are CRITICAL, HIGH,
//! MEDIUM and LOW. Invariant: id, title, whether it is done, priority and due come
//! back as they went: a title that would begin like a mark has a `\` in front.

use super::export::Card;
use super::sheet::{Cell, Row, Sheet, Source};
use super::words;
use crate::model::task_state::State;
use crate::model::time::parse_date;
use crate::model::value::Priority;

/// How many letters are named where there may be thousands.
const NAMED: usize = 5;

/// Whether a line that begins so begins with a mark, backslashes in front or not.
fn is_mark(text: &str) -> bool {
    let text = text.trim_start_matches('\\');
    let word = text.split(' ').next().unwrap_or_default();
    word == "x" || letter(word).is_some() || parse_date(word).is_some()
}

/// The letter of `(A)`.
fn letter(word: &str) -> Option<char> {
    let letter = word.strip_prefix('(')?.strip_suffix(')')?;
    let mut letters = letter.chars();
    letters.next().filter(|c| c.is_ascii_uppercase() && letters.next().is_none())
}

fn priority_of(letter: char) -> Priority {
    match letter {
        'A' => Priority::Critical,
        'B' => Priority::High,
        'C' => Priority::Medium,
        _ => Priority::Low,
    }
}

const fn letter_of(priority: Priority) -> char {
    match priority {
        Priority::Critical => 'A',
        Priority::High => 'B',
        Priority::Medium => 'C',
        Priority::Low => 'D',
    }
}

/// Appends a task's line.
pub fn write(card: &Card<'_>, to: &mut String) {
    let task = &card.task;
    let is_closed = task.known_state().is_some_and(State::is_closed);
    let priority = task.priority().map(letter_of);
    if is_closed {
        to.push_str("x ");
        if let Some(closed) = card.closed_on {
            to.push_str(&format!("{closed} "));
        }
    } else if let Some(letter) = priority {
        to.push_str(&format!("({letter}) "));
    }
    let title = words::escaped(task.title.as_deref().unwrap_or_default());
    if is_mark(&title) {
        to.push('\\');
    }
    to.push_str(&title);
    words::append(task, to);
    if let Some(letter) = priority.filter(|_| is_closed) {
        words::push("pri", &letter.to_string(), to);
    }
    to.push('\n');
}

/// Reads a file; blank lines are passed over.
pub fn read(source: &Source) -> Sheet {
    let mut sheet = Sheet::default();
    let mut lowered = Vec::new();
    for (at, line) in source.lines() {
        if line.trim().is_empty() {
            continue;
        }
        let start = at + (line.len() - line.trim_start().len());
        let mut line = Line { rest: line.trim(), at: start, row: Row { at: start, cells: vec![] } };
        line.read(&mut sheet, &mut lowered);
        sheet.rows.push(line.row);
    }
    let first: Vec<String> = lowered
        .iter()
        .take(NAMED)
        .map(|(letter, at)| format!("({letter}) in line {}", source.line(*at)))
        .collect();
    if !first.is_empty() {
        let more = match lowered.len() - first.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let first = first.join(", ");
        sheet.notices.push(format!("priorities beyond (D) became LOW: {first}{more}"));
    }
    sheet
}

struct Line<'l> {
    rest: &'l str,
    at: usize,
    row: Row,
}

impl<'l> Line<'l> {
    fn read(&mut self, sheet: &mut Sheet, lowered: &mut Vec<(char, usize)>) {
        let at = self.at;
        let done = self.take(|word| (word == "x").then_some(())).is_some();
        let mark = self.take(letter);
        // One date is the day of its making; of a task that is done, that of its end.
        let dates = if done { ["completed", "created"] } else { ["created", ""] };
        for name in dates.into_iter().filter(|name| !name.is_empty()) {
            let date_at = self.at;
            if let Some(date) = self.take(|word| parse_date(word).map(|_| word)) {
                self.cell(sheet, name, date, date_at);
            }
        }
        let split = words::split(self.rest);
        let title = match split.title.strip_prefix('\\') {
            Some(rest) if is_mark(rest) => rest,
            _ => &split.title,
        };
        self.cell(sheet, "title", title, self.at);
        let mut priority = mark.map(|letter| (letter, at));
        let mut has_state = false;
        for (key, value, offset) in &split.words {
            let word_at = self.at + offset;
            let mut letters = value.chars();
            match (*key, letters.next(), letters.next()) {
                ("pri", Some(letter @ 'A'..='Z'), None) if mark.is_none() => {
                    priority = Some((letter, word_at));
                }
                // Of two priorities the mark counts; the other is kept as a word.
                ("pri", Some(letter), None) if mark == Some(letter) => {}
                ("pri", ..) => self.cell(sheet, "pri", value, word_at),
                (key, ..) => {
                    has_state = has_state || key == "state";
                    self.cell(sheet, key, value, word_at);
                }
            }
        }
        if done && !has_state {
            self.cell(sheet, "state", State::Done.as_str(), at);
        }
        if let Some((letter, at)) = priority {
            let here = priority_of(letter).as_str();
            match split.words.iter().find(|(key, ..)| *key == "priority") {
                Some((_, word, _)) if word.eq_ignore_ascii_case(here) => {}
                Some(_) => self.cell(sheet, "pri", &letter.to_string(), at),
                None => {
                    if letter > 'D' {
                        lowered.push((letter, at));
                    }
                    self.cell(sheet, "priority", here, at);
                }
            }
        }
    }

    /// The first word, where it is what is looked for and something follows it.
    fn take<T>(&mut self, is_it: impl Fn(&'l str) -> Option<T>) -> Option<T> {
        let (word, rest) = self.rest.split_once(' ')?;
        let found = is_it(word)?;
        self.at += self.rest.len() - rest.trim_start_matches(' ').len();
        self.rest = rest.trim_start_matches(' ');
        Some(found)
    }

    fn cell(&mut self, sheet: &mut Sheet, name: &str, text: &str, at: usize) {
        self.row.cells.push(Cell { name: sheet.name(name, false), text: text.to_owned(), at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(line: &str) -> String {
        let sheet = read(&Source::new("todo.txt", line.as_bytes().to_vec()).unwrap());
        let of = |cell: &Cell| format!("{}={}", sheet.names[cell.name].text, cell.text);
        let row = |row: &Row| row.cells.iter().map(of).collect::<Vec<_>>().join(" | ");
        sheet.rows.iter().map(row).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn marks_and_words() {
        assert_eq!(
            cells("(A) 2026-01-01 Sow +garden due:2026-03-01"),
            "created=2026-01-01 | title=Sow +garden | due=2026-03-01 | priority=CRITICAL"
        );
        assert_eq!(
            cells("x 2026-01-02 2026-01-01 Dig id:7 pri:B"),
            "completed=2026-01-02 | created=2026-01-01 | title=Dig | id=7 | state=DONE | \
             priority=HIGH"
        );
        assert_eq!(cells("x Dig state:DROP"), "title=Dig | state=DROP");
    }

    #[test]
    fn no_priority_is_dropped() {
        assert_eq!(cells("(A) call pri:B"), "title=call | pri=B | priority=CRITICAL");
        assert_eq!(cells("(A) call pri:A"), "title=call | priority=CRITICAL");
        assert_eq!(cells("x call pri:high"), "title=call | pri=high | state=DONE");
        assert_eq!(cells("(A) call priority:LOW"), "title=call | priority=LOW | pri=A");
        assert_eq!(cells("(A) call priority:critical"), "title=call | priority=critical");
        let text = "(D) a\n(E) b\n(Z) c\n(F) d\n(F) e\n(F) f\nx g pri:M\n";
        let sheet = read(&Source::new("todo.txt", text.as_bytes().to_vec()).unwrap());
        assert_eq!(
            sheet.notices,
            ["priorities beyond (D) became LOW: (E) in line 2, (Z) in line 3, (F) in line 4, (F) \
              in line 5, (F) in line 6 and 1 more"]
        );
    }

    #[test]
    fn what_only_looks_like_a_mark_is_title() {
        for title in ["xylophone", "X Dig", "(a) b", "(AA) b", "(1) b", "(A)b", "2026-13-01 b", "x"]
        {
            assert_eq!(cells(title), format!("title={title}"));
        }
        assert_eq!(cells("(Z) b"), "title=b | priority=LOW");
        assert_eq!(cells("\\x b"), "title=x b");
        assert_eq!(cells("\\\\(A) b"), "title=\\(A) b");
        assert_eq!(cells("\\temp"), "title=\\temp");
    }
}
