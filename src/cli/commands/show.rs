//! `orch show`

use crate::cli::answer::{Cx, End};
use crate::cli::args::Format;
use crate::cli::render::{csv, markdown};
use crate::error::Result;
use crate::ledger::tasks::TaskLedger;
use crate::model::field::TaskField;
use crate::services::approvals::{self, list::Query};
use crate::services::context::{Context, Mode};
use crate::store::snapshot::{Files, Snapshot, Want};
use crate::wire::list::{Field, Shown};
use crate::wire::task::Task;
use clap::Args;
use std::borrow::Cow;

/// How often a task that stands nowhere is looked for.
const LOOKS: u32 = 20;

/// Arguments of `orch show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The task, archived ones included
    id: String,
}

pub(super) fn run(cx: &mut Cx<'_>, args: ShowArgs) -> End {
    let mut ctx = cx.context(Mode::Read)?;
    let mut files = Files::read(cx.sys, &ctx.layout, Want::All)?;
    cx.look(&mut ctx, &files)?;
    let mut looks = 1;
    loop {
        let snapshot = Snapshot::parse(cx.sys, &ctx.layout, &files)?;
        if let Some(shown) = find(&ctx, &snapshot, &args.id)? {
            return tell(cx, &ctx, &snapshot, &args.id, shown);
        }
        // It may have been on its way between the ledger and an archive: once
        // the ledger stands still it is nowhere.
        let again = Files::read(cx.sys, &ctx.layout, Want::All)?;
        let still = again.tasks.stat == files.tasks.stat && !again.unfinished && !files.unfinished;
        if looks == LOOKS || still {
            return Err(snapshot.tasks.find(&args.id).err().unwrap_or_else(|| {
                crate::error::Error::not_found(format!("no task `{}`", args.id))
            }));
        }
        files = again;
        looks += 1;
    }
}

/// The task, in the ledger or in an archive.
fn find(ctx: &Context, snapshot: &Snapshot<'_>, id: &str) -> Result<Option<Shown>> {
    if let [row, ..] = snapshot.tasks.rows_of(id)[..] {
        let shown = of_row(&snapshot.tasks, row);
        return Ok(Some(Shown { file: ctx.layout.display(&ctx.layout.tasks()), ..shown }));
    }
    let Some(year) = snapshot.archived(id)? else { return Ok(None) };
    let text = snapshot.archives()?.get(&year).map_or("", String::as_str);
    let path = ctx.layout.display(&ctx.layout.archive_tasks(year));
    let archive = TaskLedger::parse_any(text, &path);
    let shown = of_row(&archive, archive.find(id)?);
    Ok(Some(Shown { file: path, archived: true, ..shown }))
}

fn tell(
    cx: &mut Cx<'_>,
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    id: &str,
    mut shown: Shown,
) -> End {
    let mut warnings = ctx.warnings.clone();
    let rows = snapshot.tasks.rows_of(id);
    if rows.len() > 1 {
        let lines: Vec<String> = rows.iter().map(|r| snapshot.tasks.line(*r).to_string()).collect();
        let lines = lines.join(", ");
        let warning = format!("the id `{id}` stands in lines {lines}; this is the first");
        cx.ui.warning(&warning);
        warnings.push(warning);
    }
    shown.detail = snapshot
        .tasks
        .section(id)
        .map(|(_, body)| snapshot.tasks.grid().text()[body].trim_matches(['\r', '\n']).to_owned());
    if snapshot.approvals.of_task(id).next().is_some() {
        let now = ctx.now(snapshot.journal()?.newest());
        let query = Query { task: Some(id.to_owned()), ..Query::default() };
        let items = approvals::list::list(ctx, snapshot, &query, now)?;
        shown.approvals = items.iter().map(super::approvals::of).collect();
    }
    write(cx, &shown, &warnings)?;
    Ok(None)
}

fn of_row(ledger: &TaskLedger<'_>, row: crate::ledger::tasks::RowId) -> Shown {
    let line = ledger.line(row);
    Shown {
        task: Task::owned(&ledger.task(row)),
        detail: None,
        approvals: Vec::new(),
        file: String::new(),
        line,
        archived: false,
    }
}

fn write(cx: &mut Cx<'_>, shown: &Shown, warnings: &[String]) -> Result<()> {
    let extra = shown.task.extra.keys().map(|name| Field::Extra(name.clone().into_owned()));
    let fields: Vec<Field> = TaskField::ALL
        .into_iter()
        .map(Field::Known)
        .chain([Field::Priority, Field::Depends])
        .chain(extra)
        .collect();
    let names: Vec<&str> = fields.iter().map(Field::name).collect();
    let values = || fields.iter().map(|f| f.text(&shown.task).unwrap_or_default());
    match cx.global.format() {
        Format::Json => return cx.json("task.show", shown, warnings, &[]),
        Format::Jsonl => {
            let _ = cx.ui.emit(|out, _| {
                serde_json::to_writer(&mut *out, &shown.task)?;
                out.write_all(b"\n")
            })?;
        }
        Format::Csv => {
            let audience = cx.audience();
            let _ = cx.ui.emit(|out, _| {
                let mut csv = csv::Rows::new(out, &names, audience)?;
                csv.row(values())?;
                csv.finish()
            })?;
        }
        Format::Md => {
            let row: Vec<Cow<'_, str>> = values().collect();
            let _ = cx.ui.emit(|out, _| markdown::write(out, &names, [row]))?;
        }
        Format::Table => for_people(cx, shown, &fields)?,
    }
    Ok(())
}

fn for_people(cx: &mut Cx<'_>, shown: &Shown, fields: &[Field]) -> Result<()> {
    let width =
        fields.iter().map(|f| crate::cli::render::width::width(f.name())).max().unwrap_or(0);
    let label = |name: &str| {
        let pad = width.saturating_sub(crate::cli::render::width::width(name));
        format!("{name}:{} ", " ".repeat(pad))
    };
    for field in fields {
        let Some(value) = field.text(&shown.task) else { continue };
        let value = value.replace("<br>", &format!("\n{}", " ".repeat(width + 2)));
        let _ = cx.ui.lines(&format!("{}{value}", label(field.name())))?;
    }
    let place = format!("{}:{}", shown.file, shown.line);
    let _ = cx.ui.line(&format!("{}{place}", label("file")))?;
    for approval in &shown.approvals {
        let text = |t: &Option<String>| t.as_deref().unwrap_or("-").to_owned();
        let _ = cx.ui.line(&format!(
            "{}{} {} {} (by {}, decided by {})",
            label("approval"),
            approval.appr_id,
            text(&approval.status),
            text(&approval.op),
            text(&approval.requested_by),
            text(&approval.approver),
        ))?;
    }
    if let Some(detail) = &shown.detail {
        let _ = cx.ui.lines(&format!("\n{detail}"))?;
    }
    Ok(())
}
