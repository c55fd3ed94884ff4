//! `orch fmt`

use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::model::operation::Operation;
use crate::model::outcome::Outcome;
use crate::services::change::Decision;
use clap::Args;

/// Arguments of `orch fmt`.
#[derive(Debug, Args)]
pub struct FmtArgs {
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: FmtArgs) -> End {
    let verb = Verb { command: "fmt", kind: "ledger.fmt" };
    cx.change(&verb, args.change, &(), &|_| {
        let mut decision = Decision::new(Outcome::default());
        decision.operations = vec![Operation::FormatTasks, Operation::FormatApprovals];
        Ok(decision)
    })
}
