//! What taking an operation back does to each file.
//!
//! Here: the operation's changes, made fit for going back, and the texts that
//! come of them. Not here: who may (`services::undo::rights`).
//!
//! Invariant: lock cells are cleared where a task leaves DOING and stay as they
//! are elsewhere; only a live lease that a hand edit took comes back. Where
//! nobody changed a file since, its former bytes come back exactly.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::change::{RowChange, RowChangeKind, TextChange};
use crate::ledger::compare::value;
use crate::ledger::document::{Document, Kind};
use crate::ledger::patch::{self, Clash, Way};
use crate::ledger::render::{self, Documents, Rendered};
use crate::ledger::table::Row;
use crate::ledger::tasks::{TaskLedger, shell_word};
use crate::ledger::unified;
use crate::model::field::TaskField;
use crate::model::operation::Operation;
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::services::context::Context;
use crate::services::draft::Draft;
use crate::services::undo::Asked;
use crate::store::discover::repository_root;
use crate::store::entry::{Entry, TakenBack, sha256_hex};
use crate::store::journal::Journal;
use crate::store::mirror::{self, LeaseMirror, MirrorChange};
use crate::store::prepare::diff_name;
use crate::store::seen::kind_of;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const LOCKS: [TaskField; 3] = [TaskField::Lock, TaskField::LockOwner, TaskField::LockExpiresAt];

fn is_lock(column: &str) -> bool {
    LOCKS.iter().any(|field| field.name() == column)
}

/// An operation, ready to be taken back.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Its changes of rows, without what is not taken back.
    pub rows: Vec<RowChange>,
    /// Its changes of other lines.
    pub texts: Vec<TextChange>,
    /// What happens to each row of the task table.
    pub turns: Vec<Turn>,
    /// Tasks whose lease it ended: nothing of that is taken back.
    pub lapsed: Vec<String>,
    /// What stands in the way already.
    pub stale: Option<Error>,
    /// Whether all of it is taken back as it was done.
    whole: bool,
}

/// What happens to one row of the task table.
#[derive(Debug)]
pub(super) struct Turn {
    /// Its id.
    pub id: String,
    /// How.
    pub kind: TurnKind,
    /// The state before the operation, as it was written.
    pub was: String,
    /// The state that it left, as it was written.
    pub is: String,
    /// Where a task that would return to DOING goes.
    pub origin: State,
}

/// How a row is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TurnKind {
    /// Cells that are neither state nor lock.
    Cells(Vec<String>),
    /// Its state.
    Move,
    /// Its lease is given back.
    Release,
    /// A live lease that was taken by hand comes back.
    Restore {
        /// Its token.
        token: Option<u64>,
        /// Whose it is.
        owner: String,
    },
    /// The row comes back.
    Comes,
    /// The row goes.
    Goes,
}

/// The year whose archive a file is.
pub(super) fn archive_year(ctx: &Context, file: &str) -> Option<i32> {
    let name = file.rsplit('/').next()?.strip_prefix("TASKS-")?.strip_suffix(".md")?;
    let year = name.parse().ok()?;
    (ctx.layout.display(&ctx.layout.archive_tasks(year)) == file).then_some(year)
}

/// Makes an operation's changes fit for going back.
pub(super) fn plan(asked: Asked<'_>, journal: &Journal, entry: &Entry) -> Result<Plan> {
    let ledger = asked.ctx.layout.display(&asked.ctx.layout.tasks());
    let (changes, texts) = if entry.took_back.is_empty() {
        // A flag that an operation switched off on its way stays off.
        let flags = asked.ctx.layout.display(&asked.ctx.layout.flags(&*asked.ctx.sys.fs));
        let texts = entry.texts.iter().filter(|text| text.file != flags);
        (entry.changes.clone(), texts.cloned().collect())
    } else {
        (only_taken_back(journal, entry), Vec::new())
    };
    let mut plan = Plan { texts, ..Plan::default() };
    for change in changes {
        let back = match change.kind {
            _ if change.file != ledger => Some(change),
            RowChangeKind::Set => set_row(asked, journal, entry, change, &mut plan)?,
            RowChangeKind::Insert | RowChangeKind::Remove => {
                Some(whole_row(asked, journal, entry, change, &mut plan)?)
            }
        };
        plan.rows.extend(back);
    }
    plan.whole = plan.rows == entry.changes && plan.texts == entry.texts;
    Ok(plan)
}

/// Of a save made from an older copy: what it took back, and what it must not
/// have done. What it brought stays.
fn only_taken_back(journal: &Journal, entry: &Entry) -> Vec<RowChange> {
    let mut changes = Vec::new();
    for change in &entry.changes {
        let is_it = |file: &str, row: &str| file == change.file && row == change.row;
        let forbidden = entry.forbidden.iter().any(|f| is_it(&f.file, &f.row));
        let taken: Vec<&TakenBack> =
            entry.took_back.iter().filter(|t| is_it(&t.file, &t.row)).collect();
        if forbidden || (!taken.is_empty() && change.kind != RowChangeKind::Set) {
            changes.push(change.clone());
            continue;
        }
        let ops: Vec<Entry> = taken.iter().filter_map(|taken| journal.find(&taken.op)).collect();
        let mut back = RowChange { line: None, ..change.clone() };
        back.cells.retain(|column, (from, to)| {
            let lines = ops.iter().flat_map(|op| &op.changes);
            let cells = lines
                .filter(|line| is_it(&line.file, &line.row))
                .filter_map(|line| line.cells.get(column));
            let (mut found, mut left) = (false, false);
            for (was, is) in cells {
                found |= value(is) == value(from);
                left |= value(was) == value(to);
            }
            found && left
        });
        if !back.cells.is_empty() {
            changes.push(back);
        }
    }
    changes
}

/// Whether a lease of these cells runs.
fn is_live(asked: Asked<'_>, owner: &str, end: &str) -> bool {
    let grace = asked.ctx.settings.leases.grace;
    !owner.is_empty() && Timestamp::parse(end).is_some_and(|end| asked.now < end.plus(grace))
}

fn set_row(
    asked: Asked<'_>,
    journal: &Journal,
    entry: &Entry,
    change: RowChange,
    plan: &mut Plan,
) -> Result<Option<RowChange>> {
    let id = change.row.clone();
    let ledger = &asked.snapshot.tasks;
    if ledger.rows_of(&id).is_empty() {
        plan.stale.get_or_insert_with(|| gone(entry, &id));
        return Ok(Some(change));
    }
    let row = ledger.row(ledger.find(&id)?);
    let document = Document::view(Kind::Tasks, ledger.grid());
    let raw = |column: &str| raw(&document, row, column);
    let pair = |column: &str| {
        let now = || raw(column);
        let (before, after) = change.cells.get(column).cloned().unwrap_or((now(), now()));
        (value(&before).to_owned(), value(&after).to_owned())
    };
    let (was, is) = pair(TaskField::State.name());
    let history = journal.history(&id);
    let origin = history.claimed_from.unwrap_or(State::Ready);
    let turn = |kind| Turn { id: id.clone(), kind, was: was.clone(), is: is.clone(), origin };
    // Padding is no move.
    let changed = change.cells.iter().filter(|(_, (a, b))| value(a) != value(b));
    let changed: Vec<String> = changed.map(|(column, _)| column.clone()).collect();
    if !changed.iter().any(|column| is_lock(column) || column == TaskField::State.name()) {
        plan.turns.push(turn(TurnKind::Cells(changed)));
        return Ok(Some(change));
    }
    let (owner, owner_left) = pair(TaskField::LockOwner.name());
    let (end, _) = pair(TaskField::LockExpiresAt.name());
    let by_hand = entry.command == "external";
    if was == State::Doing.as_str() && by_hand && is_live(asked, &owner, &end) {
        let lease = history.leases.iter().rfind(|l| l.holder.eq_ignore_ascii_case(&owner));
        let token = lease.and_then(|lease| lease.token);
        plan.turns.push(turn(TurnKind::Restore { token, owner }));
        return Ok(Some(with_locks(change, &raw, |_| true)));
    }
    let doing = State::Doing.as_str();
    if was == doing && matches!(&*is, "READY" | "FIX") {
        plan.lapsed.push(id.clone());
        return Ok(None);
    }
    let kind = if is == doing { TurnKind::Release } else { TurnKind::Move };
    if kind == TurnKind::Release {
        // The same lease, however long it was renewed.
        let now = raw(TaskField::LockOwner.name());
        let in_doing = value(&raw(TaskField::State.name())) == doing;
        if in_doing && !value(&now).eq_ignore_ascii_case(&owner_left) {
            let column = TaskField::LockOwner.name().to_owned();
            let clash = Clash { row: id.clone(), column, now: value(&now).to_owned() };
            plan.stale.get_or_insert_with(|| stale(entry, &clash));
        }
        if !in_doing && was == doing {
            let column = TaskField::State.name().to_owned();
            let now = value(&raw(TaskField::State.name())).to_owned();
            plan.stale.get_or_insert_with(|| stale(entry, &Clash { row: id.clone(), column, now }));
        }
    }
    plan.turns.push(turn(kind));
    Ok(Some(with_locks(change, &raw, |before| before.is_empty() && was != doing)))
}

/// A change with those lock cells only whose former value may come back, and
/// whatever stands there now.
fn with_locks(
    mut change: RowChange,
    raw: &dyn Fn(&str) -> String,
    comes_back: impl Fn(&str) -> bool,
) -> RowChange {
    change.cells.retain(|column, (before, after)| {
        if is_lock(column) {
            *after = raw(column);
        }
        !is_lock(column) || comes_back(value(before))
    });
    change
}

fn raw(document: &Document<'_>, row: &Row, column: &str) -> String {
    document.column(row, column).map_or("", |c| document.grid().raw(row, c)).to_owned()
}

fn whole_row(
    asked: Asked<'_>,
    journal: &Journal,
    entry: &Entry,
    mut change: RowChange,
    plan: &mut Plan,
) -> Result<RowChange> {
    let id = change.row.clone();
    let there = asked.snapshot.tasks.rows_of(&id).len();
    let cell = |field: TaskField, after: bool| {
        let cell = change.cells.get(field.name());
        let cell = cell.map_or("", |(b, a)| value(if after { a } else { b }));
        cell.to_owned()
    };
    let (was, is) = (cell(TaskField::State, false), cell(TaskField::State, true));
    let (owner, end) = (cell(TaskField::LockOwner, false), cell(TaskField::LockExpiresAt, false));
    let history = journal.history(&id);
    let origin = history.claimed_from.unwrap_or(State::Ready);
    let kind = match change.kind {
        RowChangeKind::Insert if there == 0 => {
            plan.stale.get_or_insert_with(|| gone(entry, &id));
            TurnKind::Goes
        }
        RowChangeKind::Insert => TurnKind::Goes,
        _ if there > 0 => {
            plan.stale.get_or_insert_with(|| {
                let clash = Clash { row: id.clone(), column: String::new(), now: id.clone() };
                stale(entry, &clash)
            });
            TurnKind::Comes
        }
        _ if was == State::Doing.as_str()
            && entry.command == "external"
            && is_live(asked, &owner, &end) =>
        {
            let lease = history.leases.iter().rfind(|l| l.holder.eq_ignore_ascii_case(&owner));
            TurnKind::Restore { token: lease.and_then(|lease| lease.token), owner }
        }
        _ => TurnKind::Comes,
    };
    if kind == TurnKind::Goes && there == 1 {
        // A lease may have been renewed since.
        let ledger = &asked.snapshot.tasks;
        let document = Document::view(Kind::Tasks, ledger.grid());
        let row = ledger.row(ledger.find(&id)?);
        for (column, (_, after)) in &mut change.cells {
            if is_lock(column) {
                *after = raw(&document, row, column);
            }
        }
    }
    plan.turns.push(Turn { id, kind, was, is, origin });
    Ok(change)
}

fn stale(entry: &Entry, clash: &Clash) -> Error {
    let Clash { row, column, now } = clash;
    let op = format!("the operation {} (`{}`)", entry.id, entry.command);
    let now = if now.is_empty() { "empty".to_owned() } else { format!("`{now}`") };
    let what = match (row.is_empty(), column.is_empty()) {
        (true, _) => format!("the lines that {op} wrote were changed since"),
        (false, true) if now == "empty" => format!("`{row}` is not where {op} left it"),
        (false, true) => format!("`{row}` is there again since {op}"),
        (false, false) => {
            format!("`{column}` of `{row}` is {now} now, which is not what {op} left there")
        }
    };
    let error = Error::new(ErrorKind::Stale, format!("{what}; nothing was changed"));
    if row.is_empty() {
        return error.hint("orch log");
    }
    error.about(row).hint(format!("orch show {}", shell_word(row)))
}

fn gone(entry: &Entry, row: &str) -> Error {
    stale(entry, &Clash { row: row.to_owned(), column: String::new(), now: String::new() })
}

/// One file that an operation changed.
struct Side<'t> {
    name: &'t str,
    path: PathBuf,
    text: &'t str,
}

/// The texts after an operation is taken back.
pub(super) fn apply(asked: Asked<'_>, entry: &Entry, plan: &Plan) -> Result<Rendered> {
    let Asked { ctx, snapshot, .. } = asked;
    let rows = plan.rows.iter().map(|change| change.file.as_str());
    let files: BTreeSet<&str> =
        rows.chain(plan.texts.iter().map(|change| change.file.as_str())).collect();
    let (tasks, approvals) = (ctx.layout.tasks(), ctx.layout.approvals());
    let mut rendered = Rendered::default();
    for name in files {
        let side = |path: PathBuf, text| Side { name, path, text };
        if name == ctx.layout.display(&tasks) {
            let side = side(tasks.clone(), snapshot.tasks.grid().text());
            rendered.tasks = Some(back(asked, entry, plan, &side)?);
        } else if name == ctx.layout.display(&approvals) {
            let side = side(approvals.clone(), snapshot.approvals.grid().text());
            let new = back(asked, entry, plan, &side)?;
            rendered.approvals = Some(new).filter(|new| new != side.text);
        } else if let Some(year) = archive_year(ctx, name) {
            let text = snapshot.archives()?.get(&year).map_or("", String::as_str);
            let side = side(ctx.layout.archive_tasks(year), text);
            let new = back(asked, entry, plan, &side)?;
            if new != side.text {
                rendered.archives.insert(year, new);
            }
        }
    }
    if let Some(text) = rendered.tasks.take() {
        let text = settle(asked, plan, text)?;
        counted(asked, entry, plan, &text)?;
        rendered.tasks = Some(text).filter(|text| text != snapshot.tasks.grid().text());
    }
    Ok(rendered)
}

/// One file, as it was before the operation.
fn back(asked: Asked<'_>, entry: &Entry, plan: &Plan, side: &Side<'_>) -> Result<String> {
    if plan.whole
        && let Some(former) = former(asked, entry, side)
    {
        return Ok(former);
    }
    let of_file = |file: &str| file == side.name;
    let rows: Vec<RowChange> =
        plan.rows.iter().filter(|change| of_file(&change.file)).cloned().collect();
    let texts: Vec<TextChange> =
        plan.texts.iter().filter(|change| of_file(&change.file)).cloned().collect();
    let kind = kind_of(side.name);
    let document = Document::parse(kind, side.text);
    let lost = rows.iter().find(|change| {
        change.kind == RowChangeKind::Insert && document.find(&change.row).is_none()
    });
    if let Some(lost) = lost {
        return Err(gone(entry, &lost.row));
    }
    patch::apply(kind, side.text, &rows, &texts, Way::Back).map_err(|clash| stale(entry, &clash))
}

/// The bytes that the operation found, where nobody changed the file since. An
/// archive that it made stays, without its rows.
fn former(asked: Asked<'_>, entry: &Entry, side: &Side<'_>) -> Option<String> {
    let found = entry.sha_in.get(side.name)?.as_ref()?;
    if sha256_hex(side.text.as_bytes()) != *entry.sha_out.get(side.name)? {
        return None;
    }
    let top = repository_root(&asked.ctx.sys, &asked.ctx.layout);
    let name = diff_name(&top, &side.path);
    let text = unified::revert(entry.diff.as_deref()?, &name, side.text)?;
    (sha256_hex(text.as_bytes()) == *found).then_some(text)
}

/// Sends tasks that would return to DOING where their claim came from, empties
/// lock cells of those that leave it, and appends the note.
fn settle(asked: Asked<'_>, plan: &Plan, text: String) -> Result<String> {
    let ledger = TaskLedger::parse_any(&text, asked.snapshot.tasks.path());
    let mut operations = Vec::new();
    for turn in plan.turns.iter().filter(|turn| turn.kind != TurnKind::Goes) {
        let [row] = ledger.rows_of(&turn.id)[..] else { continue };
        let task = ledger.task(row);
        let mut draft = Draft::of(&task);
        if matches!(turn.kind, TurnKind::Move | TurnKind::Release | TurnKind::Comes) {
            if task.known_state() == Some(State::Doing) {
                draft.set(TaskField::State, Some(turn.origin.as_str().to_owned()));
            }
            draft.unlock(&task);
        }
        if let Some(note) = asked.note {
            draft.note(note);
        }
        let cells = draft.into_cells();
        if !cells.is_empty() {
            operations.push(Operation::SetTask { id: turn.id.clone(), cells });
        }
    }
    if operations.is_empty() {
        drop(ledger);
        return Ok(text);
    }
    let documents = Documents {
        flags: "",
        tasks: &ledger,
        approvals: &asked.snapshot.approvals,
        archives: &BTreeMap::new(),
    };
    let spelled = render::render(&documents, &operations)?.tasks;
    drop(ledger);
    Ok(spelled.unwrap_or(text))
}

/// Makes sure that rows came and went as they should have, and no other did.
fn counted(asked: Asked<'_>, entry: &Entry, plan: &Plan, text: &str) -> Result<()> {
    let before = asked.snapshot.tasks.grid().rows.len();
    let after = TaskLedger::parse_any(text, asked.snapshot.tasks.path()).grid().rows.len();
    let of_ledger = |change: &&RowChange| archive_year(asked.ctx, &change.file).is_none();
    let count = |kind| {
        let rows = plan.rows.iter().filter(of_ledger).filter(|c| kind_of(&c.file) == Kind::Tasks);
        rows.filter(|change| change.kind == kind).count()
    };
    let (came, went) = (count(RowChangeKind::Remove), count(RowChangeKind::Insert));
    if !plan.texts.is_empty() || before + came == after + went {
        return Ok(());
    }
    Err(stale(entry, &Clash { row: String::new(), column: String::new(), now: String::new() }))
}

/// What happens to a task's lease mirror.
pub(super) fn mirror(asked: Asked<'_>, journal: &Journal, turn: &Turn) -> Option<MirrorChange> {
    let Asked { ctx, snapshot, .. } = asked;
    let TurnKind::Restore { token, owner } = &turn.kind else {
        let held = snapshot.tasks.rows_of(&turn.id).first().is_some_and(|row| {
            let task = snapshot.tasks.task(*row);
            task.known_state() == Some(State::Doing)
        });
        let ends = held && !matches!(turn.kind, TurnKind::Cells(_));
        return ends.then(|| MirrorChange::Remove(turn.id.clone()));
    };
    let there = mirror::read(&ctx.sys, &ctx.layout, &turn.id);
    let is_it = there.is_some_and(|mirror| Some(mirror.token) == *token);
    let token = token.filter(|_| !is_it)?;
    let claim = journal.of_row(&ctx.layout.display(&ctx.layout.tasks()), &turn.id);
    let claim = claim.into_iter().rev().find(|(entry, _)| entry.token == Some(token));
    let since = claim.as_ref().and_then(|(entry, _)| Timestamp::parse_millis(&entry.ts));
    Some(MirrorChange::Write(LeaseMirror {
        owner: owner.clone(),
        task_id: turn.id.clone(),
        ts_acquired: since.unwrap_or(asked.now).whole_seconds().to_string(),
        ttl_sec: ctx.settings.leases.ttl.as_secs(),
        status: "active".to_owned(),
        token,
        host: claim.as_ref().map_or_else(String::new, |(entry, _)| entry.host.clone()),
        pid: claim.as_ref().map_or(0, |(entry, _)| entry.pid),
    }))
}
