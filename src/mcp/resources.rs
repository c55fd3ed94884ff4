//! What can be read: the ledgers, one task, the journal, each under a name.
//!
//! Here: names and what they stand for. Not here: who is told of changes
//! (`subscriptions`). Invariant: no path is made of a name; what stands in it is
//! only ever compared with ids.

use crate::answer;
use crate::error::{ErrorKind, Result};
use crate::mcp::desk::Desk;
use crate::services::list::Request;
use crate::store::entry::sha256_hex;
use crate::store::snapshot::{Files, Snapshot, Want};
use serde_json::Value;
use std::collections::BTreeMap;

/// The name of a task, where `{id}` stands for its id with other characters than
/// `A-Z a-z 0-9 . _ ~ -` as `%XX` (RFC 3986).
pub(super) const TASK: &str = "orch://task/{id}";
const TASK_PREFIX: &str = "orch://task/";
/// How much of the journal is read at once.
const OPERATIONS: usize = 200;

/// The names that stand for themselves, with what they are.
pub(super) const FIXED: [(&str, &str, &str); 3] = [
    ("orch://tasks", "tasks", "Every task, as `orch list --json`"),
    ("orch://approvals", "approvals", "Every approval, as `orch approvals --json`"),
    ("orch://journal", "journal", "The newest 200 operations, as `orch log --json`"),
];
/// What a task's name stands for.
pub(super) const TASK_ABOUT: &str = "One task, as `orch show --json`";

/// Something that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Tasks,
    Approvals,
    Journal,
    Task(String),
}

impl Place {
    /// What a name stands for; in words, why it stands for nothing.
    pub(super) fn parse(uri: &str) -> Result<Self, String> {
        match uri {
            "orch://tasks" => return Ok(Self::Tasks),
            "orch://approvals" => return Ok(Self::Approvals),
            "orch://journal" => return Ok(Self::Journal),
            _ => {}
        }
        let shown: String = uri.chars().take(128).collect();
        let nothing = || {
            format!(
                "no resource `{shown}`; there are orch://tasks, orch://approvals, orch://journal \
                 and {TASK}"
            )
        };
        let spelled = uri.strip_prefix(TASK_PREFIX).ok_or_else(nothing)?;
        if spelled.contains(['/', '?', '#']) {
            return Err(nothing());
        }
        match decode(spelled) {
            Some(id) if !id.is_empty() => Ok(Self::Task(id)),
            Some(_) => Err(format!("`{shown}` names no task; write its id behind the last `/`")),
            None => {
                Err(format!("`{shown}` holds no id: `%` begins two hexadecimal digits of UTF-8"))
            }
        }
    }

    /// Reads it: the object of `--json`.
    ///
    /// # Errors
    /// As the command that answers the same.
    pub(super) fn read(&self, desk: &Desk) -> Result<Value> {
        let caller = desk.caller();
        match self {
            Self::Tasks => answer::list::run(&caller, Request::default()),
            Self::Approvals => Ok(answer::approvals::run(&caller)?.object()),
            Self::Journal => answer::log::run(&caller, OPERATIONS),
            Self::Task(id) => Ok(answer::show::run(&caller, id)?.object()),
        }
    }

    /// A mark that is another one exactly where the answer is, but for what is
    /// not about the thing itself: warnings of other rows, the line it stands in.
    pub(super) fn mark(&self, desk: &Desk) -> String {
        match self.read(desk) {
            Ok(mut object) => {
                let mut data = object.get_mut("data").map(Value::take).unwrap_or_default();
                if let Some(data) = data.as_object_mut() {
                    data.remove("line");
                }
                sha256_hex(data.to_string().as_bytes())
            }
            Err(error) => format!("{}: {error}", error.kind.code()),
        }
    }

    /// The command that answers the same.
    pub(super) fn help(&self) -> &'static str {
        match self {
            Self::Tasks => "orch list --help",
            Self::Approvals => "orch approvals --help",
            Self::Journal => "orch log --help",
            Self::Task(_) => "orch show --help",
        }
    }
}

/// What the ledgers say of tasks, each in a mark of its own, in one look at the
/// files: where it is the same as before, the whole answer is too. Nothing for a
/// task that does not stand there exactly once.
///
/// # Errors
/// Those of reading the ledgers.
pub(super) fn rows<'i>(
    desk: &Desk,
    ids: impl Iterator<Item = &'i str>,
) -> Result<BTreeMap<String, String>> {
    let layout = desk.layout();
    let files = Files::read(desk.caller().sys, layout, Want::All)?;
    let snapshot = Snapshot::parse(desk.caller().sys, layout, &files)?;
    let of = |id: &str| {
        let [row] = snapshot.tasks.rows_of(id)[..] else { return None };
        let task = snapshot.tasks.task(row);
        let detail =
            snapshot.tasks.section(id).map(|(_, body)| &snapshot.tasks.grid().text()[body]);
        let approvals: Vec<_> = snapshot.approvals.of_task(id).collect();
        // What it waits for is told with it.
        let waits_for: Vec<_> = task
            .depends()
            .map(|id| snapshot.tasks.rows_of(id).first().map(|row| snapshot.tasks.task(*row)))
            .collect();
        let all = format!("{task:?}{detail:?}{approvals:?}{waits_for:?}");
        Some((id.to_owned(), sha256_hex(all.as_bytes())))
    };
    Ok(ids.filter_map(of).collect())
}

/// Whether a refusal says that there is no such thing.
pub(super) fn is_missing(kind: ErrorKind) -> bool {
    kind == ErrorKind::NotFound
}

fn decode(spelled: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(spelled.len());
    let mut rest = spelled.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_what_they_say() {
        for (uri, _, _) in FIXED {
            assert!(Place::parse(uri).is_ok(), "{uri}");
        }
        let task = |uri: &str| Place::parse(uri).unwrap();
        assert_eq!(task("orch://task/T-1"), Place::Task("T-1".to_owned()));
        assert_eq!(task("orch://task/006-P%E2%88%9E"), Place::Task("006-P∞".to_owned()));
        // Ids, not paths: no task has such an id, and nothing else is looked for.
        assert_eq!(task("orch://task/..%2F..%2Fetc"), Place::Task("../../etc".to_owned()));
        assert_eq!(task("orch://task/.."), Place::Task("..".to_owned()));
    }

    #[test]
    fn other_names_stand_for_nothing() {
        for uri in [
            "",
            "orch://",
            "orch://task",
            "orch://task/",
            "orch://task/a/b",
            "orch://task/../../etc/passwd",
            "orch://task/T-1?x",
            "orch://task/T-1#x",
            "orch://task/%",
            "orch://task/%4",
            "orch://task/%zz",
            "orch://task/%ff",
            "orch://Tasks",
            "file:///etc/passwd",
        ] {
            assert!(Place::parse(uri).is_err(), "{uri}");
        }
    }
}
