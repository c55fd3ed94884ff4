//! `orch __run`: what `watch` starts for each run, and nobody types.

use crate::cli::answer::{Cx, End};
use crate::watch::keeper;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `orch __run`.
#[derive(Debug, Args)]
pub struct KeeperArgs {
    /// The folder of the run
    folder: PathBuf,
}

pub(super) fn run(cx: &mut Cx<'_>, args: KeeperArgs) -> End {
    keeper::keep(cx.sys, &args.folder)?;
    Ok(None)
}
