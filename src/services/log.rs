//! What happened: operations of the journal, newest first, and who set a cell.
//!
//! Here: which operations a reader wants, short names for them, the blame of a
//! row. Not here: how they look (`cli::render::operation`), whether the journal
//! is whole (`services::audit`). Invariant: an operation is never left out
//! because it cannot be read; what its line's ends say is shown then.

use crate::error::{Error, Result};
use crate::ledger::table::{is_empty_value, trim};
use crate::ledger::tasks::{RowId, TaskLedger};
use crate::model::field::{ApprovalField, TaskField};
use crate::model::operation::Column;
use crate::store::entry::{Entry, RowChange, RowChangeKind, sha256_hex};
use crate::store::graph::{Graph, Line};
use crate::store::journal::{APPROVALS, Journal, Named, TASKS, read};
use crate::store::layout::Layout;
use crate::store::snapshot::Snapshot;
use memchr::memmem;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// An id is not shortened below this: a quarter of a second of its time.
const SHORTEST_SHOWN: usize = 8;

/// What an id names.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// No id: everything.
    Everything,
    /// A task or an approval.
    Row(String),
    /// One operation.
    Operation(Box<Entry>),
}

/// The operations found, newest first.
#[derive(Debug)]
pub struct Found<'j> {
    /// Their lines.
    pub lines: Vec<Line<'j>>,
    /// How many there were before the limit.
    pub total: usize,
}

/// The journal in the order of its graph.
#[derive(Debug)]
pub struct Log<'j> {
    journal: &'j Journal,
    graph: Graph<'j>,
    /// Every id, sorted.
    ids: Vec<&'j str>,
}

impl<'j> Log<'j> {
    /// Orders a journal.
    pub fn of(journal: &'j Journal) -> Self {
        let graph = journal.graph();
        let mut ids: Vec<&str> = graph.lines().iter().map(|line| line.id).collect();
        ids.sort_unstable();
        ids.dedup();
        Self { journal, graph, ids }
    }

    /// Finds out what an id names: a task or approval, archived ones and those
    /// of the past included, else an operation by the beginning of its id.
    ///
    /// # Errors
    /// `not_found` for an id that nothing has, `usage` for a beginning that
    /// several operations have; why the ledgers cannot be read, where only they
    /// could tell.
    pub fn subject(&self, now: Result<&Snapshot<'_>, &Error>, id: Option<&str>) -> Result<Subject> {
        let Some(id) = id else { return Ok(Subject::Everything) };
        let stands = || now.map_or(Ok(false), |now| Ok(row_now(now, id)?.is_some()));
        if self.about(id).next().is_some() || stands()? {
            return Ok(Subject::Row(id.to_owned()));
        }
        match self.journal.operation(id) {
            Named::One(entry) => Ok(Subject::Operation(entry)),
            Named::Several(ids) => Err(Error::usage(format!(
                "`{id}` is the beginning of {} operations: {}",
                ids.len(),
                some(&ids)
            ))
            .hint(format!("orch log {}", ids[0]))),
            Named::Nothing => {
                now.map_err(Error::clone)?;
                Err(Error::not_found(format!("no task, approval or operation `{id}`"))
                    .hint("orch log"))
            }
        }
    }

    /// Operations about a task or an approval, parents first.
    fn about<'l>(&'l self, id: &'l str) -> impl Iterator<Item = (Line<'j>, Entry)> + use<'l, 'j> {
        let needle = serde_json::to_string(id).unwrap_or_default();
        let finder = memmem::Finder::new(needle.as_bytes()).into_owned();
        self.graph.lines().iter().filter_map(move |line| {
            finder.find(line.bytes)?;
            Some((*line, read(*line))).filter(|(_, entry)| is_about(entry, id))
        })
    }

    /// The operations about a subject. A limit of 0 is none.
    pub fn find(&self, subject: &Subject, limit: usize) -> Found<'j> {
        let all = self.graph.lines().iter().copied();
        let mut lines: Vec<Line<'j>> = match subject {
            Subject::Everything => all.collect(),
            Subject::Row(id) => self.about(id).map(|(line, _)| line).collect(),
            Subject::Operation(entry) => all.filter(|line| line.hash == entry.hash).collect(),
        };
        let total = lines.len();
        lines.reverse();
        if limit > 0 {
            lines.truncate(limit);
        }
        Found { lines, total }
    }

    /// The short name of an operation: as much of its id as no other has. All
    /// of one that the journal does not know.
    pub fn short<'i>(&self, id: &'i str) -> &'i str {
        let Ok(at) = self.ids.binary_search(&id) else { return id };
        let shared = |other: &&str| {
            other.bytes().zip(id.bytes()).take_while(|(theirs, own)| theirs == own).count()
        };
        let before = at.checked_sub(1).and_then(|at| self.ids.get(at)).map_or(0, shared);
        let after = self.ids.get(at + 1).map_or(0, shared);
        id.get(..(before.max(after) + 1).max(SHORTEST_SHOWN)).unwrap_or(id)
    }

    /// Whether a file is as the newest operation that wrote it left it.
    fn is_as_left(&self, path: &str, sha: &str) -> bool {
        let mut newest = self.graph.lines().iter().rev();
        let left = newest.find_map(|line| read(*line).sha_out.remove(path));
        left.is_some_and(|left| left == sha)
    }

    /// Who set each cell of a row last, in the order of the columns; empty
    /// cells that nobody ever set are left out.
    pub fn blame(&self, snapshot: &Snapshot<'_>, id: &str) -> Result<Vec<Blame>> {
        let now = row_now(snapshot, id)?;
        let mut set: BTreeMap<String, (String, Entry)> = BTreeMap::new();
        for (_, entry) in self.about(id) {
            let is_its = |change: &&RowChange| {
                change.row == id && now.as_ref().is_none_or(|row| row.file == change.file)
            };
            // What leaves the ledger is as it was last set, in the archive too.
            let stays = |change: &&RowChange| change.kind != RowChangeKind::Remove;
            for change in entry.changes.iter().filter(is_its).filter(stays) {
                for (column, (_, after)) in &change.cells {
                    let after = value(after).unwrap_or_default().into_owned();
                    let known = set.get(column).map_or("", |(known, _)| known);
                    if known != after {
                        set.insert(column.clone(), (after, light(&entry)));
                    }
                }
            }
        }
        let first = self.graph.lines().first().map(|line| read(*line));
        let genesis = first.filter(|entry| entry.command == "genesis").map(|e| light(&e));
        // Only of a file that nobody edited since is it known what stood there.
        let as_left = now.as_ref().is_none_or(|row| self.is_as_left(&row.path, &row.sha));
        let genesis = genesis.filter(|_| as_left);
        let cells = match now {
            Some(row) => row.cells,
            None => set.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect(),
        };
        let blame = cells.into_iter().filter_map(|(column, value)| {
            let origin = match (set.remove(&column), &genesis) {
                (Some((known, entry)), _) if known == value => Origin::Operation(Box::new(entry)),
                (None, _) if value.is_empty() => return None,
                (None, Some(genesis)) => Origin::Found(Box::new(genesis.clone())),
                _ => Origin::NotJournalled,
            };
            Some(Blame { column, value: Some(value).filter(|value| !value.is_empty()), origin })
        });
        Ok(blame.collect())
    }
}

/// A few of many names.
fn some(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(4).map(|name| format!("`{name}`")).collect();
    let rest = if names.len() > 4 { ", …" } else { "" };
    format!("{}{rest}", shown.join(", "))
}

fn is_about(entry: &Entry, id: &str) -> bool {
    entry.task.as_deref() == Some(id)
        || entry.appr.as_deref() == Some(id)
        || entry.changes.iter().any(|change| change.row == id)
        || entry.forbidden.iter().any(|forbidden| forbidden.row == id)
        || entry.took_back.iter().any(|taken| taken.row == id)
}

/// One cell, and the operation that set it.
#[derive(Debug, Clone, PartialEq)]
pub struct Blame {
    /// The column.
    pub column: String,
    /// What stands there; `None` is empty.
    pub value: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a cell's value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// This operation set it.
    Operation(Box<Entry>),
    /// It stood there at first use, when this line was written.
    Found(Box<Entry>),
    /// No operation has journalled it: a hand edit, a cell of a file that was
    /// edited since, or no journal at all.
    NotJournalled,
}

/// What blame tells of an operation.
fn light(entry: &Entry) -> Entry {
    Entry {
        seq: entry.seq,
        id: entry.id.clone(),
        ts: entry.ts.clone(),
        actor: entry.actor.clone(),
        command: entry.command.clone(),
        via: entry.via.clone(),
        ..Entry::default()
    }
}

/// A row as it stands.
struct RowNow {
    /// The ledger it belongs to, as rows of the journal name it.
    file: &'static str,
    /// The file it stands in, and its hash.
    path: String,
    sha: String,
    /// Column and value; empty is empty.
    cells: Vec<(String, String)>,
}

fn row_now(snapshot: &Snapshot<'_>, id: &str) -> Result<Option<RowNow>> {
    let sha = |text: &str| sha256_hex(text.as_bytes());
    let of_task = |ledger: &TaskLedger<'_>| {
        let row = *ledger.rows_of(id).first()?;
        let (path, sha) = (ledger.path().to_owned(), sha(ledger.grid().text()));
        Some(RowNow { file: TASKS, path, sha, cells: task_cells(ledger, row) })
    };
    if let Some(row) = of_task(&snapshot.tasks) {
        return Ok(Some(row));
    }
    if let Some(year) = snapshot.archived(id)? {
        let text = snapshot.archives()?.get(&year).map_or("", String::as_str);
        let layout = Layout::new("/");
        let path = layout.display(&layout.archive_tasks(year));
        return Ok(of_task(&TaskLedger::parse_any(text, &path)));
    }
    let approvals = &snapshot.approvals;
    let row = approvals.rows().find(|row| approvals.approval(*row).id == id);
    Ok(row.map(|row| {
        let cell = |field| approvals.cell(row, field).unwrap_or_default().into_owned();
        let cells = ApprovalField::ALL.into_iter().map(|f| (f.name().to_owned(), cell(f)));
        let (path, sha) = (approvals.path().to_owned(), sha(approvals.grid().text()));
        RowNow { file: APPROVALS, path, sha, cells: cells.collect() }
    }))
}

fn task_cells(ledger: &TaskLedger<'_>, row: RowId) -> Vec<(String, String)> {
    let known = TaskField::ALL.into_iter().map(|f| (f.name().to_owned(), Column::Known(f)));
    let extra = ledger.extra_names();
    let extra = extra.iter().map(|n| ((*n).to_owned(), Column::Extra((*n).to_owned())));
    let cells = known.chain(extra).filter_map(|(name, column)| {
        let at = ledger.column_of(row, &column)?;
        Some((name, ledger.grid().filled(ledger.row(row), at).unwrap_or_default().into_owned()))
    });
    cells.collect()
}

/// A cell's value as it was spelled; `None` is empty.
pub fn value(spelled: &str) -> Option<Cow<'_, str>> {
    let text = trim(spelled);
    if is_empty_value(text) {
        None
    } else if text.contains("\\|") {
        Some(Cow::Owned(text.replace("\\|", "|")))
    } else {
        Some(Cow::Borrowed(text))
    }
}
