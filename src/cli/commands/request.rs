//! `orch request`

use crate::answer::request::{Asking, REQUEST};
use crate::cli::answer::{Cx, End};
use crate::cli::args::ChangeArgs;
use crate::error::{Error, Result};
use clap::Args;
use std::io::ErrorKind;

/// Arguments of `orch request`.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// The task
    #[arg(value_name = "TASK")]
    task: String,
    /// What is to be allowed (`-` reads stdin)
    #[arg(long, value_name = "TEXT")]
    op: String,
    /// With everything that the work tree has otherwise than REV (default HEAD),
    /// but for ORCH/
    #[arg(long, value_name = "REV", num_args = 0..=1, default_missing_value = "HEAD", group = "what")]
    diff: Option<String>,
    /// With this patch (`-` reads stdin)
    #[arg(long, value_name = "FILE", group = "what")]
    patch: Option<String>,
    /// With this file, as it is
    #[arg(long, value_name = "PATH", group = "what")]
    evidence: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, mut args: RequestArgs) -> End {
    args.op = cx.text(args.op)?;
    let text = args.patch.as_deref().map(|name| patch_text(cx, name)).transpose()?;
    let (task, op, change) = (args.task, args.op, args.change);
    let asking = Asking { task, op, diff: args.diff, patch: text, evidence: args.evidence };
    let gathered = asking.gather(&cx.caller());
    cx.change(&REQUEST, change, &asking.asked_for(), &|asked| asking.decide(asked, &gathered))
}

fn patch_text(cx: &Cx<'_>, name: &str) -> Result<String> {
    if name == "-" {
        return cx.text("-".to_owned());
    }
    let path = std::path::Path::new(name);
    let dir = cx.sys.env.current_dir().map_err(|e| Error::io("find", path, &e))?;
    let path = dir.join(path);
    let bytes = cx.sys.fs.read(&path).map_err(|e| match e.kind() {
        ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::NotADirectory => {
            Error::usage(format!("cannot read the patch `{name}`: {e}")).hint("orch request --help")
        }
        _ => Error::io("read", &path, &e),
    })?;
    String::from_utf8(bytes).map_err(|_| Error::usage(format!("the patch `{name}` is not UTF-8")))
}
