//! `orch handover`

use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::error::Error;
use crate::services::handover::{self, Request};
use clap::Args;

/// Arguments of `orch handover`.
#[derive(Debug, Args)]
pub struct HandoverArgs {
    /// The task
    id: String,
    /// What was done, what is left, and where (`-` reads stdin)
    #[arg(long, value_name = "TEXT", required = true, allow_hyphen_values = true)]
    note: Option<String>,
    /// The lease's token
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    /// Write nothing; print the diff of every file that would change
    #[arg(long)]
    dry_run: bool,
    /// Make the command idempotent: the same key again changes nothing
    #[arg(long, value_name = "KEY")]
    op_id: Option<String>,
}

pub(super) fn run(cx: &mut Cx<'_>, args: HandoverArgs) -> End {
    let Some(text) = cx.option_text(args.note)? else {
        return Err(Error::usage("`handover` needs `--note`").hint("orch handover --help"));
    };
    let request = Request { id: args.id, text, token: args.token };
    let verb = Verb { command: "handover", kind: "task.handover" };
    // The text is in the diff already: the journal needs it once.
    let change = ChangeArgs { note: None, dry_run: args.dry_run, op_id: args.op_id };
    cx.change(&verb, change, &request, &|asked| {
        handover::hand_over(asked.ctx, asked.snapshot, asked.who, &request, asked.now)
    })
}
