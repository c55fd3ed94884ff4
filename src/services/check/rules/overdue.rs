//! `overdue`: an open task whose day has passed.

use crate::model::field::TaskField;
use crate::model::severity::Severity;
use crate::model::time::{Due, Timestamp};
use crate::services::check::book::Book;
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};
use std::collections::HashMap;

pub(super) const LOOKS: &[Look] = &[Look::Book(look)];

/// An open task whose day has passed.
pub static OVERDUE: Rule = Rule {
    code: "overdue",
    severity: Severity::Note,
    says: "an open task is past its due date",
    why: "Somebody waits for it. A date alone ends with its day in `timezone:`.",
    example: "| 001 | Paint | READY | ada | - | - | - | 2025-12-31 | - | - |",
    mend: "Do it, drop it, or agree on another date with `orch set ID due=DATE`.",
};

fn look(book: &Book<'_>, found: &mut Found) {
    let zone = book.settings.zone();
    // Few dates, many rows: asking a time zone takes its time.
    let mut ends: HashMap<chrono::NaiveDate, Timestamp> = HashMap::new();
    for place in book.task_places().filter(|place| !place.is_archived) {
        let Some(due) = place.cell(TaskField::Due).and_then(|due| Due::parse(&due)) else {
            continue;
        };
        let deadline = match due {
            Due::Instant(at) => at,
            Due::Date(date) => {
                *ends.entry(date).or_insert_with(|| Timestamp(zone.end_of_day_ms(date)))
            }
        };
        if deadline > book.now {
            continue;
        }
        let row = place.read();
        if row.task.is_open() {
            let due = row.task.due.as_deref().unwrap_or_default();
            let message = format!("this task was due {due}");
            found.add(&OVERDUE, row.at(TaskField::Due), row.task.id.as_ref(), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    #[test]
    fn a_day_ends_in_the_zone_of_the_settings() {
        let row = |due: &str| format!("| 1{due} | a | PLAN | - | - | - | - | {due} | - | - |\n");
        let dues = ["2025-12-31", "2026-01-01", "2026-01-01T09:00:00Z", "2026-01-01T09:00:01Z"];
        let rows = dues.map(row).concat();
        let lines = |zone: &str| {
            let case = Case::tasks(&rows).settings(&format!("timezone: {zone}\n"));
            case.findings().iter().map(|f| f.line).collect::<Vec<_>>()
        };
        assert_eq!(lines("UTC"), [3, 5]);
        // There it is the 2nd already.
        assert_eq!(lines("Pacific/Kiritimati"), [3, 5]);
        assert_eq!(lines("Pacific/Midway"), [5]);
        let closed = rows.replace("PLAN", "DONE");
        assert!(Case::tasks(&closed).findings().is_empty());
    }
}
