//! `orch mcp`

use crate::answer::exit;
use crate::cli::answer::{Cx, End};
use crate::mcp;
use clap::Args;

/// Arguments of `orch mcp`.
#[derive(Debug, Args)]
pub struct McpArgs {
    /// Tools that people keep to themselves otherwise: approve, reject, done, fix,
    /// decide
    #[arg(long, value_name = "TOOL", value_delimiter = ',')]
    allow: Vec<String>,
}

pub(super) fn run(cx: &mut Cx<'_>, args: McpArgs) -> End {
    let request = mcp::Request {
        dir: cx.global.dir.clone(),
        actor: cx.global.actor.clone(),
        allow: args.allow,
    };
    if cx.sys.env.stdin_is_terminal() {
        cx.ui.note("an MCP client starts this and speaks on stdin; Ctrl-D ends it");
    }
    if mcp::serve(cx.sys, request)? == mcp::Ended::Interrupted {
        cx.program_exit.set(Some(exit::INTERRUPTED));
    }
    Ok(None)
}
