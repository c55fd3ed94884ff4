//! Rows of a file whose task is in the ledger: what differs is `set`.
//!
//! Here: what differs. Not here: who may set it (`services::set`). Only what the file
//! speaks of is compared; an empty cell speaks of it, a column that is missing does
//! not: an empty cell clears, but that a title must stand and a state stays. Lock cells
//! are never set.

use super::export::plain_detail as section_text;
use super::fields::{Known, Line};
use super::import::{One, Reader, joined, plain, plain_detail, with_other};
use crate::error::Result;
use crate::ledger::render::column_named;
use crate::model::operation::Operation;
use crate::model::task::Task;
use crate::model::task_state::State;
use crate::model::value::{Priority, attribute, with_attribute};
use crate::services::change::Decision;
use crate::services::set::{self, Request};
use crate::services::tasks::check_priority;

/// Sets what differs; `None` where nothing does.
///
/// # Errors
/// As [`set::set`], with the place of the row.
pub(super) fn update(
    reader: &mut Reader<'_>,
    line: &Line<'_>,
    id: &str,
    decision: &mut Decision,
) -> Result<Option<One>> {
    let source = reader.source;
    let tasks = &reader.snapshot.tasks;
    let row = tasks.find(id)?;
    let task = tasks.task(row);
    let mut fields = differing(reader, line, &task)?;
    let detail = line.cell(Known::Detail).map(plain_detail).filter(|text| {
        let there = tasks.section(id).map(|(_, body)| section_text(&tasks.grid().text()[body]));
        *text != there.unwrap_or_default()
    });
    let locks = line.locks.iter().map(|cell| plain(cell)).filter(|text| !text.is_empty());
    let held = [&task.lock, &task.lock_owner, &task.lock_expires_at];
    if locks.into_iter().any(|text| !held.iter().any(|cell| cell.as_deref() == Some(&*text))) {
        reader.tally.leases.push(id.to_owned());
    }
    if fields.is_empty() && detail.is_none() {
        return Ok(None);
    }
    let depends = fields.iter().any(|(name, _)| name == "depends" || name == "notes").then(|| {
        let word = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let noted = word("notes").and_then(|n| attribute(&n, "depends").map(str::to_owned));
        let ids = word("depends").or(noted).map(|text| joined(&text)).unwrap_or_default();
        ids.split('+').filter(|id| !id.is_empty()).map(str::to_owned).collect()
    });
    // The section itself is written last, with those of other rows; that it may be is
    // asked with the rest.
    let title = task.title.as_deref().unwrap_or_default().replace("<br>", " ");
    if let Some(text) = &detail {
        if text.is_empty() {
            reader.tally.no_detail.push(id.to_owned());
        }
        fields.push(("detail".to_owned(), text.clone()));
    }
    let request =
        Request { id: id.to_owned(), fields, token: None, note: reader.note.map(Into::into) };
    let one = set::set(reader.ctx, reader.snapshot, reader.who, &request, reader.now)
        .map_err(|error| source.locate(line.at, error))?;
    let operations = one.operations.into_iter();
    decision.operations.extend(operations.filter(|o| !matches!(o, Operation::SetDetail { .. })));
    decision.mirrors.extend(one.mirrors);
    decision.waivers.extend(one.waivers);
    decision.warnings.extend(one.warnings);
    decision.token = decision.token.or(one.token);
    Ok(Some(One { depends, detail: detail.map(|text| (title, text)) }))
}

/// What the file has otherwise than the ledger, as `set` takes it.
fn differing(
    reader: &mut Reader<'_>,
    line: &Line<'_>,
    task: &Task<'_>,
) -> Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    let mut push = |name: &str, there: Option<&str>, new: String| {
        if there.unwrap_or_default() != new {
            fields.push((name.to_owned(), new));
        }
    };
    for (known, there) in [
        (Known::Title, task.title.as_deref()),
        (Known::Owner, task.owner.as_deref()),
        (Known::Due, task.due.as_deref()),
        (Known::Artifact, task.artifact.as_deref()),
    ] {
        if let Some(cell) = line.cell(known) {
            let new = plain(cell);
            if known == Known::Title && new.is_empty() {
                return Err(reader
                    .source
                    .error(cell.at, "the title is empty, and a task needs one"));
            }
            push(known.name(), there, new);
        }
    }
    for (name, cell) in &line.columns {
        let there = task.extra.iter().find(|(header, _)| header == name);
        push(name, there.and_then(|(_, value)| value.as_deref()), plain(cell));
    }
    let there = task.notes.as_deref().unwrap_or_default();
    let mut notes = line.cell(Known::Notes).map_or_else(|| there.to_owned(), plain);
    for (name, cell) in &line.others {
        let value = plain(cell);
        let with = if value.is_empty() { notes.clone() } else { with_other(&notes, name, &value) };
        if with != notes {
            *reader.tally.others.entry((*name).to_owned()).or_default() += 1;
            notes = with;
        }
    }
    for Word { known, new, there } in words(reader, line, task)? {
        match column_named(&reader.snapshot.tasks, known.name()) {
            Some(_) => push(known.name(), Some(&there), new),
            None => notes = with_word(&notes, known.name(), &new, &there),
        }
    }
    let is_emptied = line.cell(Known::Notes).is_some_and(|cell| plain(cell).is_empty());
    if is_emptied && notes != there {
        reader.tally.no_notes.push(task.id.clone().into_owned());
    }
    push("notes", Some(there), notes);
    if let Some(cell) = line.cell(Known::State)
        && let Some(state) = reader.known_state(cell)?
    {
        if state == State::Doing && task.known_state() != Some(State::Doing) {
            reader.tally.unclaimed.push(task.id.clone().into_owned());
        } else {
            push("state", task.state.as_deref(), state.as_str().to_owned());
        }
    }
    Ok(fields)
}

/// A priority or dependencies: what the file says and what the ledger does.
struct Word {
    known: Known,
    new: String,
    there: String,
}

fn words(reader: &Reader<'_>, line: &Line<'_>, task: &Task<'_>) -> Result<Vec<Word>> {
    let mut words = Vec::new();
    if line.word(Known::Priority).is_some() {
        let new = reader.checked(line, Known::Priority, check_priority)?.unwrap_or_default();
        let there = task.priority().map_or("", Priority::as_str).to_owned();
        words.push(Word { known: Known::Priority, new, there });
    }
    if let Some(cell) = line.word(Known::Depends) {
        let there = task.depends().collect::<Vec<_>>().join("+");
        words.push(Word { known: Known::Depends, new: joined(&plain(cell)), there });
    }
    Ok(words)
}

/// Notes with a word as the file has it. A word that is as the ledger has it was not
/// changed in the file; then notes that were have their way.
fn with_word(notes: &str, key: &str, new: &str, there: &str) -> String {
    let noted = attribute(notes, key);
    let is_that =
        noted.is_some_and(|noted| noted.eq_ignore_ascii_case(new) || joined(noted) == new);
    if is_that || (noted.is_some() && new == there) {
        return notes.to_owned();
    }
    with_attribute(notes, key, (!new.is_empty()).then_some(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_was_changed_wins_over_notes_that_were_not() {
        let is = |notes, new, there, expected: &str| {
            assert_eq!(with_word(notes, "priority", new, there), expected, "{notes} {new} {there}");
        };
        is("a・priority=HIGH", "LOW", "HIGH", "a・priority=LOW");
        is("a・priority=HIGH", "", "HIGH", "a");
        is("a・priority=LOW", "HIGH", "HIGH", "a・priority=LOW");
        is("a", "HIGH", "HIGH", "a・priority=HIGH");
        is("a・priority=high", "HIGH", "HIGH", "a・priority=high");
        is("a", "", "", "a");
    }
}
