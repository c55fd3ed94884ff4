//! `orch set`

use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::services::set::{self, Request, parse_field};
use clap::Args;

/// Arguments of `orch set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The task
    id: String,
    /// Column or attribute and its value; an empty value or `-` clears it.
    /// `detail=-` reads stdin, `state=…` is `move`
    #[arg(value_name = "FIELD=VALUE", required = true)]
    fields: Vec<String>,
    /// The lease's token
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: SetArgs) -> End {
    let mut fields = Vec::new();
    for field in &args.fields {
        let (name, value) = parse_field(field)?;
        let value = if name.eq_ignore_ascii_case("detail") { cx.text(value)? } else { value };
        fields.push((name, value));
    }
    let request = Request { id: args.id, fields, token: args.token, note: None };
    let verb = Verb { command: "set", kind: "task.set" };
    cx.change(&verb, args.change, &request, &|asked| {
        let request = Request { note: asked.note.map(str::to_owned), ..request.clone() };
        set::set(asked.ctx, asked.snapshot, asked.who, &request, asked.now)
    })
}
