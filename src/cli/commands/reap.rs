//! `orch reap`

use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::services::claim;
use crate::services::transition::Request;
use clap::Args;

/// Arguments of `orch reap`.
#[derive(Debug, Args)]
pub struct ReapArgs {
    /// Only these tasks; without it all whose lease has expired
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: ReapArgs) -> End {
    let request = Request { ids: args.ids, ..Request::default() };
    let verb = Verb { command: "reap", kind: "task.reap" };
    cx.change(&verb, args.change, &request, &|asked| {
        let request = Request { note: asked.note.map(str::to_owned), ..request.clone() };
        claim::reap(asked.ctx, asked.snapshot, asked.who, &request, asked.now)
    })
}
