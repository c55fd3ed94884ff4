//! The journal: one JSON line per committed operation, in a hash chain.
//!
//! Here: reading it, and the questions that commands ask of the past. Not here:
//! the shape of a line (`store::entry`), appending one (`store::append`), which line comes
//! after which (`store::graph`), whether the chain is whole (`services::audit`).
//!
//! Invariant: a line is never changed or removed; after a merge of branches
//! answers follow the graph of the lines and not their order in the file.

use crate::error::{Error, Result};
use crate::model::history::{PastChange, TaskHistory};
use crate::model::run::Attempts;
use crate::model::time::Timestamp;
use crate::store::accepted::Effect;
use crate::store::entry::{Entry, RowChange, RowChangeKind};
use crate::store::graph::{self, Graph, Heads, Line};
use crate::store::layout::{LEDGER, Layout};
use crate::sys::{FileKind, Sys};
use memchr::memmem;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::io;

/// The task ledger, as rows of the journal name it.
pub const TASKS: &str = LEDGER;
/// The approval ledger, as rows of the journal name it.
pub const APPROVALS: &str = "ORCH/STATE/APPROVALS.md";

/// The shortest beginning of an id that names an operation.
pub const SHORTEST_PREFIX: usize = 4;

/// The journal of a workspace, as bytes; questions parse only the lines that
/// can answer them.
#[derive(Debug, Default)]
pub struct Journal {
    /// Month and content, oldest first.
    months: Vec<(String, Vec<u8>)>,
    shape: OnceCell<Shape>,
    /// The place of each line, by its hash, where the lines are no chain.
    ranks: OnceCell<HashMap<String, usize>>,
    /// Hand edits that the operation at hand journals before itself.
    noticed: OnceCell<Vec<Entry>>,
}

/// Where the next operation goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The next operation's `seq`: 1 + the largest of the heads'. 1 where there
    /// is no line yet.
    pub seq: u64,
    /// The next operation's `parents`: the hashes of all heads, by their time.
    pub parents: Vec<String>,
    /// The newest time of the heads: a lower bound for now.
    pub newest: Option<Timestamp>,
}

#[derive(Debug)]
struct Shape {
    tip: Tip,
    is_chain: bool,
}

/// Which operations a person may mean.
#[derive(Debug, Clone, PartialEq)]
pub enum Named {
    /// None.
    Nothing,
    /// This one.
    One(Box<Entry>),
    /// Several; their ids.
    Several(Vec<String>),
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
        Ok(Self::of(months))
    }

    /// The journal that these files, of month and content, would be.
    pub fn of(months: Vec<(String, Vec<u8>)>) -> Self {
        Self { months, ..Self::default() }
    }

    /// Month and content of each file, oldest first.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.months.iter().map(|(month, bytes)| (month.as_str(), &bytes[..]))
    }

    /// Whether nothing was ever journalled.
    pub fn is_empty(&self) -> bool {
        self.months.iter().all(|(_, bytes)| bytes.is_empty())
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.months.iter().flat_map(|(_, bytes)| graph::lines(bytes))
    }

    /// Lines that hold a piece of text, oldest first.
    pub(super) fn lines_with<'j>(&'j self, needle: &'j [u8]) -> impl Iterator<Item = &'j [u8]> {
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

    /// How many lines cannot be read at all.
    pub fn damaged(&self) -> usize {
        self.lines().filter(|line| Line::parse(line).is_none()).count()
    }

    /// Every operation once, parents first.
    pub fn graph(&self) -> Graph<'_> {
        Graph::of(self.lines())
    }

    fn shape(&self) -> &Shape {
        self.shape.get_or_init(|| {
            let heads = Heads::of(self.lines());
            let largest = heads.lines.iter().map(|line| line.seq).max().unwrap_or(0);
            let tip = Tip {
                seq: largest.saturating_add(1),
                parents: heads.lines.iter().map(|line| line.hash.to_owned()).collect(),
                newest: heads.lines.iter().filter_map(|l| Timestamp::parse_millis(l.ts)).max(),
            };
            Shape { tip, is_chain: heads.is_chain }
        })
    }

    /// Whether each operation follows the one before it in the files.
    pub fn is_chain(&self) -> bool {
        self.shape().is_chain
    }

    /// Where the next operation goes. Cost: one look at the ends of each line,
    /// once for a journal.
    pub fn tip(&self) -> Tip {
        self.shape().tip.clone()
    }

    /// The newest operation that can be read: the head of the largest `seq`.
    pub fn last(&self) -> Option<Entry> {
        let heads = self.shape().tip.parents.iter();
        heads
            .filter_map(|hash| {
                let own = format!("\"hash\":\"{hash}\"}}");
                serde_json::from_slice(self.lines_with(own.as_bytes()).next()?).ok()
            })
            .max_by_key(|entry: &Entry| entry.seq)
            .or_else(|| self.lines().filter_map(|line| serde_json::from_slice(line).ok()).last())
    }

    /// The newest time of the heads: a lower bound for now.
    pub fn newest(&self) -> Option<Timestamp> {
        self.shape().tip.newest
    }

    /// The operation of this id, or of the only id that begins so, in at least
    /// [`SHORTEST_PREFIX`] characters. Without regard to case.
    pub fn operation(&self, text: &str) -> Named {
        let text = text.to_ascii_lowercase();
        if text.len() < SHORTEST_PREFIX {
            return Named::Nothing;
        }
        let mut found: Vec<Line<'_>> = Vec::new();
        for line in self.lines().filter_map(Line::parse).filter(|l| l.id.starts_with(&text)) {
            if line.id == text {
                found = vec![line];
                break;
            }
            if found.iter().all(|known| known.id != line.id) {
                found.push(line);
            }
        }
        match &found[..] {
            [] => Named::Nothing,
            [line] => Named::One(Box::new(read(*line))),
            several => Named::Several(several.iter().map(|line| line.id.to_owned()).collect()),
        }
    }

    /// Entries whose line holds a piece of text, each once, parents first.
    pub(super) fn entries_with<'j>(
        &'j self,
        needle: &'j [u8],
    ) -> Box<dyn Iterator<Item = Entry> + 'j> {
        let entries = self.lines_with(needle).filter_map(|line| serde_json::from_slice(line).ok());
        if self.shape().is_chain {
            return Box::new(entries);
        }
        let ranks = self.ranks.get_or_init(|| {
            let graph = self.graph();
            let lines = graph.lines().iter().enumerate();
            lines.map(|(rank, line)| (line.hash.to_owned(), rank)).collect()
        });
        let mut entries: Vec<Entry> = entries.collect();
        entries.sort_by_key(|entry| ranks.get(&entry.hash));
        entries.dedup_by(|a, b| a.hash == b.hash);
        Box::new(entries.into_iter())
    }

    /// How many bytes a month has, if it ends in a line end.
    pub fn whole_month(&self, month: &str) -> Option<u64> {
        let (_, bytes) = self.months.iter().find(|(name, _)| name == month)?;
        bytes.ends_with(b"\n").then_some(bytes.len() as u64)
    }

    /// Takes hand edits that were noticed and not journalled yet for a part of
    /// the past of rows: who is to judge must not have held or asked until just
    /// now. Only the first call counts.
    pub fn notice(&self, external: &[Entry]) {
        let _ = self.noticed.set(external.to_vec());
    }

    pub(super) fn noticed(&self) -> impl Iterator<Item = &Entry> {
        self.noticed.get().into_iter().flatten()
    }

    /// The past of one task.
    pub fn history(&self, task: &str) -> TaskHistory {
        TaskHistory::of(self.changes_of(task))
    }

    /// The attempts at a task since somebody touched it.
    pub fn attempts(&self, task: &str) -> Attempts {
        Attempts::of(&self.changes_of(task))
    }

    /// The past of one task as it was before an operation.
    pub fn history_before(&self, task: &str, operation: &str) -> TaskHistory {
        let past = self.changes_of(task).into_iter();
        TaskHistory::of(past.take_while(|change| change.id != operation))
    }

    fn changes_of(&self, task: &str) -> Vec<PastChange> {
        let needle = format!("\"row\":{}", serde_json::to_string(task).unwrap_or_default());
        let mut past = Vec::new();
        let mut effect = Effect::of(self);
        for entry in self.entries_with(needle.as_bytes()).chain(self.noticed().cloned()) {
            for change in entry.changes.iter().filter(|c| c.row == task && c.file == TASKS) {
                past.extend(past_change(&entry, change, effect.counts(&entry, task)));
            }
        }
        past
    }

    /// When each task was closed last, by any operation.
    pub fn closing_times(&self) -> HashMap<String, Timestamp> {
        let mut times = HashMap::new();
        for entry in self.entries_with(b"\"state\":[") {
            let Some(at) = Timestamp::parse_millis(&entry.ts) else { continue };
            for change in entry.changes.iter().filter(|change| change.file == TASKS) {
                let after =
                    change.cells.get("state").map(|(_, after)| after.trim_matches([' ', '\t']));
                if matches!(after, Some("DONE" | "DROP")) {
                    times.insert(change.row.clone(), at);
                }
            }
        }
        times
    }

    /// When each task was changed last, by any operation.
    pub fn change_times(&self) -> HashMap<String, Timestamp> {
        let mut times = HashMap::new();
        for entry in self.entries_with(b"\"row\":\"") {
            let Some(at) = Timestamp::parse_millis(&entry.ts) else { continue };
            let changes = entry.changes.into_iter().filter(|change| change.file == TASKS);
            times.extend(changes.map(|change| (change.row, at)));
        }
        times
    }

    /// Every task id that a row was ever made for.
    pub fn given_ids(&self) -> Vec<String> {
        self.rows_made_in(TASKS)
    }

    /// Every approval id that a row was ever made for.
    pub fn given_approval_ids(&self) -> Vec<String> {
        self.rows_made_in(APPROVALS)
    }

    fn rows_made_in(&self, file: &str) -> Vec<String> {
        self.lines_with(b"\"kind\":\"insert\"")
            .filter_map(|line| serde_json::from_slice::<Entry>(line).ok())
            .flat_map(|entry| entry.changes)
            .filter(|change| change.kind == RowChangeKind::Insert && change.file == file)
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

/// What a line says; of a damaged one what its ends say.
pub fn read(line: Line<'_>) -> Entry {
    serde_json::from_slice(line.bytes).unwrap_or_else(|_| Entry {
        seq: line.seq,
        id: line.id.to_owned(),
        ts: line.ts.to_owned(),
        command: "unreadable".to_owned(),
        parents: line.parents().map(str::to_owned).collect(),
        hash: line.hash.to_owned(),
        ..Entry::default()
    })
}

pub(super) fn past_change(entry: &Entry, change: &RowChange, counts: bool) -> Option<PastChange> {
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
        id: entry.id.clone(),
        undoes: entry.undoes.clone(),
        counts,
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
        lock: pair("lock").map(|(_, after)| after).filter(|after| !after.is_empty()),
        end: pair("lock_expires_at").map(|(_, after)| after).filter(|after| !after.is_empty()),
        run: entry.run.as_ref().map(Into::into),
        via_git: entry.via.as_deref() == Some("git"),
    })
}

pub(super) fn is_month(name: &str) -> bool {
    let b = name.as_bytes();
    b.len() == 7 && b[4] == b'-' && b.iter().enumerate().all(|(i, c)| i == 4 || c.is_ascii_digit())
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
