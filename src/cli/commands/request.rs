//! `orch request`

use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::error::{Error, Result};
use crate::services::approvals::request::{self, Evidence, Request};
use crate::services::context::{Context, Mode};
use crate::services::evidence::{self, patch, work_tree};
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
    let verb = Verb { command: "request", kind: "approval.request" };
    let text = args.patch.as_deref().map(|name| patch_text(cx, name)).transpose()?;
    let asked_for = (&args.task, &args.op, &args.diff, &text, &args.evidence);
    let asked_for = format!("{asked_for:?}");
    // Gathered before the lock is taken, and only judged under it: a key that was
    // used before is answered whatever the work tree holds now.
    let ctx = Context::open(cx.sys, cx.global.dir.clone(), Mode::Read)?;
    let gathered = gather(cx, &ctx, &args, text.as_deref());
    let (task, op) = (args.task, args.op);
    cx.change(&verb, args.change, &asked_for, &|asked| {
        let (evidence, note) = (gathered.clone()?, asked.note.map(str::to_owned));
        let request = Request { task: task.clone(), op: op.clone(), evidence, note };
        request::request(asked.ctx, asked.snapshot, asked.who, &request, asked.now)
    })
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

fn gather(cx: &Cx<'_>, ctx: &Context, args: &RequestArgs, text: Option<&str>) -> Result<Evidence> {
    let here =
        || cx.sys.env.current_dir().map_err(|e| Error::io("find", std::path::Path::new("."), &e));
    if let Some(rev) = &args.diff {
        let rev = Some(rev.as_str());
        return work_tree::of_work_tree(cx.sys, &ctx.layout, &here()?, rev).map(Evidence::Change);
    }
    if let Some(text) = text {
        return patch::of_patch(cx.sys, &ctx.layout, &here()?, text).map(Evidence::Change);
    }
    if let Some(path) = &args.evidence {
        let stored = evidence::named(ctx, &here()?, path)?;
        return Ok(Evidence::File { path: stored.name, sha: stored.sha });
    }
    Ok(Evidence::None)
}
