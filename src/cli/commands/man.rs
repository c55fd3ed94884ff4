//! `orch man`

use crate::cli::answer::{Cx, End};
use crate::cli::args;
use crate::error::{Error, ErrorKind};
use clap::Args;

/// Arguments of `orch man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command to print the page of; without it the page of `orch`
    command: Option<String>,
}

pub(super) fn run(cx: &mut Cx<'_>, args: ManArgs) -> End {
    let mut tree = args::tree();
    tree.build();
    let page = match &args.command {
        None => tree,
        Some(name) => tree
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Error::not_found(format!("no command `{name}`")).hint("orch man"))?
            .display_name(format!("orch-{name}")),
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(|e| Error::new(ErrorKind::Failed, format!("cannot write the manual: {e}")))?;
    if args.command.is_none() {
        text.extend_from_slice(exits().as_bytes());
    }
    let _ = cx.ui.emit(|out, _| out.write_all(&text))?;
    Ok(None)
}

/// The exit table, as a section of the page.
fn exits() -> String {
    use std::fmt::Write as _;
    let mut text = String::from(".SH \"EXIT STATUS\"\n");
    for exit in crate::answer::exit::table() {
        let _ = write!(text, ".TP\n\\fB{}\\fR {}\n{}\n", exit.number, exit.code, exit.meaning);
    }
    text
}
