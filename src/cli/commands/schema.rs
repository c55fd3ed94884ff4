//! `orch schema`

use crate::cli::answer::{Cx, End};
use crate::cli::args::Format;
use crate::error::Error;
use crate::wire::schema;
use clap::Args;
use serde_json::{Map, Value};

/// Arguments of `orch schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Only this kind (task.list)
    kind: Option<String>,
}

pub(super) fn run(cx: &mut Cx<'_>, args: SchemaArgs) -> End {
    let kinds = schema::kinds();
    if let Some(kind) = &args.kind {
        let Some((_, _, data)) = kinds.iter().find(|(name, _, _)| name == kind) else {
            return Err(Error::not_found(format!("no kind `{kind}`")).hint("orch schema"));
        };
        let schema = schema::envelope(kind, data);
        if cx.global.format() == Format::Json {
            cx.json("schema", &schema, &[], &[])?;
        } else {
            let _ = cx.ui.emit(|out, _| {
                serde_json::to_writer_pretty(&mut *out, &schema)?;
                out.write_all(b"\n")
            })?;
        }
        return Ok(None);
    }
    if cx.global.format() == Format::Json {
        let all: Map<String, Value> = kinds
            .iter()
            .map(|(kind, _, data)| ((*kind).to_owned(), schema::envelope(kind, data)))
            .collect();
        cx.json("schema", &serde_json::json!({ "kinds": all }), &[], &[])?;
    } else {
        let width = kinds.iter().map(|(kind, _, _)| kind.len()).max().unwrap_or_default();
        for (kind, command, _) in &kinds {
            let _ = cx.ui.line(&format!("{kind:<width$}  {command}"))?;
        }
        cx.ui.next("orch schema --json");
    }
    Ok(None)
}
