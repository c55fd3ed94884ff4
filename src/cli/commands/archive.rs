//! `orch archive`

use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::error::Error;
use crate::model::time::parse_date;
use crate::services::archive;
use clap::Args;

/// Arguments of `orch archive`.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// Only rows that were closed before this date (2026-11-30)
    #[arg(long, value_name = "DATE")]
    before: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: ArchiveArgs) -> End {
    let before = match &args.before {
        None => None,
        Some(text) => Some(parse_date(text).ok_or_else(|| {
            Error::usage(format!("`{text}` is no date; write it as `2026-11-30`"))
        })?),
    };
    let verb = Verb { command: "archive", kind: "task.archive" };
    cx.change(&verb, args.change, &before, &|asked| {
        archive::archive(asked.ctx, asked.snapshot, before, asked.now)
    })
}
