//! `orch note`

use crate::answer::note::NOTE;
use crate::cli::answer::{Cx, End};
use crate::cli::args::ChangeArgs;
use crate::services::tasks;
use clap::Args;

/// Arguments of `orch note`.
#[derive(Debug, Args)]
pub struct NoteArgs {
    /// The task
    id: String,
    /// What to append (`-` reads stdin)
    text: String,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: NoteArgs) -> End {
    let request = (args.id, cx.text(args.text)?);
    cx.change(&NOTE, args.change, &request, &|asked| {
        tasks::note(asked.snapshot, &request.0, &request.1)
    })
}
