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
    /// Tell agents about it in AGENTS.md (and CLAUDE.md, if that is there); in a
    /// workspace that exists this is all it does
    #[arg(long)]
    agents: bool,
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
    let typed = args.lang.is_some().then_some(lang);
    let (root, made) = if args.agents {
        init::with_agents(cx.sys, &request, cx.global.dir.clone(), typed)?
    } else {
        (root, init::init(cx.sys, &request)?)
    };
    tell(cx, &args, root.display().to_string(), made)
}

fn tell(cx: &mut Cx<'_>, args: &InitArgs, root: String, made: init::Made) -> End {
    let is_new = made.files.iter().any(|file| file == "ORCH/STATE/TASKS.md");
    let already = made.files.is_empty();
    let mut next = Vec::new();
    if !args.dry_run {
        if is_new {
            next.push(cx.command("add \"The first task\"", None));
        }
        if args.agents {
            next.push(cx.command("prime", None));
        }
    }
    if matches!(cx.global.format(), Format::Json | Format::Jsonl) {
        let diff = args.dry_run.then_some(made.diff);
        let data = Made { root, files: made.files, already, diff };
        cx.json("workspace.init", &data, &[], &next)?;
        return Ok(None);
    }
    if already {
        cx.ui.note("already so; nothing was changed");
    }
    if args.dry_run {
        let _ = cx.ui.diff(&made.diff)?;
        return Ok(None);
    }
    for file in &made.files {
        let verb = if file.starts_with("ORCH/") { "made" } else { "wrote a section into" };
        let _ = cx.ui.line(&format!("{verb} {file}"))?;
    }
    cx.next(&next);
    Ok(None)
}
