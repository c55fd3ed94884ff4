//! `orch completions`

use crate::cli::answer::{Cx, End};
use crate::cli::args;
use clap::Args;
use clap_complete::Shell;

/// Arguments of `orch completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(cx: &mut Cx<'_>, args: CompletionsArgs) -> End {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::tree(), "orch", &mut script);
    let _ = cx.ui.emit(|out, _| out.write_all(&script))?;
    Ok(None)
}
