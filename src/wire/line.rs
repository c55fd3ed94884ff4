//! A task as one line of JSON: what `list --format jsonl` writes row by row.
//!
//! Invariant: these are the bytes that `serde_json` writes for [`Task`], as a
//! law below has it. It takes ten instructions a byte, names included, and a
//! list is little else.

use crate::wire::task::Task;
use std::borrow::Cow;

/// Appends a task as JSON and a line feed.
pub fn write(task: &Task<'_>, to: &mut Vec<u8>) {
    to.extend_from_slice(b"{\"task_id\":");
    text(&task.task_id, to);
    cell(b",\"title\":", task.title.as_ref(), to);
    cell(b",\"state\":", task.state.as_ref(), to);
    cell(b",\"owner\":", task.owner.as_ref(), to);
    cell(b",\"lock\":", task.lock.as_ref(), to);
    cell(b",\"lock_owner\":", task.lock_owner.as_ref(), to);
    cell(b",\"lock_expires_at\":", task.lock_expires_at.as_ref(), to);
    cell(b",\"due\":", task.due.as_ref(), to);
    cell(b",\"artifact\":", task.artifact.as_ref(), to);
    cell(b",\"notes\":", task.notes.as_ref(), to);
    cell(b",\"priority\":", task.priority.as_ref(), to);
    to.extend_from_slice(b",\"depends\":[");
    for (n, id) in task.depends.iter().enumerate() {
        separate(n, to);
        text(id, to);
    }
    to.extend_from_slice(b"],\"extra\":{");
    for (n, (name, value)) in task.extra.iter().enumerate() {
        separate(n, to);
        text(name, to);
        cell(b":", value.as_ref(), to);
    }
    to.extend_from_slice(b"}}\n");
}

fn separate(n: usize, to: &mut Vec<u8>) {
    if n > 0 {
        to.push(b',');
    }
}

fn cell(name: &[u8], value: Option<&Cow<'_, str>>, to: &mut Vec<u8>) {
    to.extend_from_slice(name);
    match value {
        Some(value) => text(value, to),
        None => to.extend_from_slice(b"null"),
    }
}

fn text(value: &str, to: &mut Vec<u8>) {
    // No early end, so that this becomes vector instructions.
    let escapes = |b: &u8| *b < 0x20 || matches!(b, b'"' | b'\\');
    if value.as_bytes().iter().fold(false, |any, b| any | escapes(b)) {
        let _ = serde_json::to_writer(to, value);
    } else {
        to.push(b'"');
        to.extend_from_slice(value.as_bytes());
        to.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = Cow<'static, str>> {
        prop_oneof!["[a-z|台\"\\\\ ]{0,9}", any::<String>()].prop_map(Cow::from)
    }

    proptest! {
        #[test]
        fn a_line_is_what_serde_json_writes(
            id in text(),
            cells in proptest::collection::vec(proptest::option::of(text()), 11),
            depends in proptest::collection::vec(text(), 0..3),
            extra in proptest::collection::btree_map(text(), proptest::option::of(text()), 0..3),
        ) {
            let cell = |n: usize| cells[n].clone();
            let task = Task {
                task_id: id,
                title: cell(0),
                state: cell(1),
                owner: cell(2),
                lock: cell(3),
                lock_owner: cell(4),
                lock_expires_at: cell(5),
                due: cell(6),
                artifact: cell(7),
                notes: cell(8),
                priority: cell(9),
                depends,
                extra,
            };
            let mut line = Vec::new();
            write(&task, &mut line);
            let line = String::from_utf8(line).unwrap();
            prop_assert_eq!(line, serde_json::to_string(&task).unwrap() + "\n");
        }
    }
}
