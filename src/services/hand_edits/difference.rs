//! What differs from the newest operation, file by file, and what of it took
//! acknowledged changes back.

use crate::error::Result;
use crate::ledger::change::{RowChange, RowChangeKind, TextChange};
use crate::ledger::compare::{self, value};
use crate::ledger::document::Document;
use crate::ledger::unified::unified;
use crate::services::context::Context;
use crate::store::discover::repository_root;
use crate::store::entry::TakenBack;
use crate::store::journal::Journal;
use crate::store::past::Lineage;
use crate::store::prepare::diff_name;
use crate::store::seen::{SeenFile, former, kind_of};
use crate::store::snapshot::Snapshot;

/// What differs in one file.
pub(super) struct Difference {
    pub rows: Vec<RowChange>,
    pub texts: Vec<TextChange>,
    pub diff: String,
    pub is_ledger: bool,
}

pub(super) fn difference(
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
    let (mut rows, mut texts) = if let Some(was) = &was {
        let before = Document::parse(kind, was);
        let rows = compare::rows(&before, &after, &file.name);
        (rows, compare::texts(&before, &after, &file.name, false))
    } else {
        let mut rows = journalled(journal, &after, &file.name);
        if !journal.is_chain() && !rows.is_empty() {
            without_other_branches(journal, &mut rows);
        }
        (rows, Vec::new())
    };
    let merged = journal.lines_beyond(&heads(ctx));
    if !merged.is_empty() {
        rows.retain_mut(|change| {
            let lines = || merged.iter().flat_map(|entry| &entry.changes);
            let lines = || lines().filter(|l| l.file == change.file && l.row == change.row);
            change.cells.retain(|column, (before, after)| {
                let came = || lines().filter_map(|line| Some(&line.cells.get(column)?.1));
                let is_whole = came().any(|to| value(to) == value(after));
                let is_joined = column == NOTES && joined(before, after, came());
                !(is_whole || is_joined)
            });
            !change.cells.is_empty()
        });
        let known = |change: &TextChange| {
            merged.iter().flat_map(|entry| &entry.texts).any(|line| {
                line.file == change.file
                    && (&line.before, &line.after) == (&change.before, &change.after)
            })
        };
        texts.retain(|change| !known(change));
    }
    Ok(Difference { rows, texts, diff, is_ledger })
}

/// Leaves out cells that have what one of two branches wrote, where the other
/// one's newer line was written without knowing of it: a merge chose.
fn without_other_branches(journal: &Journal, rows: &mut Vec<RowChange>) {
    let lineage = Lineage::of(journal);
    rows.retain_mut(|change| {
        let past = journal.of_row(&change.file, &change.row);
        change.cells.retain(|column, (was, is)| {
            let wrote = |what: &str| {
                let lines = past.iter().filter(|(_, line)| {
                    line.cells.get(column).is_some_and(|(_, to)| value(to) == value(what))
                });
                lines.map(|(entry, _)| entry.id.clone()).collect::<Vec<_>>()
            };
            let newest = wrote(was).pop().unwrap_or_default();
            let chosen = wrote(is).iter().any(|id| !lineage.follows(&newest, id));
            let came = past.iter().filter_map(|(_, line)| Some(&line.cells.get(column)?.1));
            let is_joined = column == NOTES && joined(was, is, came);
            !(chosen || is_joined)
        });
        !change.cells.is_empty()
    });
}

/// What notes are called in the journal, and what stands between two.
const NOTES: &str = "notes";
const BETWEEN: char = '・';

/// Whether notes are nothing but what stood there and what came, each part whole:
/// what two branches append is merged one behind the other.
fn joined<'c>(before: &str, after: &str, mut came: impl Iterator<Item = &'c String>) -> bool {
    let parts = |cell: &'c str| value(cell).split(BETWEEN).collect::<Vec<_>>();
    let ours: Vec<&str> = value(before).split(BETWEEN).collect();
    let now: Vec<&str> = value(after).split(BETWEEN).collect();
    let theirs: Vec<&str> = came.by_ref().flat_map(|cell| parts(cell)).collect();
    let is_kept = ours.iter().all(|part| part.is_empty() || now.contains(part));
    is_kept && now.iter().all(|part| ours.contains(part) || theirs.contains(part))
}

pub(super) fn heads(ctx: &Context) -> Vec<String> {
    let heads = ctx.checkpoint.iter().flat_map(|c| &c.heads);
    heads.map(|(_, hash)| hash.clone()).collect()
}

/// Rows whose newest journalled cells are not what stands there.
pub(super) fn journalled(journal: &Journal, after: &Document<'_>, file: &str) -> Vec<RowChange> {
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

/// Acknowledged changes of a row that an edit set back.
pub(super) fn taken_back(journal: &Journal, change: &RowChange) -> Vec<TakenBack> {
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

/// Whether git moved the files: its log of HEAD has an entry newer than the
/// journal's newest line.
pub(super) fn via_git(ctx: &Context, journal: &Journal) -> bool {
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

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn notes_of_two_branches_are_what_both_wrote() {
        let came = ["a・b".to_owned(), "a・b・c".to_owned()];
        let is = |before, after| joined(before, after, came.iter());
        assert!(is("a・m", "a・m・b・c") && is("a・m", " a・b・c・m ") && is("-", "a・b"));
        assert!(!is("a・m", "a・b・c"), "ours is gone");
        assert!(!is("a・m", "a・m・b・x"), "x is nobody's");
        assert!(!is("a・m", "a・m・bc"));
    }
}
