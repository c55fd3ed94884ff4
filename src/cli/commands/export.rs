//! `orch export`

use crate::cli::answer::{Cx, End};
use crate::cli::commands::next::Reader;
use crate::cli::render::safe::SafeLines;
use crate::error::{Error, Result};
use crate::ledger::schema;
use crate::model::field::{ApprovalField, TaskField};
use crate::model::time::Timestamp;
use crate::services::exchange::export::{self, Archives, Card};
use crate::services::exchange::file::{self, Standing};
use crate::services::exchange::ics::{self, Calendar};
use crate::services::exchange::{checkbox, csv, todo_txt};
use crate::services::list::Request;
use crate::store::snapshot::Snapshot;
use crate::wire::approval::Approval;
use crate::wire::exchange::Exported;
use crate::wire::list::Field;
use crate::wire::task::Task;
use clap::{Args, ValueEnum};
use std::borrow::Cow;

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ToFormat {
    /// For spreadsheets: RFC 4180, with formulas disarmed
    Csv,
    /// One JSON object a line, with everything that a task has
    Jsonl,
    /// A line a task, as todo.txt has them
    #[value(name = "todo.txt", aliases = ["todotxt", "todo"])]
    TodoTxt,
    /// A Markdown task list, as GitHub shows them
    #[value(alias = "md")]
    Checkbox,
    /// A calendar's to-dos (RFC 5545)
    Ics,
}

/// Arguments of `orch export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which format
    #[arg(value_name = "FORMAT")]
    format_name: ToFormat,
    /// Only tasks in these states (READY,FIX)
    #[arg(long, value_delimiter = ',')]
    state: Vec<String>,
    /// Only tasks of this owner (`-`: of nobody)
    #[arg(long, value_name = "ACTOR")]
    owner: Option<String>,
    /// Only tasks with this text in any cell
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only open tasks past their due date
    #[arg(long)]
    overdue: bool,
    /// Sort by a field; `-due` sorts backwards; empty cells come last
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Archived tasks too, before the others
    #[arg(long)]
    archived: bool,
    /// The approvals instead of the tasks (csv, jsonl)
    #[arg(long, conflicts_with_all = ["state", "owner", "search", "overdue", "sort", "archived"])]
    approvals: bool,
    /// ics: tasks with a due date as events of that day, for calendars without to-dos
    #[arg(long)]
    events: bool,
    /// ics: the calendar's name, a part of each entry's UID; else the folder's name
    #[arg(long, value_name = "NAME")]
    calendar: Option<String>,
    /// Write this file, not stdout (`-`)
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    force: bool,
}

pub(super) fn run(cx: &mut Cx<'_>, args: ExportArgs) -> End {
    let is_ics = args.format_name == ToFormat::Ics;
    if !is_ics && (args.events || args.calendar.is_some()) {
        return Err(Error::usage("`--events` and `--calendar` are for `ics`"));
    }
    let reader = Reader::open(cx)?;
    let snapshot = reader.snapshot(cx)?;
    let now = Timestamp(cx.sys.clock.now_ms());
    let (text, what) = if args.approvals {
        approvals(&snapshot, args.format_name)?
    } else {
        tasks(cx, &reader, &snapshot, &args, now)?
    };
    let Some(path) = args.output.as_ref().filter(|path| *path != "-") else {
        let shown = cx.sys.env.stdout_is_terminal();
        let _ = cx.ui.emit(|out, _| {
            if shown { write!(out, "{}", SafeLines(&text)) } else { out.write_all(text.as_bytes()) }
        })?;
        return Ok(None);
    };
    let cwd = super::import::current_dir(cx)?;
    let standing = if args.force { Standing::Replace } else { Standing::Keep };
    file::write(cx.sys, &reader.ctx.layout, (&cwd, path), text.as_bytes(), standing)?;
    cx.ui.note(&format!("{what} in `{path}`"));
    Ok(None)
}

/// The text, and what it holds in words.
fn tasks(
    cx: &mut Cx<'_>,
    reader: &Reader,
    snapshot: &Snapshot<'_>,
    args: &ExportArgs,
    now: Timestamp,
) -> Result<(String, String)> {
    let ctx = &reader.ctx;
    let request = Request {
        states: args.state.clone(),
        owner: args.owner.clone(),
        search: args.search.clone(),
        overdue: args.overdue,
        sort: args.sort.clone(),
        limit: 0,
    };
    let archives = if args.archived { Archives::of(ctx, snapshot)? } else { Archives::default() };
    let with_times = matches!(args.format_name, ToFormat::TodoTxt | ToFormat::Ics);
    let cards = export::gather(ctx, snapshot, &archives, &request, with_times, now)?;
    let mut text = String::new();
    match args.format_name {
        ToFormat::Csv => csv_of_tasks(&cards, &mut text),
        ToFormat::Jsonl => {
            for card in &cards {
                let task = Task::of(&card.task);
                let exported = Exported { task, detail: card.detail.as_deref().map(Cow::Borrowed) };
                text.push_str(&serde_json::to_string(&exported).unwrap_or_default());
                text.push('\n');
            }
        }
        ToFormat::TodoTxt => cards.iter().for_each(|card| todo_txt::write(card, &mut text)),
        ToFormat::Checkbox => cards.iter().for_each(|card| checkbox::write(card, &mut text)),
        ToFormat::Ics => {
            let folder = ctx.layout.root.file_name().map(|name| name.to_string_lossy());
            let name = args.calendar.as_deref().or(folder.as_deref()).unwrap_or("orch");
            text = ics::write(&Calendar { name, now, events: args.events }, &cards);
        }
    }
    let words = match args.format_name {
        ToFormat::TodoTxt => Some(("todo.txt", false)),
        ToFormat::Checkbox => Some(("a task list", true)),
        ToFormat::Csv | ToFormat::Jsonl | ToFormat::Ics => None,
    };
    if let Some((name, with_detail)) = words {
        let left_out = export::left_out(&cards, with_detail);
        if !left_out.is_empty() {
            cx.ui.note(&format!("{name} has no place for: {}", left_out.join(", ")));
        }
    }
    let tasks = if cards.len() == 1 { "task" } else { "tasks" };
    Ok((text, format!("{} {tasks}", cards.len())))
}

fn csv_of_tasks(cards: &[Card<'_>], text: &mut String) {
    let mut extra: Vec<&str> = Vec::new();
    for (name, _) in cards.iter().flat_map(|card| &card.task.extra) {
        if !name.is_empty() && !extra.contains(name) {
            extra.push(name);
        }
    }
    // A column of that name says it itself.
    let words = [Field::Priority, Field::Depends].into_iter();
    let words = words.filter(|word| !extra.iter().any(|name| schema::same(name, word.name())));
    let mut fields: Vec<Field> = TaskField::ALL.into_iter().map(Field::Known).collect();
    fields.extend(words);
    fields.extend(extra.iter().map(|name| Field::Extra((*name).to_owned())));
    let has_detail = cards.iter().any(|card| card.detail.is_some());
    let detail = |text: &str| has_detail.then(|| Cow::Owned(text.to_owned()));
    let names = fields.iter().map(|field| Cow::Borrowed(field.name()));
    csv::write(names.chain(detail("detail")), text);
    for card in cards {
        let task = Task::of(&card.task);
        let cells = fields.iter().map(|field| field.text(&task).unwrap_or_default());
        csv::write(cells.chain(detail(card.detail.as_deref().unwrap_or_default())), text);
    }
}

fn approvals(snapshot: &Snapshot<'_>, format: ToFormat) -> Result<(String, String)> {
    let ledger = &snapshot.approvals;
    let rows: Vec<_> = ledger.rows().map(|row| ledger.approval(row)).collect();
    let mut text = String::new();
    match format {
        ToFormat::Jsonl => {
            for approval in &rows {
                let line = serde_json::to_string(&Approval::of(approval)).unwrap_or_default();
                text.push_str(&line);
                text.push('\n');
            }
        }
        ToFormat::Csv => {
            let mut extra: Vec<&str> = Vec::new();
            for (name, _) in rows.iter().flat_map(|row| &row.extra) {
                if !name.is_empty() && !extra.contains(name) {
                    extra.push(name);
                }
            }
            let names = ApprovalField::ALL.map(ApprovalField::name).into_iter();
            csv::write(names.chain(extra.iter().copied()).map(Cow::Borrowed), &mut text);
            for row in ledger.rows() {
                let approval = ledger.approval(row);
                let known = ApprovalField::ALL.map(|field| ledger.cell(row, field));
                let known = known.into_iter().map(Option::unwrap_or_default);
                let others = extra.iter().map(|name| {
                    let cell = approval.extra.iter().find(|(header, _)| header == name);
                    cell.and_then(|(_, value)| value.clone()).unwrap_or_default()
                });
                csv::write(known.chain(others), &mut text);
            }
        }
        ToFormat::TodoTxt | ToFormat::Checkbox | ToFormat::Ics => {
            return Err(Error::usage("`--approvals` are written as `csv` or `jsonl`"));
        }
    }
    let approvals = if rows.len() == 1 { "approval" } else { "approvals" };
    Ok((text, format!("{} {approvals}", rows.len())))
}
