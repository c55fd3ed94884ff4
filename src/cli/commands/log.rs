//! `orch log`

use crate::answer::log::shape;
use crate::cli::answer::{Cx, End};
use crate::cli::args::Format;
use crate::cli::render::csv::Rows;
use crate::cli::render::markdown;
use crate::cli::render::operation;
use crate::cli::render::style::Style;
use crate::cli::render::table::{Cell, Column, Table};
use crate::error::{Error, Result};
use crate::git::commits::{self, Commit};
use crate::services::context::Mode;
use crate::services::log::{Blame, Found, Log, Origin, Subject};
use crate::store::entry::Entry;
use crate::store::journal::{Journal, read};
use crate::store::snapshot::{Files, Snapshot, Want};
use crate::wire::log as wire;
use clap::Args;
use std::borrow::Cow;
use std::collections::HashMap;

/// Arguments of `orch log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Only operations about this task or approval; or the id of one operation,
    /// which is then shown with its diff
    id: Option<String>,
    /// At most this many (0: all)
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
    /// Who set each cell of the task or approval last, and when
    #[arg(long)]
    blame: bool,
    /// The git commit that first carried each operation; empty for what is not
    /// committed yet
    #[arg(long, conflicts_with = "blame")]
    commits: bool,
}

pub(super) fn run(cx: &mut Cx<'_>, args: LogArgs) -> End {
    let mut ctx = cx.context(Mode::Read)?;
    let journal = Journal::read(cx.sys, &ctx.layout)?;
    let log = Log::of(&journal);
    // The past can be read where the present cannot.
    let files = Files::read(cx.sys, &ctx.layout, Want::All)?;
    cx.look(&mut ctx, &files)?;
    let snapshot = Snapshot::parse(cx.sys, &ctx.layout, &files);
    let subject = log.subject(snapshot.as_ref(), args.id.as_deref())?;
    let found = log.find(&subject, args.limit);
    let blame = match (&subject, args.blame) {
        (_, false) => None,
        (Subject::Row(id), true) => Some(log.blame(&snapshot?, id)?),
        _ => {
            return Err(Error::usage("`--blame` is about one task or approval; name it")
                .hint("orch log --help"));
        }
    };
    let commits = if args.commits { Some(commits::first(cx.sys, &ctx.layout)?) } else { None };
    let told = Told { log: &log, subject: &subject, found: &found, commits: commits.as_ref() };
    let mut warnings = ctx.warnings.clone();
    let mut next = Vec::new();
    let damaged = journal.damaged();
    if damaged > 0 {
        let warning = crate::answer::log::damage(damaged);
        cx.ui.warning(&warning);
        warnings.push(warning);
        next.push(cx.command("audit verify", None));
    }
    write(cx, &told, blame.as_deref(), &warnings, &next)?;
    if found.lines.len() < found.total && blame.is_none() {
        let (shown, total) = (found.lines.len(), found.total);
        cx.ui.note(&format!("{shown} of {total} operations; `--limit 0` shows all"));
    }
    cx.next_for_people(&next);
    Ok(None)
}

/// What is told, and of which commits.
struct Told<'t, 'j> {
    log: &'t Log<'j>,
    subject: &'t Subject,
    found: &'t Found<'j>,
    /// `--commits`
    commits: Option<&'t HashMap<String, Commit>>,
}

impl Told<'_, '_> {
    fn commit(&self, entry: &Entry) -> Option<&Commit> {
        self.commits?.get(&entry.hash)
    }

    /// The shape of an operation, with its commit where that was asked for.
    fn shape(&self, entry: Entry) -> wire::Operation {
        let commit = self.commits.map(|_| self.commit(&entry).map(|commit| commit.id.clone()));
        wire::Operation { commit, ..shape(entry) }
    }

    /// Names of columns, or cells of a row, with a commit at the place after the
    /// operation's id where that was asked for.
    fn with<T>(&self, cells: impl IntoIterator<Item = T>, commit: T) -> Vec<T> {
        let mut cells: Vec<T> = cells.into_iter().collect();
        if self.commits.is_some() {
            cells.insert(2, commit);
        }
        cells
    }
}

fn write(
    cx: &mut Cx<'_>,
    told: &Told<'_, '_>,
    blame: Option<&[Blame]>,
    warnings: &[String],
    next: &[String],
) -> Result<()> {
    let Told { log, subject, found, .. } = told;
    let blame: Option<Vec<wire::CellOrigin>> = blame.map(|b| b.iter().map(origin).collect());
    if cx.global.format() == Format::Json {
        let get = |n: usize| told.shape(read(found.lines[n]));
        let list = wire::LogList {
            get: &get,
            returned: found.lines.len(),
            total: found.total,
            blame: blame.as_deref(),
        };
        return cx.json("journal.log", &list, warnings, next);
    }
    if let Some(blame) = &blame {
        return write_blame(cx, log, blame);
    }
    let full = |id: &str| id.to_owned();
    let entries = found.lines.iter().map(|line| read(*line));
    match (cx.global.format(), subject) {
        (Format::Jsonl, _) => {
            let _ = cx.ui.emit(|out, _| {
                for entry in entries {
                    serde_json::to_writer(&mut *out, &told.shape(entry))?;
                    out.write_all(b"\n")?;
                }
                Ok(())
            })?;
        }
        (Format::Csv, _) => {
            let names =
                ["seq", "id", "ts", "actor", "command", "via", "task", "appr", "token", "changes"];
            let names = told.with(names, "commit");
            let audience = cx.audience();
            let _ = cx.ui.emit(|out, _| {
                let mut csv = Rows::new(out, &names, audience)?;
                for e in entries {
                    let commit = told.commit(&e).map(|commit| commit.id.clone());
                    let changes = operation::what(&e, &full);
                    let token = e.token.map(|token| token.to_string());
                    let cells = [
                        Some(e.seq.to_string()),
                        Some(e.id),
                        Some(e.ts),
                        Some(e.actor),
                        Some(e.command),
                        e.via,
                        e.task,
                        e.appr,
                        token,
                        Some(changes),
                    ];
                    let cells = told.with(cells, commit).into_iter();
                    csv.row(cells.map(|cell| Cow::Owned(cell.unwrap_or_default())))?;
                }
                csv.finish()
            })?;
        }
        (Format::Md, _) => {
            let names = ["time", "op", "actor", "command", "id", "changes"];
            let names = told.with(names, "commit");
            let rows = entries.map(|entry| {
                let commit = told.commit(&entry).map(|commit| commit.short.clone());
                let cells = told.with(line(&entry, &full), commit.unwrap_or_default());
                cells.into_iter().map(Cow::Owned)
            });
            let _ = cx.ui.emit(|out, _| markdown::write(out, &names, rows))?;
        }
        (Format::Table | Format::Json, Subject::Operation(entry)) => one(cx, told, entry)?,
        (Format::Table | Format::Json, _) => {
            let short = |id: &str| log.short(id).to_owned();
            let columns = [
                Column::new("time"),
                Column::new("op").style(Style::Yellow),
                Column::new("actor"),
                Column::new("command"),
                Column::new("id").flexible(),
                Column::new("changes").flexible(),
            ];
            let commit = Column::new("commit").style(Style::Yellow);
            let mut table = Table::new(told.with(columns, commit));
            for entry in entries {
                let commit = told.commit(&entry).map(|commit| commit.short.clone());
                table.row(told.with(line(&entry, &short), commit.unwrap_or_default()));
            }
            let _ = cx.ui.table(&table)?;
        }
    }
    Ok(())
}

/// One operation in one line.
fn line(entry: &Entry, short: operation::Short<'_>) -> [String; 6] {
    [
        operation::time(entry),
        short(&entry.id),
        entry.actor.clone(),
        operation::command(entry),
        operation::rows(entry),
        operation::what(entry, short),
    ]
}

/// One operation and its diff, for people.
fn one(cx: &mut Cx<'_>, told: &Told<'_, '_>, entry: &Entry) -> Result<()> {
    let short = |id: &str| told.log.short(id).to_owned();
    let mut lines: Vec<(&str, String)> = vec![
        ("operation", entry.id.clone()),
        ("seq", entry.seq.to_string()),
        ("time", entry.ts.clone()),
        ("actor", entry.actor.clone()),
        ("process", format!("{} on {}", entry.pid, entry.host)),
        ("command", operation::command(entry)),
        ("about", operation::rows(entry)),
        ("token", entry.token.map(|token| token.to_string()).unwrap_or_default()),
        ("key", entry.op_id.clone().unwrap_or_default()),
        ("commit", told.commit(entry).map(|commit| commit.id.clone()).unwrap_or_default()),
    ];
    for change in &entry.changes {
        for cell in operation::cells(entry, change) {
            lines.push(("changed", format!("{} {cell}", change.row)));
        }
    }
    lines.extend(operation::rest(entry, &short).into_iter().map(|part| ("also", part)));
    lines.extend(entry.parents.iter().map(|hash| ("parent", hash.clone())));
    lines.push(("hash", entry.hash.clone()));
    for (label, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = cx.ui.line(&format!("{:11}{value}", format!("{label}:")))?;
    }
    if let Some(diff) = entry.diff.as_deref().filter(|diff| !diff.is_empty()) {
        let _ = cx.ui.lines("\n")?;
        let _ = cx.ui.diff(diff)?;
    }
    Ok(())
}

fn write_blame(cx: &mut Cx<'_>, log: &Log<'_>, blame: &[wire::CellOrigin]) -> Result<()> {
    let names = ["column", "value", "actor", "ts", "command", "op"];
    let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
    let row = |b: &wire::CellOrigin| {
        [
            b.column.clone(),
            text(&b.value),
            text(&b.actor),
            text(&b.ts),
            text(&b.command),
            text(&b.op),
        ]
    };
    match cx.global.format() {
        Format::Jsonl => {
            let _ = cx.ui.emit(|out, _| {
                for cell in blame {
                    serde_json::to_writer(&mut *out, cell)?;
                    out.write_all(b"\n")?;
                }
                Ok(())
            })?;
        }
        Format::Csv => {
            let audience = cx.audience();
            let _ = cx.ui.emit(|out, _| {
                let mut csv = Rows::new(out, &names, audience)?;
                for cell in blame {
                    csv.row(row(cell).map(Cow::Owned))?;
                }
                csv.finish()
            })?;
        }
        Format::Md => {
            let rows = blame.iter().map(|cell| row(cell).map(Cow::Owned));
            let _ = cx.ui.emit(|out, _| markdown::write(out, &names, rows))?;
        }
        Format::Table | Format::Json => {
            let mut table = Table::new(vec![
                Column::new("column"),
                Column::new("value").flexible(),
                Column::new("actor"),
                Column::new("time"),
                Column::new("command"),
                Column::new("op").style(Style::Yellow),
            ]);
            for cell in blame {
                let time = cell.ts.clone().map(|ts| Entry { ts, ..Entry::default() });
                table.row([
                    Cell::from(cell.column.clone()),
                    text(&cell.value).into(),
                    text(&cell.actor).into(),
                    time.map(|entry| operation::time(&entry)).unwrap_or_default().into(),
                    cell.command.clone().unwrap_or_else(|| "not journalled".to_owned()).into(),
                    cell.op
                        .as_deref()
                        .map(|id| log.short(id))
                        .unwrap_or_default()
                        .to_owned()
                        .into(),
                ]);
            }
            let _ = cx.ui.table(&table)?;
        }
    }
    Ok(())
}

fn origin(blame: &Blame) -> wire::CellOrigin {
    let (entry, actor) = match &blame.origin {
        Origin::Operation(entry) => (Some(entry), Some(entry.actor.clone())),
        // Whoever used `orch` first did not set what stood there.
        Origin::Found(entry) => (Some(entry), None),
        Origin::NotJournalled => (None, None),
    };
    wire::CellOrigin {
        column: blame.column.clone(),
        value: blame.value.clone(),
        actor,
        ts: entry.map(|entry| entry.ts.clone()),
        command: entry.map(|entry| operation::command(entry)),
        op: entry.map(|entry| entry.id.clone()),
    }
}
