//! `orch undo` and `orch redo`

use crate::cli::answer::{Asked, Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::services::undo;
use clap::Args;

/// Arguments of `orch undo`.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The operation, by its id or the beginning of it; without it your own newest
    #[arg(value_name = "OP")]
    operation: Option<String>,
    /// The lease's token, where the undo gives a lease back
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Arguments of `orch redo`.
#[derive(Debug, Args)]
pub struct RedoArgs {
    #[command(flatten)]
    change: ChangeArgs,
}

fn ask<'q>(asked: &'q Asked<'q>, token: Option<u64>) -> undo::Asked<'q> {
    let Asked { ctx, snapshot, who, note, now } = *asked;
    undo::Asked { ctx, snapshot, who, token, note, now }
}

pub(super) fn run(cx: &mut Cx<'_>, args: UndoArgs) -> End {
    let verb = Verb { command: "undo", kind: "journal.undo" };
    let request = (args.operation, args.token);
    cx.change(&verb, args.change, &request, &|asked| {
        undo::undo(ask(asked, request.1), request.0.as_deref())
    })
}

pub(super) fn redo(cx: &mut Cx<'_>, args: RedoArgs) -> End {
    let verb = Verb { command: "redo", kind: "journal.redo" };
    cx.change(&verb, args.change, &(), &|asked| undo::redo(ask(asked, None)))
}
