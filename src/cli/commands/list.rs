//! `orch list`

use crate::cli::answer::{Cx, End};
use crate::cli::args::Format;
use crate::cli::render::csv::Rows;
use crate::cli::render::markdown;
use crate::cli::render::style::Style;
use crate::cli::render::table::{Cell, Column, Table};
use crate::error::{Error, Result};
use crate::ledger::tasks::TaskLedger;
use crate::ledger::{schema, source};
use crate::model::field::TaskField;
use crate::model::time::Timestamp;
use crate::services::context::Mode;
use crate::services::list::{self, Found, Request};
use crate::store::snapshot::{Files, Want};
use crate::wire::line;
use crate::wire::list::{Field, TaskList, TaskRow};
use crate::wire::task::Task;
use clap::Args;

/// Arguments of `orch list`.
#[derive(Debug, Args)]
pub struct ListArgs {
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
    /// At most this many (0: all)
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
    /// Only these fields (`task_id,state,title`)
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    fields: Option<Vec<String>>,
}

pub(super) fn run(cx: &mut Cx<'_>, args: ListArgs) -> End {
    let mut ctx = cx.context(Mode::Read)?;
    let files = Files::read(cx.sys, &ctx.layout, Want::Tasks)?;
    cx.look(&mut ctx, &files)?;
    let path = ctx.layout.display(&ctx.layout.tasks());
    let ledger = TaskLedger::parse(source::text(&files.tasks.bytes, &path)?, &path)?;
    let request = Request {
        states: args.state,
        owner: args.owner,
        search: args.search,
        overdue: args.overdue,
        sort: args.sort,
        limit: args.limit,
    };
    let found = list::find(&ctx, &ledger, &request, Timestamp(cx.sys.clock.now_ms()))?;
    let fields = args.fields.map(|names| fields(&ledger, &names)).transpose()?;
    write(cx, &ledger, &found, fields.as_deref(), &ctx.warnings)?;
    if found.rows.len() < found.total {
        cx.ui.note(&format!(
            "{} of {} tasks; `--limit 0` shows all",
            found.rows.len(),
            found.total
        ));
    }
    Ok(None)
}

/// The fields that a person named.
fn fields(ledger: &TaskLedger<'_>, names: &[String]) -> Result<Vec<Field>> {
    names
        .iter()
        .map(|name| {
            if schema::same(name, "priority") {
                return Ok(Field::Priority);
            }
            if schema::same(name, "depends") {
                return Ok(Field::Depends);
            }
            if let Some(field) = schema::task_field(name) {
                return Ok(Field::Known(field));
            }
            let extra = ledger.extra_names().into_iter().find(|n| schema::same(n, name));
            extra
                .map(|n| Field::Extra(n.to_owned()))
                .ok_or_else(|| Error::usage(format!("no field `{name}`")).hint("orch list --help"))
        })
        .collect()
}

fn write(
    cx: &mut Cx<'_>,
    ledger: &TaskLedger<'_>,
    found: &Found,
    fields: Option<&[Field]>,
    warnings: &[String],
) -> Result<()> {
    match cx.global.format() {
        Format::Json => {
            let get = |n: usize| ledger.task(found.rows[n]);
            let list =
                TaskList { get: &get, returned: found.rows.len(), total: found.total, fields };
            let next = cx.caller().typed("next");
            return cx.json("task.list", &list, warnings, &[next]);
        }
        Format::Jsonl => {
            let mut line = Vec::new();
            let _ = cx.ui.emit(|out, _| {
                for row in &found.rows {
                    let task = ledger.task(*row);
                    let task = Task::of(&task);
                    line.clear();
                    if fields.is_none() {
                        line::write(&task, &mut line);
                    } else {
                        serde_json::to_writer(&mut line, &TaskRow { task, fields })?;
                        line.push(b'\n');
                    }
                    out.write_all(&line)?;
                }
                Ok(())
            })?;
        }
        Format::Csv => {
            let all = all_fields(ledger);
            let fields = fields.unwrap_or(&all);
            let names: Vec<&str> = fields.iter().map(Field::name).collect();
            let audience = cx.audience();
            let _ = cx.ui.emit(|out, _| {
                let mut csv = Rows::new(out, &names, audience)?;
                for row in &found.rows {
                    let task = ledger.task(*row);
                    let task = Task::of(&task);
                    csv.row(fields.iter().map(|f| f.text(&task).unwrap_or_default()))?;
                }
                csv.finish()
            })?;
        }
        Format::Md => {
            let few = few_fields();
            let fields = fields.unwrap_or(&few);
            let names: Vec<&str> = fields.iter().map(Field::name).collect();
            let rows: Vec<Vec<std::borrow::Cow<'_, str>>> = found
                .rows
                .iter()
                .map(|row| {
                    let task = ledger.task(*row);
                    let task = Task::of(&task);
                    let text = |f: &Field| f.text(&task).unwrap_or_default().into_owned().into();
                    fields.iter().map(text).collect()
                })
                .collect();
            let _ = cx.ui.emit(|out, _| markdown::write(out, &names, rows))?;
        }
        Format::Table => {
            let mut few = few_fields();
            if cx.ui.options().width.is_some() {
                // On a terminal a column without a value only takes room.
                few.retain(|f| {
                    let has = |row| f.text(&Task::of(&ledger.task(row))).is_some();
                    *f == Field::Known(TaskField::TaskId) || found.rows.iter().copied().any(has)
                });
            }
            table(cx, ledger, found, fields.unwrap_or(&few))?;
        }
    }
    Ok(())
}

fn table(cx: &mut Cx<'_>, ledger: &TaskLedger<'_>, found: &Found, fields: &[Field]) -> Result<()> {
    let is_long = |f: &Field| {
        matches!(
            f,
            Field::Known(TaskField::Title | TaskField::Notes | TaskField::Artifact)
                | Field::Extra(_)
        )
    };
    let columns = fields.iter().map(|f| {
        let column = Column::new(match f {
            Field::Known(TaskField::TaskId) => "id",
            f => f.name(),
        });
        if is_long(f) { column.flexible() } else { column }
    });
    let mut table = Table::new(columns.collect());
    table.reserve(found.rows.len());
    let tasks: Vec<_> = found.rows.iter().map(|row| ledger.task(*row)).collect();
    for task in &tasks {
        let task = Task::of(task);
        table.row(fields.iter().map(|f| {
            let text = f.text(&task).unwrap_or_default();
            let style = match f {
                Field::Known(TaskField::State) => state_style(&text),
                _ => Style::Plain,
            };
            Cell::new(text).style(style)
        }));
    }
    let _ = cx.ui.table(&table)?;
    Ok(())
}

/// The colour of a state.
pub(super) fn state_style(state: &str) -> Style {
    match state {
        "READY" => Style::Green,
        "DOING" => Style::Yellow,
        "REVIEW" => Style::Cyan,
        "FIX" => Style::Magenta,
        "HOLD" => Style::Blue,
        "DONE" | "DROP" => Style::Dim,
        "PLAN" => Style::Plain,
        _ => Style::Red,
    }
}

fn few_fields() -> Vec<Field> {
    vec![
        Field::Known(TaskField::TaskId),
        Field::Known(TaskField::State),
        Field::Priority,
        Field::Known(TaskField::Owner),
        Field::Known(TaskField::Due),
        Field::Known(TaskField::Title),
    ]
}

fn all_fields(ledger: &TaskLedger<'_>) -> Vec<Field> {
    let is_word = |name: &&str| schema::same(name, "priority") || schema::same(name, "depends");
    let extra = ledger.extra_names().into_iter().filter(|name| !is_word(name));
    let extra = extra.map(|name| Field::Extra(name.to_owned()));
    TaskField::ALL
        .into_iter()
        .map(Field::Known)
        .chain([Field::Priority, Field::Depends])
        .chain(extra)
        .collect()
}
