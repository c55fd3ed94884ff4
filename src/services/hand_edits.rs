//! Edits made outside `orch`: noticing them, judging them, telling of them.
//!
//! Here: what changed since the newest operation, which of it counts for
//! nothing until CMD accepts it, and which acknowledged changes it took back.
//! Not here: comparing texts (`ledger::compare`), undoing (`services::undo`).
//! Invariant: nothing of a hand edit is ever rewritten; what must not be done
//! by hand stays in the file and is not relied on.

use crate::error::{Error, Result};
use crate::ledger::change::{RowChange, RowChangeKind, TextChange};
use crate::ledger::compare::{self, value};
use crate::ledger::document::{Document, Kind};
use crate::ledger::tasks::shell_word;
use crate::ledger::unified::unified;
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::services::context::Context;
use crate::services::gates;
use crate::services::policy;
use crate::store::discover::repository_root;
use crate::store::entry::{Entry, Forbidden, TakenBack};
use crate::store::journal::Journal;
use crate::store::prepare::diff_name;
use crate::store::seen::{Seen, SeenFile, Suspended, Who, former, kind_of};
use crate::store::snapshot::{Files, Snapshot, Want};
use std::cell::OnceCell;

/// A hand edit of a decided approval.
pub const DECIDED: &str = "decided-approval";
/// An approval decided by hand.
pub const APPROVED: &str = "approved-by-hand";
/// DONE by hand against a pending or a required approval.
pub const DONE: &str = "done-by-hand";
/// A live lease taken or removed by hand.
pub const LEASE: &str = "lease-by-hand";
/// A state moved by hand where `hand_edits: review` asks CMD first.
pub const STATE: &str = "state-by-hand";
/// A setting or flag loosened by hand.
pub const POLICY: &str = "policy-by-hand";

/// What was found.
#[derive(Debug, Default)]
pub struct Noticed {
    /// The journal line of the edit, without a place in the chain.
    pub external: Vec<Entry>,
    /// Files that differ though no cell or line of theirs was edited.
    pub respelled: Vec<String>,
    /// Everything that counts for nothing, journalled before or not.
    pub standing: Vec<Suspended>,
    /// Whether any of that is accepted with the operation at hand.
    pub accepts: bool,
    /// For people: what was edited.
    pub warnings: Vec<String>,
}

/// Looks at what differs from the newest operation. `blank` is a line with an
/// id of its own.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn notice(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    seen: &Seen,
    blank: impl FnOnce() -> Entry,
    now: Timestamp,
) -> Result<Noticed> {
    let mut noticed = Noticed::default();
    let quiet = seen.checkpoint.as_ref().is_some_and(|c| c.standing == 0);
    if !quiet {
        noticed.standing = standing(ctx, snapshot)?;
    }
    if !seen.differs() {
        tell_standing(&mut noticed);
        return Ok(noticed);
    }
    let journal = snapshot.journal()?;
    let mut entry = blank();
    "external".clone_into(&mut entry.actor);
    "external".clone_into(&mut entry.command);
    let mut diff = String::new();
    let mut edited = false;
    let policy_now = journal.last_policy();
    let written = policy::spell(&ctx.written, snapshot.flags);
    for file in seen.files.iter().filter(|file| file.differs()) {
        let found = difference(ctx, snapshot, file, journal)?;
        let is_edit = if found.is_ledger {
            !found.rows.is_empty() || !found.texts.is_empty()
        } else {
            // Settings are written by hand; only what they permit is governed.
            policy_now.as_ref() != Some(&written)
        };
        if !is_edit {
            noticed.respelled.push(file.name.clone());
            continue;
        }
        edited = true;
        if found.is_ledger {
            noticed.warnings.push(tell(file, &found));
        }
        entry.sha_in.insert(file.name.clone(), file.known.as_ref().and_then(|k| k.sha.clone()));
        if let Some(sha) = &file.sha {
            entry.sha_out.insert(file.name.clone(), sha.clone());
        }
        for change in &found.rows {
            if let Some(code) = judge(ctx, snapshot, change, kind_of(&file.name), now)? {
                entry.forbidden.push(Forbidden {
                    code: code.to_owned(),
                    file: change.file.clone(),
                    row: change.row.clone(),
                });
            }
            entry.took_back.extend(taken_back(journal, change));
        }
        diff.push_str(&found.diff);
        entry.changes.extend(found.rows);
        entry.texts.extend(found.texts);
    }
    if !edited {
        tell_standing(&mut noticed);
        return Ok(noticed);
    }
    for held in &ctx.held {
        let known = noticed.standing.iter().any(|s| s.forbidden.row == held.name);
        if !known {
            entry.forbidden.push(Forbidden {
                code: POLICY.to_owned(),
                file: held.file.clone(),
                row: held.name.to_owned(),
            });
        }
    }
    let policy = policy::spell(&ctx.settings, ctx.flags_in_force(snapshot.flags));
    if policy_now.as_ref() != Some(&policy) {
        entry.policy = Some(policy);
    }
    entry.via = Some(if via_git(ctx, journal) { "git" } else { "hand" }.to_owned());
    entry.diff = Some(diff);
    let rows: std::collections::BTreeSet<&String> = entry.changes.iter().map(|c| &c.row).collect();
    if let ([one], true) = (&rows.into_iter().collect::<Vec<_>>()[..], entry.texts.is_empty()) {
        entry.task = Some((*one).clone());
    }
    for taken in &entry.took_back {
        noticed.warnings.push(tell_taken(journal, taken));
    }
    noticed.standing.extend(of_entry(&entry));
    noticed.external.push(entry);
    tell_standing(&mut noticed);
    Ok(noticed)
}

/// What a reader is told. Reads no more than the status of the files where
/// nothing changed.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn for_readers(ctx: &Context, files: &Files) -> Result<Vec<String>> {
    if files.unfinished {
        return Ok(Vec::new());
    }
    let (sys, layout) = (&ctx.sys, &ctx.layout);
    let journal = OnceCell::new();
    let read = || match journal.get() {
        Some(journal) => Ok(journal),
        None => Journal::read(sys, layout).map(|read| journal.get_or_init(|| read)),
    };
    let seen = Seen::look(sys, layout, files, ctx.checkpoint.clone(), Who::Reads, read)?;
    let standing = seen.checkpoint.as_ref().is_none_or(|c| c.standing > 0);
    if !seen.differs() && (!standing || read()?.is_empty()) {
        return Ok(Vec::new());
    }
    let all = Files::read(sys, layout, Want::All)?;
    let Ok(snapshot) = Snapshot::parse(sys, layout, &all) else {
        // Whoever needs the file says what is wrong with it.
        return Ok(Vec::new());
    };
    let now = ctx.now(snapshot.journal()?.newest());
    Ok(notice(ctx, &snapshot, &seen, Entry::default, now)?.warnings)
}

/// Everything that counts for nothing just now, journalled or not.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn now_standing(
    ctx: &Context,
    files: &Files,
    snapshot: &Snapshot<'_>,
) -> Result<Vec<Suspended>> {
    let (sys, layout) = (&ctx.sys, &ctx.layout);
    let seen =
        Seen::look(sys, layout, files, ctx.checkpoint.clone(), Who::Reads, || snapshot.journal())?;
    let now = ctx.now(snapshot.journal()?.newest());
    Ok(notice(ctx, snapshot, &seen, Entry::default, now)?.standing)
}

/// A code that is kept in a journal, as one of those known here.
pub fn code(code: &str) -> &'static str {
    let known = [DECIDED, APPROVED, DONE, LEASE, STATE];
    known.into_iter().find(|known| *known == code).unwrap_or(POLICY)
}

/// What differs in one file.
struct Difference {
    rows: Vec<RowChange>,
    texts: Vec<TextChange>,
    diff: String,
    is_ledger: bool,
}

fn difference(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    file: &SeenFile,
    journal: &Journal,
) -> Result<Difference> {
    let (sys, layout) = (&ctx.sys, &ctx.layout);
    let name = diff_name(&repository_root(sys, layout), &file.path);
    let was = former(sys, layout, file, journal)?;
    let was_there = file.known.as_ref().is_some_and(|known| known.sha.is_some());
    let is_ledger = file.path == layout.tasks() || file.path == layout.approvals();
    let own;
    let text: Option<&str> = if file.path == layout.tasks() {
        Some(snapshot.tasks.grid().text())
    } else if file.path == layout.approvals() {
        file.stat.as_ref().map(|_| snapshot.approvals.grid().text())
    } else {
        let bytes = file.bytes.clone().or_else(|| sys.fs.read(&file.path).ok());
        own = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        own.as_deref()
    };
    let old = was.as_deref().filter(|_| was_there);
    let diff = match &was {
        Some(_) => unified(&name, old, text),
        // The former text is gone with the runtime files: what is known of the
        // rows has to do.
        None => String::new(),
    };
    if !is_ledger {
        return Ok(Difference { rows: Vec::new(), texts: Vec::new(), diff, is_ledger });
    }
    let kind = kind_of(&file.name);
    let after = Document::parse(kind, text.unwrap_or_default());
    let (mut rows, texts) = match &was {
        Some(was) => {
            let before = Document::parse(kind, was);
            let rows = compare::rows(&before, &after, &file.name);
            (rows, compare::texts(&before, &after, &file.name, false))
        }
        None => (journalled(journal, &after, &file.name), Vec::new()),
    };
    let merged = journal.lines_beyond(&heads(ctx));
    if !merged.is_empty() {
        rows.retain_mut(|change| {
            change.cells.retain(|column, (_, after)| {
                !merged.iter().flat_map(|entry| &entry.changes).any(|line| {
                    line.file == change.file
                        && line.row == change.row
                        && line.cells.get(column).is_some_and(|(_, to)| value(to) == value(after))
                })
            });
            !change.cells.is_empty()
        });
    }
    Ok(Difference { rows, texts, diff, is_ledger })
}

fn heads(ctx: &Context) -> Vec<String> {
    let heads = ctx.checkpoint.iter().flat_map(|c| &c.heads);
    heads.map(|(_, hash)| hash.clone()).collect()
}

/// Rows whose newest journalled cells are not what stands there.
fn journalled(journal: &Journal, after: &Document<'_>, file: &str) -> Vec<RowChange> {
    let known = journal.newest_cells(file);
    let mut rows = Vec::new();
    for row in &after.grid().rows {
        let id = after.id(row);
        let Some(cells) = known.get(id.as_ref()) else { continue };
        let now = after.cells(row);
        let changed: std::collections::BTreeMap<_, _> = cells
            .iter()
            .filter_map(|(column, was)| {
                let is = now.get(column)?;
                (value(was) != value(is)).then(|| (column.clone(), (was.clone(), is.clone())))
            })
            .collect();
        if !changed.is_empty() {
            rows.push(RowChange {
                file: file.to_owned(),
                row: id.into_owned(),
                cells: changed,
                ..RowChange::default()
            });
        }
    }
    rows
}

/// The rule that an edit of a row breaks.
fn judge(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    change: &RowChange,
    kind: Kind,
    now: Timestamp,
) -> Result<Option<&'static str>> {
    let before = |column: &str| change.cells.get(column).map(|(before, _)| value(before));
    let after = |column: &str| change.cells.get(column).map(|(_, after)| value(after));
    if kind == Kind::Approvals {
        let is_decided = |status: &str| matches!(status, "approved" | "rejected");
        let row = snapshot.approvals.find(&change.row).ok();
        let standing = row.and_then(|row| {
            use crate::model::field::ApprovalField::Status;
            snapshot.approvals.cell(row, Status).map(std::borrow::Cow::into_owned)
        });
        let was = before("status").map(str::to_owned).or(standing);
        if change.kind != RowChangeKind::Insert && was.as_deref().is_some_and(is_decided) {
            return Ok(Some(DECIDED));
        }
        let decides = after("status").is_some_and(is_decided);
        return Ok((decides && change.kind != RowChangeKind::Remove).then_some(APPROVED));
    }
    let row = snapshot.tasks.find(&change.row).ok();
    let task = row.map(|row| snapshot.tasks.task(row));
    let was = |column: &str, now: Option<&str>| {
        before(column).or(now).filter(|v| !v.is_empty()).map(str::to_owned)
    };
    let state = was("state", task.as_ref().and_then(|t| t.state.as_deref()));
    let holder = was("lock_owner", task.as_ref().and_then(|t| t.lock_owner.as_deref()));
    let end = was("lock_expires_at", task.as_ref().and_then(|t| t.lock_expires_at.as_deref()));
    let was_live = state.as_deref() == Some("DOING")
        && holder.is_some()
        && end
            .and_then(|end| Timestamp::parse(&end))
            .is_some_and(|end| end.plus(ctx.settings.leases.grace) > now);
    let touched = ["state", "lock_owner", "lock_expires_at"].iter().any(|column| {
        let shortened = || {
            let end = |v: Option<&str>| v.and_then(Timestamp::parse);
            end(after("lock_expires_at")) < end(before("lock_expires_at"))
        };
        before(column).is_some() && (*column != "lock_expires_at" || shortened())
    });
    if was_live && change.kind != RowChangeKind::Insert && touched {
        return Ok(Some(LEASE));
    }
    if after("state") == Some("DONE") && change.kind != RowChangeKind::Remove {
        let history = snapshot.journal()?.history(&change.row);
        let of_task = snapshot.approvals.of_task(&change.row);
        if gates::approvals(&change.row, of_task, &history, &ctx.settings).is_err() {
            return Ok(Some(DONE));
        }
    }
    if ctx.settings.hand_edits == crate::services::config::HandEdits::Review
        && change.kind != RowChangeKind::Remove
        && let Some(to) = after("state")
        && !(change.kind == RowChangeKind::Insert && State::parse(to) == Some(State::Plan))
    {
        return Ok(Some(STATE));
    }
    Ok(None)
}

/// Acknowledged changes of a row that an edit set back.
fn taken_back(journal: &Journal, change: &RowChange) -> Vec<TakenBack> {
    let mut taken: Vec<TakenBack> = Vec::new();
    let mut add = |op: &str| {
        if !taken.iter().any(|t| t.op == op) {
            taken.push(TakenBack {
                file: change.file.clone(),
                row: change.row.clone(),
                op: op.to_owned(),
            });
        }
    };
    let past = journal.of_row(&change.file, &change.row);
    if change.kind == RowChangeKind::Remove {
        let made = past.iter().rev().find(|(_, c)| c.kind == RowChangeKind::Insert);
        if let Some((entry, _)) = made.filter(|(entry, _)| entry.command != "external") {
            add(&entry.id);
        }
        return taken;
    }
    for (column, (from, to)) in &change.cells {
        // Back through everything that made of the cell what the edit found.
        let mut current = value(from);
        let mut ops: Vec<&str> = Vec::new();
        for (entry, line) in past.iter().rev() {
            let Some((was, is)) = line.cells.get(column) else { continue };
            if value(is) != current || entry.command == "external" {
                break;
            }
            ops.push(&entry.id);
            current = value(was);
            if current == value(to) {
                for op in &ops {
                    add(op);
                }
                break;
            }
        }
    }
    taken
}

/// What of journalled hand edits still counts for nothing.
fn standing(ctx: &Context, snapshot: &Snapshot<'_>) -> Result<Vec<Suspended>> {
    let journal = snapshot.journal()?;
    let entries = journal.with_forbidden();
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let accepted = journal.accepted();
    let mut standing = Vec::new();
    for entry in entries {
        if journal.is_undone(&entry.id) || accepted.contains(&entry.id) {
            continue;
        }
        standing.extend(of_entry(&entry).filter(|s| !accepted.contains(&s.key())).filter(|s| {
            match s.forbidden.code.as_str() {
                POLICY => ctx.held.iter().any(|held| held.name == s.forbidden.row),
                _ => still_there(snapshot, s),
            }
        }));
    }
    Ok(standing)
}

fn of_entry(entry: &Entry) -> impl Iterator<Item = Suspended> {
    entry.forbidden.iter().map(|forbidden| {
        let is_it = |c: &&RowChange| c.file == forbidden.file && c.row == forbidden.row;
        Suspended {
            op: entry.id.clone(),
            forbidden: forbidden.clone(),
            change: entry.changes.iter().find(is_it).cloned().unwrap_or_default(),
        }
    })
}

/// Whether a cell still is what the edit made of it.
fn still_there(snapshot: &Snapshot<'_>, standing: &Suspended) -> bool {
    let kind = kind_of(&standing.forbidden.file);
    let document = match kind {
        Kind::Tasks => Document::view(kind, snapshot.tasks.grid()),
        Kind::Approvals => Document::view(kind, snapshot.approvals.grid()),
    };
    let row = document.find(&standing.forbidden.row).map(|row| &document.grid().rows[row]);
    match (row, standing.change.kind) {
        (None, kind) => kind == RowChangeKind::Remove,
        (Some(_), RowChangeKind::Remove) => false,
        (Some(row), _) => {
            let now = document.cells(row);
            let is_still = |column: &String, after: &str| {
                now.get(column).is_some_and(|now| value(now) == value(after))
            };
            let cells = &standing.change.cells;
            if kind_of(&standing.forbidden.file) == Kind::Approvals {
                return cells.iter().any(|(column, (_, after))| is_still(column, after));
            }
            // An operation that moved the task or its lease on settled it.
            let decides = ["state", "lock_owner", "lock_expires_at"];
            cells
                .iter()
                .filter(|(column, _)| decides.contains(&column.as_str()))
                .all(|(column, (_, after))| is_still(column, after))
        }
    }
}

/// The way out of a hand edit that counts for nothing.
pub fn refusal(standing: &Suspended) -> Error {
    let Forbidden { code, row, .. } = &standing.forbidden;
    Error::invalid(format!(
        "`{row}` was edited by hand in a way that counts for nothing until CMD accepts or undoes \
         it ({code}: {})",
        describe(code)
    ))
    .hint(format!("orch log {}", shell_word(row)))
}

/// What a rule says, in a few words.
pub fn describe(code: &str) -> &'static str {
    match code {
        DECIDED => "a decided approval was altered",
        APPROVED => "an approval was decided by hand",
        DONE => "DONE by hand against a pending or missing approval",
        LEASE => "a live lease was taken or removed",
        STATE => "a state was moved by hand, and `hand_edits: review` asks CMD first",
        _ => "a setting was loosened; its former value stays in force",
    }
}

fn tell_standing(noticed: &mut Noticed) {
    for standing in &noticed.standing {
        let Forbidden { code, file, row } = &standing.forbidden;
        noticed.warnings.push(format!(
            "{file}: `{row}`: {} ({code}); it counts for nothing until CMD accepts or undoes it",
            describe(code)
        ));
    }
}

fn tell(file: &SeenFile, found: &Difference) -> String {
    const SHOWN: usize = 5;
    let rows: Vec<String> = found.rows.iter().take(SHOWN).map(tell_row).collect();
    let mut text = format!("{} was edited outside orch", file.name);
    if !rows.is_empty() {
        text.push_str(": ");
        text.push_str(&rows.join("; "));
    }
    if found.rows.len() > SHOWN {
        text.push_str(&format!("; and {} more rows", found.rows.len() - SHOWN));
    }
    match found.texts.len() {
        0 => {}
        1 => text.push_str("; text outside of rows"),
        n => text.push_str(&format!("; text outside of rows in {n} places")),
    }
    text
}

/// A row's change in one line: `T-1 state READY → DONE`.
pub fn tell_row(change: &RowChange) -> String {
    let cells: Vec<String> = change
        .cells
        .iter()
        .map(|(column, (before, after))| {
            let shown =
                |v: &str| if value(v).is_empty() { "-".to_owned() } else { value(v).to_owned() };
            format!("{column} {} → {}", shown(before), shown(after))
        })
        .collect();
    match change.kind {
        RowChangeKind::Insert => format!("{} is new", change.row),
        RowChangeKind::Remove => format!("{} is gone", change.row),
        RowChangeKind::Set => format!("{} {}", change.row, cells.join(", ")),
    }
}

fn tell_taken(journal: &Journal, taken: &TakenBack) -> String {
    let who = journal.find(&taken.op).map_or_else(String::new, |entry| {
        format!("`{}` by {} (operation {}, {})", entry.command, entry.actor, entry.id, entry.ts)
    });
    format!("{}: the edit took back {} {who}", taken.file, taken.row)
}

/// Whether git moved the files: its log of HEAD has an entry newer than the
/// journal's newest line.
fn via_git(ctx: &Context, journal: &Journal) -> bool {
    let top = repository_root(&ctx.sys, &ctx.layout);
    let Some(newest) = journal.newest() else { return false };
    let text = ctx.sys.fs.read(&top.join(".git/logs/HEAD")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    // `<old> <new> <name> <<mail>> <seconds> <zone>\t<what>`
    let Some((head, what)) = text.lines().next_back().and_then(|line| line.split_once('\t')) else {
        return false;
    };
    let seconds = head.rsplit(' ').nth(1).and_then(|word| word.parse::<i64>().ok());
    let moves = ["merge", "rebase", "checkout", "pull", "reset", "cherry-pick", "revert", "am"];
    seconds.is_some_and(|at| at >= newest.0 / 1_000)
        && moves.iter().any(|verb| what.starts_with(verb))
}
