//! `orch hooks install|uninstall|status|run`

use crate::cli::answer::{Answer, Cx, End};
use crate::cli::args::Format;
use crate::cli::commands::check;
use crate::error::{Error, ErrorKind, Result};
use crate::git::hooks::{Commit, Did, Held, Part, Setup, Wanted};
use crate::services::check::{self as rules, Count};
use crate::services::context::Mode;
use crate::store::discover::Start;
use crate::store::layout::Layout;
use crate::store::snapshot::{Files, Want};
use crate::wire::hooks::{HookPart, Hooks};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `orch hooks`.
#[derive(Debug, Args)]
#[command(subcommand_required = true)]
pub struct HooksArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Set up merge driver, attributes and hooks in this repository
    Install(InstallArgs),
    /// Take them away; hooks that were there before come back
    Uninstall(UninstallArgs),
    /// Show how each part stands
    Status,
    /// Do what a hook does, for a hook of your own
    Run(RunArgs),
}

#[derive(Debug, Args)]
struct InstallArgs {
    /// Refuse commits of files that somebody else holds by a named lock, too
    #[arg(long)]
    locks: bool,
    /// Write the journal's head below the message of commits that contain it
    #[arg(long)]
    trailer: bool,
    /// Write nothing; tell what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct UninstallArgs {
    /// Write nothing; tell what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Whose work is to be done
    #[arg(value_name = "HOOK", value_parser = [
        "pre-commit", "pre-merge-commit", "commit-msg", "post-merge", "post-rewrite",
    ])]
    hook: String,
    /// Look at named locks, too
    #[arg(long)]
    locks: bool,
    /// What git gave the hook
    #[arg(value_name = "ARG")]
    args: Vec<PathBuf>,
}

pub(super) fn run(cx: &mut Cx<'_>, args: HooksArgs) -> End {
    match args.action {
        Action::Run(args) => run_hook(cx, args),
        action => set_up(cx, &action),
    }
}

fn set_up(cx: &mut Cx<'_>, action: &Action) -> End {
    let sys = cx.sys;
    let start = cx.global.dir.clone().map_or(Start::CurrentDir, Start::At);
    let layout = Layout::discover(sys, start)?;
    let setup = Setup::of(sys, &layout)?;
    let mut parts = Vec::new();
    let (kind, end) = match action {
        Action::Install(InstallArgs { locks, trailer, dry_run }) => {
            let wanted = Wanted { locks: *locks, trailer: *trailer, dry_run: *dry_run };
            ("hooks.install", setup.install(wanted, &mut parts))
        }
        Action::Uninstall(args) => ("hooks.uninstall", setup.uninstall(args.dry_run, &mut parts)),
        _ => ("hooks.status", setup.status().map(|found| parts = found)),
    };
    let left = |part: &Part| part.did == Some(Did::Left);
    let is_half = match action {
        Action::Uninstall(_) => parts.iter().any(left),
        _ => !parts.iter().all(Part::is_whole),
    };
    let mut warnings: Vec<String> = Vec::new();
    if matches!(action, Action::Install(_)) {
        warnings.extend(setup.folder_warning());
    }
    let mends = is_half && matches!(action, Action::Status) && parts.iter().any(can_be_mended);
    let next = if mends { vec![cx.command("hooks install", None)] } else { Vec::new() };
    // What was done before something failed is told, too; but one answer is one
    // object.
    if end.is_ok() || cx.global.format() == Format::Table {
        tell(cx, kind, &setup, &parts, &warnings, &next)?;
    }
    end?;
    for warning in &warnings {
        cx.ui.warning(warning);
    }
    let is_new = |part: &Part| part.name == "attributes" && part.did == Some(Did::Made);
    if matches!(action, Action::Install(InstallArgs { dry_run: false, .. }))
        && parts.iter().any(is_new)
    {
        cx.ui.note("commit ORCH/.gitattributes, so that every clone has it");
    }
    if matches!(
        action,
        Action::Install(InstallArgs { dry_run: true, .. })
            | Action::Uninstall(UninstallArgs { dry_run: true })
    ) {
        cx.ui.note("this is what would be done; nothing is");
    }
    cx.next_for_people(&next);
    Ok(is_half.then_some(ErrorKind::LedgerInvalid))
}

/// Whether `install` would do something about it.
fn can_be_mended(part: &Part) -> bool {
    use crate::git::hooks::State;
    matches!(part.state, State::Missing | State::Outdated | State::Gone)
}

fn tell(
    cx: &mut Cx<'_>,
    kind: &'static str,
    setup: &Setup<'_>,
    parts: &[Part],
    warnings: &[String],
    next: &[String],
) -> Result<()> {
    if cx.global.format() == Format::Table && kind != "hooks.status" {
        for Part { did, place, detail, .. } in parts {
            let did = did.map_or("", Did::as_str);
            let detail = detail.as_ref().map_or_else(String::new, |text| format!(": {text}"));
            let _ = cx.ui.line(&format!("{did} {place}{detail}"))?;
        }
        return Ok(());
    }
    let shown = |part: &Part| HookPart {
        part: part.name.to_owned(),
        state: part.state.as_str().to_owned(),
        did: part.did.map(|did| did.as_str().to_owned()),
        place: part.place.clone(),
        detail: part.detail.clone(),
    };
    let rows = parts.iter().map(|part| {
        let detail = part.detail.clone().unwrap_or_default();
        vec![part.name.to_owned(), part.state.as_str().to_owned(), part.place.clone(), detail]
    });
    let (rows, total) = (rows.collect(), parts.len());
    cx.rows(&Answer {
        kind,
        data: Hooks {
            parts: parts.iter().map(shown).collect(),
            total,
            returned: total,
            truncated: false,
            whole: parts.iter().all(Part::is_whole),
            hooks_path: setup.hooks_folder(),
        },
        columns: &["part", "state", "place", "detail"],
        flexible: &["detail"],
        rows,
        warnings,
        next,
    })
}

fn run_hook(cx: &mut Cx<'_>, args: RunArgs) -> End {
    let commit = Commit::here(cx.sys, cx.global.dir.as_deref())?;
    match (&*args.hook, &args.args[..]) {
        ("commit-msg", [message]) => commit.add_trailer(message).map(|()| None),
        ("commit-msg", _) => Err(Error::usage("`commit-msg` needs the file of the message")),
        ("pre-commit" | "pre-merge-commit", _) => before_commit(cx, &commit, args.locks),
        // Whatever comes of it, the merge is done.
        _ => after_merge(cx, &commit).or(Ok(None)),
    }
}

/// `check --staged` in every workspace that the commit is about, and the locks.
fn before_commit(cx: &mut Cx<'_>, commit: &Commit<'_>, locks: bool) -> End {
    let typed = cx.global.dir.clone();
    let here = cx.sys.env.current_dir().ok();
    let mut worst = None;
    let workspaces = commit.workspaces_of(&commit.staged()?);
    // Where the work tree has no ledger any more, there is no workspace to look at.
    let gone = commit.ledgers_taken(&workspaces)?;
    for (root, _) in workspaces {
        cx.global.dir = Some(root);
        worst = check::of_commit(cx)?.or(worst);
    }
    if !gone.is_empty() {
        worst = check::taken_away(cx, &gone)?.or(worst);
    }
    if worst.is_some() {
        cx.ui.note("the commit is refused: mend this, `git add` it, and commit again");
    }
    if locks {
        for (root, _) in commit.workspaces()? {
            cx.global.dir = Some(root.clone());
            let ctx = cx.context(Mode::Read)?;
            let who = ctx.identity(cx.global.actor.as_deref())?;
            let held = commit.held(&ctx, &who, &root)?;
            if let Some(first) = held.first() {
                // What is to be typed next is typed here.
                if here.as_ref() == Some(&root) {
                    cx.global.dir = typed;
                }
                return Err(refused(&held, first));
            }
        }
    }
    Ok(worst)
}

fn refused(held: &[Held], first: &Held) -> Error {
    let Held { path, lock, owner, expires_at } = first;
    let who = match (owner, expires_at) {
        (Some(owner), Some(until)) => format!("is held by `{owner}` until {until}"),
        _ => "is held, by whom cannot be read".to_owned(),
    };
    let by =
        if lock.trim_start_matches("./") == path { String::new() } else { format!(" (`{lock}`)") };
    let more = match held.len() - 1 {
        0 => String::new(),
        1 => "; one more staged file is held, too".to_owned(),
        n => format!("; {n} more staged files are held, too"),
    };
    let message = format!("the commit is refused: `{path}` {who}{by}{more}");
    Error::new(ErrorKind::Held, message).hint("orch lock list")
}

/// Tells at once what the next command would notice.
fn after_merge(cx: &mut Cx<'_>, commit: &Commit<'_>) -> End {
    for (root, _) in commit.workspaces()? {
        cx.global.dir = Some(root);
        let mut ctx = cx.context(Mode::Read)?;
        let files = Files::read(cx.sys, &ctx.layout, Want::All)?;
        cx.look(&mut ctx, &files)?;
        let count = Count::of(&rules::workspace(&ctx)?);
        if count.errors > 0 {
            let errors = if count.errors == 1 { "error" } else { "errors" };
            cx.ui.warning(&format!("the ledger has {} {errors} after this", count.errors));
            let next = [cx.command("check", None)];
            cx.next(&next);
        }
    }
    Ok(None)
}
