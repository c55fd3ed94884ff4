//! A text appended to a task's notes.

use crate::answer::change::{Options, Verb};
use crate::answer::{Caller, Reply, lease};
use crate::error::Result;
use crate::services::tasks;

/// `note`
pub const NOTE: Verb = Verb { command: "note", kind: "task.note" };

/// Appends a text; the request is the task's id and the text.
///
/// # Errors
/// As the command.
pub fn run(caller: &Caller<'_>, options: Options, request: &(String, String)) -> Result<Reply> {
    lease::answer(caller, &NOTE, options, request, &|asked| {
        tasks::note(asked.snapshot, &request.0, &request.1)
    })
}
