//! `orch add`

use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::services::tasks;
use clap::Args;

/// Arguments of `orch add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// What is to be done (`-` reads stdin)
    title: String,
    /// An id of your own; without it the last row's pattern goes on
    #[arg(long)]
    id: Option<String>,
    /// Whose it is: CMD, WORK or AUDIT, or a role with a name
    #[arg(long, value_name = "ACTOR")]
    owner: Option<String>,
    /// PLAN (the default), or READY for CMD
    #[arg(long)]
    state: Option<String>,
    /// A date (2026-11-30) or a UTC time
    #[arg(long)]
    due: Option<String>,
    /// A path to what comes of it
    #[arg(long, value_name = "PATH")]
    artifact: Option<String>,
    /// LOW, MEDIUM, HIGH or CRITICAL
    #[arg(long)]
    priority: Option<String>,
    /// Ids that must be DONE first, joined by `+`
    #[arg(long, value_name = "IDS")]
    depends: Option<String>,
    /// The text of a detail section (`-` reads stdin)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    detail: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: AddArgs) -> End {
    let request = tasks::Add {
        title: cx.text(args.title)?,
        id: args.id,
        owner: args.owner,
        state: args.state,
        due: args.due,
        artifact: args.artifact,
        note: None,
        priority: args.priority,
        depends: args.depends,
        detail: cx.option_text(args.detail)?,
    };
    let verb = Verb { command: "add", kind: "task.add" };
    cx.change(&verb, args.change, &request, &|asked| {
        let request = tasks::Add { note: asked.note.map(str::to_owned), ..request.clone() };
        tasks::add(asked.ctx, asked.snapshot, asked.who, &request)
    })
}
