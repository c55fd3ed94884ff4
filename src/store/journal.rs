//! The journal: one JSON line per committed operation, in a hash chain.
//!
//! Here: the shape of a line, appending one, and the questions that commands
//! ask of the past. Not here yet: heads after a merge of branches, `audit
//! verify` and the redo record, which sit on this format.
//!
//! Invariant: a line is never changed or removed. Its `hash` is the SHA-256 of
//! the line without that last member, and `parents` names the lines before it.

use crate::error::{Error, ErrorKind, Result};
use crate::model::history::{PastChange, TaskHistory};
use crate::model::time::Timestamp;
use crate::store::entry::{Entry, RowChange, RowChangeKind};
use crate::store::layout::Layout;
use crate::store::replace::{Target, resolve, resolve_dir};
use crate::sys::{FileKind, Sys};
use memchr::memmem;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// The journal of a workspace, as bytes; questions parse only the lines that
/// can answer them.
#[derive(Debug, Default)]
pub struct Journal {
    /// Month and content, oldest first.
    months: Vec<(String, Vec<u8>)>,
}

impl Journal {
    /// Reads every month.
    pub fn read(sys: &Sys, layout: &Layout) -> Result<Self> {
        let logs = layout.logs_dir();
        let names = match sys.fs.list(&logs) {
            Ok(names) => names,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(Error::io("read", &logs, &e)),
        };
        let mut months = Vec::new();
        for month in names.into_iter().filter(|name| is_month(name)) {
            let path = layout.journal_month(&month);
            // Looked at first: reading a pipe would wait for ever.
            let bytes = match sys.fs.stat(&path) {
                Ok(stat) if stat.kind != FileKind::File => {
                    let name = layout.display(&path);
                    return Err(Error::invalid(format!("`{name}` is not a regular file"))
                        .hint("orch doctor"));
                }
                Ok(_) => sys.fs.read(&path),
                Err(e) => Err(e),
            };
            match bytes {
                Ok(bytes) => months.push((month, bytes)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(Error::io("read", &path, &e)),
            }
        }
        Ok(Self { months })
    }

    /// Whether nothing was ever journalled.
    pub fn is_empty(&self) -> bool {
        self.months.iter().all(|(_, bytes)| bytes.is_empty())
    }

    fn lines(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.months
            .iter()
            .flat_map(|(_, bytes)| bytes.split(|b| *b == b'\n'))
            .filter(|line| !line.is_empty())
    }

    /// Lines that hold a piece of text, oldest first.
    fn lines_with<'j>(&'j self, needle: &'j [u8]) -> impl Iterator<Item = &'j [u8]> {
        self.months.iter().flat_map(move |(_, bytes)| {
            let mut at = 0;
            std::iter::from_fn(move || {
                let hit = at + memmem::find(bytes.get(at..)?, needle)?;
                let start = memchr::memrchr(b'\n', &bytes[..hit]).map_or(0, |n| n + 1);
                let end = memchr::memchr(b'\n', &bytes[hit..]).map_or(bytes.len(), |n| hit + n);
                at = end;
                Some(&bytes[start..end])
            })
        })
    }

    /// The newest line that can be read: the very last one may be torn.
    pub fn last(&self) -> Option<Entry> {
        self.lines().rev().find_map(|line| serde_json::from_slice(line).ok())
    }

    /// The newest time in it: a lower bound for now.
    pub fn newest(&self) -> Option<Timestamp> {
        Timestamp::parse_millis(&self.last()?.ts)
    }

    /// The past of one task.
    pub fn history(&self, task: &str) -> TaskHistory {
        TaskHistory::of(self.changes_of(task))
    }

    fn changes_of(&self, task: &str) -> Vec<PastChange> {
        let needle = format!("\"row\":{}", serde_json::to_string(task).unwrap_or_default());
        let mut past = Vec::new();
        for line in self.lines_with(needle.as_bytes()) {
            let Ok(entry) = serde_json::from_slice::<Entry>(line) else { continue };
            for change in entry.changes.iter().filter(|c| c.row == task) {
                past.extend(past_change(&entry, change));
            }
        }
        past
    }

    /// When each task was closed last, by any operation.
    pub fn closing_times(&self) -> HashMap<String, Timestamp> {
        let mut times = HashMap::new();
        for line in self.lines_with(b"\"state\":[") {
            let Ok(entry) = serde_json::from_slice::<Entry>(line) else { continue };
            let Some(at) = Timestamp::parse_millis(&entry.ts) else { continue };
            for change in &entry.changes {
                let after =
                    change.cells.get("state").map(|(_, after)| after.trim_matches([' ', '\t']));
                if matches!(after, Some("DONE" | "DROP")) {
                    times.insert(change.row.clone(), at);
                }
            }
        }
        times
    }

    /// Every task id that a row was ever made for.
    pub fn given_ids(&self) -> Vec<String> {
        self.lines_with(b"\"kind\":\"insert\"")
            .filter_map(|line| serde_json::from_slice::<Entry>(line).ok())
            .flat_map(|entry| entry.changes)
            .filter(|change| change.kind == RowChangeKind::Insert)
            .map(|change| change.row)
            .collect()
    }

    /// The largest fencing token ever given; 0 where there is none.
    pub fn largest_token(&self) -> u64 {
        let needle = b"\"token\":";
        self.months
            .iter()
            .flat_map(|(_, bytes)| {
                memmem::find_iter(bytes, needle).filter_map(|at| {
                    let digits = &bytes[at + needle.len()..];
                    let end = digits.iter().position(|b| !b.is_ascii_digit())?;
                    std::str::from_utf8(&digits[..end]).ok()?.parse::<u64>().ok()
                })
            })
            .max()
            .unwrap_or(0)
    }

    /// The operation that was committed under an idempotency key.
    pub fn committed_as(&self, op_id: &str) -> Option<Entry> {
        let needle = format!("\"op_id\":{}", serde_json::to_string(op_id).unwrap_or_default());
        self.lines_with(needle.as_bytes())
            .filter_map(|line| serde_json::from_slice::<Entry>(line).ok())
            .find(|entry| entry.op_id.as_deref() == Some(op_id))
    }
}

fn past_change(entry: &Entry, change: &RowChange) -> Option<PastChange> {
    let pair = |column: &str| {
        change.cells.get(column).map(|(before, after)| {
            let value = |raw: &str| {
                let text = raw.trim_matches([' ', '\t']);
                if text == "-" { String::new() } else { text.to_owned() }
            };
            (value(before), value(after))
        })
    };
    Some(PastChange {
        at: Timestamp::parse_millis(&entry.ts)?,
        actor: entry.actor.clone(),
        command: entry.command.clone(),
        token: entry.token,
        state: pair("state"),
        holder: pair("lock_owner").filter(|(before, after)| before != after).or_else(|| {
            // The same actor claimed anew: only `lock` differs, and the actor is it.
            let (before, after) = pair("lock")?;
            let is_new = entry.command == "claim" && !before.is_empty() && before != after;
            is_new.then(|| (entry.actor.clone(), entry.actor.clone()))
        }),
    })
}

fn is_month(name: &str) -> bool {
    let b = name.as_bytes();
    b.len() == 7 && b[4] == b'-' && b.iter().enumerate().all(|(i, c)| i == 4 || c.is_ascii_digit())
}

/// Where lines go: a month's file, which is in the workspace and in a folder
/// that is there.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    target: Target,
}

impl Place {
    /// Makes the month's folder. Called before the commit point, so that what
    /// is wrong with the place is told while nothing has changed.
    ///
    /// # Errors
    /// `ledger_invalid` where a link leads out of the workspace or the file is
    /// no regular one, `failed` where the folder cannot be made.
    pub fn make(sys: &Sys, layout: &Layout, month: &str) -> Result<Self> {
        let path = layout.journal_month(month);
        let dir = path.parent().unwrap_or(&path);
        if sys.fs.stat(&layout.logs_dir()).is_ok() {
            // A folder is not made where a link leads, either.
            resolve_dir(sys, layout, &layout.logs_dir())?;
        }
        if sys.fs.stat(dir).is_err() {
            let like = sys.fs.stat(&layout.state_dir()).ok();
            let made = sys.fs.create_dir_all(dir, like.as_ref());
            made.map_err(|e| Error::io("create", dir, &e))?;
        }
        let target = resolve(sys, layout, &path)?;
        Ok(Self { path, target })
    }

    /// Appends lines with one write, and one fsync.
    ///
    /// # Errors
    /// `committed`: the ledgers are new by now.
    ///
    /// # Durability
    /// A last line without a line end is what a crash in the middle of a write
    /// leaves: it is ended first, so that it spoils no other line. With a new
    /// file every folder up to ORCH is synced, since any of them may be new.
    pub fn append(&self, sys: &Sys, lines: &[String], sync: bool) -> Result<()> {
        let path = &self.target.path;
        let failed = |action: &str, e: &io::Error| {
            let mut error = Error::io(action, &self.path, e);
            error.kind = ErrorKind::Committed;
            error.message =
                format!("the change is committed, but its journal line is not: {}", error.message);
            error
        };
        let is_new = self.target.stat.is_none();
        let mut text = String::new();
        if !is_new && !ends_with_newline(sys, path) {
            text.push('\n');
        }
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        let mut file = sys.fs.append(path).map_err(|e| failed("open", &e))?;
        file.write_all(text.as_bytes()).map_err(|e| failed("append to", &e))?;
        if sync {
            file.sync().map_err(|e| failed("sync", &e))?;
            // Month, LOGS, ORCH.
            for dir in self.path.ancestors().skip(1).take(if is_new { 3 } else { 0 }) {
                sys.fs.sync_dir(dir).map_err(|e| failed("sync", &e))?;
            }
        }
        Ok(())
    }
}

/// A line end too many is skipped when the journal is read; one too few glues
/// two lines together. So where the file cannot be read it gets one.
fn ends_with_newline(sys: &Sys, path: &Path) -> bool {
    sys.fs.read(path).is_ok_and(|bytes| bytes.is_empty() || bytes.ends_with(b"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn questions_read_only_their_lines() {
        let change = |row: &str, state: (&str, &str)| RowChange {
            file: "ORCH/STATE/TASKS.md".into(),
            kind: RowChangeKind::Insert,
            row: row.into(),
            cells: BTreeMap::from([(
                "state".to_owned(),
                (format!(" {} ", state.0), format!(" {} ", state.1)),
            )]),
            ..RowChange::default()
        };
        let line = |row: &str, token| {
            Entry {
                ts: "2026-01-01T00:00:00.000Z".into(),
                command: "claim".into(),
                token,
                op_id: Some(format!("key-{row}")),
                changes: vec![change(row, ("READY", "DOING"))],
                ..Entry::default()
            }
            .to_line()
        };
        let text = format!("{}\nnot json\n{}\n", line("T-1", Some(7)), line("T-2", Some(12)));
        let journal = Journal { months: vec![("2026-01".into(), text.into_bytes())] };
        assert_eq!(journal.given_ids(), ["T-1", "T-2"]);
        assert_eq!(journal.largest_token(), 12);
        assert!(journal.committed_as("key-T-1").is_some());
        assert!(journal.committed_as("key").is_none());
        assert!(journal.history("T-1").claimed_from.is_some());
        assert_eq!(journal.history("T-9"), TaskHistory::default());
    }

    #[test]
    fn a_torn_last_line_does_not_hide_the_one_before() {
        let line = Entry { seq: 7, ts: "2026-01-01T00:00:00.000Z".into(), ..Entry::default() };
        let text = format!("{}\n{}", line.to_line(), &line.to_line()[..40]);
        let journal = Journal { months: vec![("2026-01".into(), text.into_bytes())] };
        assert_eq!(journal.last().map(|entry| entry.seq), Some(7));
        assert!(journal.newest().is_some());
    }
}
