//! iCalendar (RFC 5545): tasks as VTODO, or those with a due date as VEVENT.
//!
//! Lines are folded at 75 octets, never inside a character, and end in CR LF. A task's
//! UID is its id, the calendar's name and `orch`: the same each time, so that a
//! calendar which reads a newer file changes its entry and adds none.

use super::export::Card;
use crate::model::task_state::State;
use crate::model::time::{Due, Timestamp};
use crate::model::value::Priority;

/// What is written besides the tasks.
#[derive(Debug, Clone, Copy)]
pub struct Calendar<'c> {
    /// Its name.
    pub name: &'c str,
    /// When it is written.
    pub now: Timestamp,
    /// As events on the day they are due; tasks without one are left out.
    pub events: bool,
}

/// Spells a calendar.
pub fn write(calendar: &Calendar<'_>, cards: &[Card<'_>]) -> String {
    let mut out = String::new();
    line(&mut out, "BEGIN", "VCALENDAR");
    line(&mut out, "VERSION", "2.0");
    line(&mut out, "PRODID", "-//orch//orch//EN");
    line(&mut out, "X-WR-CALNAME", &text(calendar.name));
    for card in cards {
        let due = card.task.due_at();
        match (calendar.events, due) {
            (true, None) => {}
            (true, Some(due)) => event(&mut out, calendar, card, due),
            (false, due) => to_do(&mut out, calendar, card, due),
        }
    }
    line(&mut out, "END", "VCALENDAR");
    out
}

fn head(out: &mut String, calendar: &Calendar<'_>, card: &Card<'_>) {
    let task = &card.task;
    line(out, "UID", &text(&uid(&task.id, calendar.name)));
    line(out, "DTSTAMP", &instant(calendar.now));
    if let Some(changed) = card.changed_at {
        line(out, "LAST-MODIFIED", &instant(changed));
    }
    line(out, "SUMMARY", &text(task.title.as_deref().unwrap_or(&task.id)));
}

fn tail(out: &mut String, card: &Card<'_>) {
    let task = &card.task;
    let said = [task.notes.as_deref().map(with_lines), card.detail.clone()];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if !said.is_empty() {
        line(out, "DESCRIPTION", &text(&said.join("\n\n")));
    }
    let state = task.state.as_deref().unwrap_or("PLAN");
    line(out, "X-ORCH-ID", &text(&task.id));
    line(out, "X-ORCH-STATE", &text(state));
    if let Some(owner) = &task.owner {
        line(out, "X-ORCH-OWNER", &text(owner));
    }
}

fn to_do(out: &mut String, calendar: &Calendar<'_>, card: &Card<'_>, due: Option<Due>) {
    line(out, "BEGIN", "VTODO");
    head(out, calendar, card);
    if let Some(due) = due {
        moment(out, "DUE", due);
    }
    let status = match card.task.known_state() {
        Some(State::Doing | State::Review) => "IN-PROCESS",
        Some(State::Done) => "COMPLETED",
        Some(State::Drop) => "CANCELLED",
        Some(State::Plan | State::Ready | State::Fix | State::Hold) | None => "NEEDS-ACTION",
    };
    line(out, "STATUS", status);
    if let (Some(State::Done), Some(closed)) = (card.task.known_state(), card.closed_at) {
        line(out, "COMPLETED", &instant(closed));
    }
    priority(out, card);
    tail(out, card);
    line(out, "END", "VTODO");
}

fn event(out: &mut String, calendar: &Calendar<'_>, card: &Card<'_>, due: Due) {
    line(out, "BEGIN", "VEVENT");
    head(out, calendar, card);
    moment(out, "DTSTART", due);
    // A day that is due takes nobody's time.
    line(out, "TRANSP", "TRANSPARENT");
    let is_dropped = card.task.known_state() == Some(State::Drop);
    line(out, "STATUS", if is_dropped { "CANCELLED" } else { "CONFIRMED" });
    priority(out, card);
    tail(out, card);
    line(out, "END", "VEVENT");
}

/// 1 is the highest of nine, 5 the middle.
fn priority(out: &mut String, card: &Card<'_>) {
    let number = match card.task.priority() {
        None => return,
        Some(Priority::Critical) => "1",
        Some(Priority::High) => "3",
        Some(Priority::Medium) => "5",
        Some(Priority::Low) => "7",
    };
    line(out, "PRIORITY", number);
}

fn uid(id: &str, calendar: &str) -> String {
    let name = |c: char| if c.is_whitespace() { '-' } else { c };
    format!("{id}@{}.orch", calendar.chars().map(name).collect::<String>())
}

fn moment(out: &mut String, name: &str, due: Due) {
    match due {
        Due::Date(date) => {
            line(out, &format!("{name};VALUE=DATE"), &date.format("%Y%m%d").to_string());
        }
        Due::Instant(at) => line(out, name, &instant(at)),
    }
}

/// `20260101T090000Z`
fn instant(at: Timestamp) -> String {
    at.whole_seconds().to_string().replace(['-', ':'], "")
}

/// A cell's `<br>` as a line end.
fn with_lines(notes: &str) -> String {
    notes.replace("<br>", "\n")
}

/// A TEXT value (RFC 5545, 3.3.11).
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() && c != '\t' => {}
            c => out.push(c),
        }
    }
    out
}

/// A content line, folded (RFC 5545, 3.1).
fn line(out: &mut String, name: &str, value: &str) {
    const OCTETS: usize = 75;
    let whole = format!("{name}:{value}");
    let (mut rest, mut room) = (whole.as_str(), OCTETS);
    while rest.len() > room {
        let mut end = room;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        out.push_str(&rest[..end]);
        out.push_str("\r\n ");
        rest = &rest[end..];
        // The blank that continues a line is one of its octets.
        room = OCTETS - 1;
    }
    out.push_str(rest);
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn folded_lines_are_short_and_come_back(value in "[a台\u{1f600}]{0,200}") {
            let mut out = String::new();
            line(&mut out, "SUMMARY", &value);
            prop_assert!(out.ends_with("\r\n"));
            for part in out.split("\r\n") {
                prop_assert!(part.len() <= 75);
            }
            let unfolded = out.replace("\r\n ", "");
            prop_assert_eq!(unfolded, format!("SUMMARY:{value}\r\n"));
        }
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(text("a,b;c\\d\ne"), "a\\,b\\;c\\\\d\\ne");
        assert_eq!(instant(Timestamp(1_767_258_000_123)), "20260101T090000Z");
        assert_eq!(uid("T 1", "my work"), "T 1@my-work.orch");
    }
}
