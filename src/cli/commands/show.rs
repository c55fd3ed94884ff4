//! `orch show`

use crate::answer::{self, Reply};
use crate::cli::answer::{Cx, End};
use crate::cli::args::Format;
use crate::cli::render::{brief, csv, markdown};
use crate::error::Result;
use crate::model::field::TaskField;
use crate::wire::list::{Field, Shown};
use clap::Args;
use std::borrow::Cow;

/// Arguments of `orch show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The task, archived ones included
    id: String,
}

pub(super) fn run(cx: &mut Cx<'_>, args: ShowArgs) -> End {
    let reply = answer::show::run(&cx.caller(), &args.id)?;
    for warning in &reply.warnings {
        cx.ui.warning(warning);
    }
    write(cx, &reply)?;
    cx.next_for_people(&reply.next);
    Ok(None)
}

fn write(cx: &mut Cx<'_>, reply: &Reply<Shown>) -> Result<()> {
    let shown = &reply.data;
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
        Format::Json => return cx.json(reply.kind, shown, &reply.warnings, &reply.next),
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
    let mut text = String::new();
    for field in fields {
        let Some(value) = field.text(&shown.task) else { continue };
        let value = value.replace("<br>", &format!("\n{}", " ".repeat(width + 2)));
        text.push_str(&format!("{}{value}\n", label(field.name())));
    }
    let place = format!("{}:{}", shown.file, shown.line);
    text.push_str(&format!("{}{place}\n", label("file")));
    for approval in &shown.approvals {
        let cell = |t: &Option<String>| t.as_deref().unwrap_or("-").to_owned();
        text.push_str(&format!(
            "{}{} {} {} (by {}, decided by {})\n",
            label("approval"),
            approval.appr_id,
            cell(&approval.status),
            cell(&approval.op),
            cell(&approval.requested_by),
            cell(&approval.approver),
        ));
    }
    if let Some(detail) = shown.detail.as_ref().filter(|detail| !detail.is_empty()) {
        text.push_str(&format!("\n{detail}\n"));
    }
    brief::fenced(cx, &place, &text.replace("\r\n", "\n"))?;
    Ok(())
}
