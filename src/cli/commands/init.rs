//! `orch init`

use crate::cli::answer::{Cx, End};
use crate::cli::args::Format;
use crate::error::Error;
use crate::services::init::{self, Lang, Request};
use crate::wire::list::Made;
use clap::Args;

/// Arguments of `orch init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The language of the ledger; else that of the locale
    #[arg(long, value_name = "LANG", value_parser = ["en", "ja"])]
    lang: Option<String>,
    /// For several people: without `solo: true`, so that nobody judges their own work
    #[arg(long)]
    team: bool,
    /// Write nothing; print the files that would be made, as a diff
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(cx: &mut Cx<'_>, args: InitArgs) -> End {
    let env = &cx.sys.env;
    let cwd = env.current_dir().map_err(|e| {
        Error::new(crate::error::ErrorKind::Failed, format!("no working directory: {e}"))
    })?;
    let root = match (&cx.global.dir, env.var("ORCH_ROOT").filter(|v| !v.is_empty())) {
        (Some(dir), _) => cwd.join(dir),
        (None, Some(root)) => cwd.join(root),
        (None, None) => cwd,
    };
    let locale =
        ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|n| env.var(n).filter(|v| !v.is_empty()));
    let lang = match args.lang.as_deref() {
        Some("ja") => Lang::Ja,
        Some(_) => Lang::En,
        None if locale.is_some_and(|l| l.starts_with("ja")) => Lang::Ja,
        None => Lang::En,
    };
    let request = Request { root: root.clone(), lang, team: args.team, dry_run: args.dry_run };
    let made = init::init(cx.sys, &request)?;
    let next = if args.dry_run { vec![] } else { vec![cx.command("add \"The first task\"", None)] };
    if matches!(cx.global.format(), Format::Json | Format::Jsonl) {
        let data = Made {
            root: root.display().to_string(),
            files: made.files,
            already: false,
            diff: args.dry_run.then_some(made.diff),
        };
        cx.json("workspace.init", &data, &[], &next)?;
        return Ok(None);
    }
    if args.dry_run {
        let _ = cx.ui.diff(&made.diff)?;
        return Ok(None);
    }
    for file in &made.files {
        let _ = cx.ui.line(&format!("made {file}"))?;
    }
    cx.next(&next);
    Ok(None)
}
