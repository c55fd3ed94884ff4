//! A new workspace.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::unified::unified;
use crate::services::agents;
use crate::store::discover::{Start, worktree_of};
use crate::store::layout::Layout;
use crate::store::replace::{Durability, replace, resolve};
use crate::sys::Sys;
use std::path::{Path, PathBuf};

/// The language of a new ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// English.
    En,
    /// Japanese.
    Ja,
}

/// What `init` asks.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where `ORCH/` is to be.
    pub root: PathBuf,
    /// `--lang`
    pub lang: Lang,
    /// `--team`: several people, so no `solo: true`.
    pub team: bool,
    /// `--dry-run`
    pub dry_run: bool,
}

/// What `init` wrote, or would write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The files, by their paths from the workspace root.
    pub files: Vec<String>,
    /// The diff.
    pub diff: String,
}

/// Writes the ledgers, the settings and the git attributes.
///
/// # Errors
/// `not_allowed` where a ledger is already.
pub fn init(sys: &Sys, request: &Request) -> Result<Made> {
    // As elsewhere: without links, which `-C` may name.
    let root = sys.fs.canonicalize(&request.root).unwrap_or_else(|_| request.root.clone());
    let (layout, sys) = (Layout::new(&root), &sys.within(&root));
    if sys.fs.lstat(&layout.tasks()).is_ok() {
        return Err(Error::new(
            ErrorKind::NotAllowed,
            format!("`{}` is there already; nothing was changed", layout.tasks().display()),
        )
        .hint("orch status"));
    }
    let text = texts(request);
    // TASKS.md last: only with it there is a workspace. What an ended `init`, or
    // somebody else, made before is kept.
    let files = [
        (layout.gitattributes(), text.attributes),
        (layout.settings(), text.settings.as_str()),
        (layout.approvals(), text.approvals),
        (layout.tasks(), text.tasks),
    ];
    let mut made = Made { files: Vec::new(), diff: String::new() };
    let new = files.iter().filter(|(path, _)| sys.fs.lstat(path).is_err());
    for (path, text) in new.clone() {
        made.files.push(layout.display(path));
        made.diff.push_str(&unified(&layout.display(path), None, Some(text)));
    }
    if request.dry_run {
        return Ok(made);
    }
    make_dir(sys, &layout.state_dir())?;
    for (path, text) in new {
        let target = resolve(sys, &layout, path)?;
        replace(sys, &target, None, text.as_bytes(), Durability::Full)?;
    }
    Ok(made)
}

/// The same with a section for agents beside it. In a workspace that exists, here
/// or above, only the section is written. `lang` is what was asked for.
///
/// # Errors
/// As [`init`] and [`agents::plan`]; then nothing was written.
pub fn with_agents(
    sys: &Sys,
    request: &Request,
    dir: Option<PathBuf>,
    lang: Option<Lang>,
) -> Result<(PathBuf, Made)> {
    let found = match Layout::discover(sys, dir.map_or(Start::CurrentDir, Start::At)) {
        Ok(layout) => Some(worktree_of(sys, &layout, &request.root)),
        Err(e) if e.kind == ErrorKind::NotFound => None,
        Err(e) => return Err(e),
    };
    let is_new = found.is_none();
    let root = found.unwrap_or_else(|| request.root.clone());
    let root = sys.fs.canonicalize(&root).unwrap_or(root);
    let (layout, confined) = (Layout::new(&root), &sys.within(&root));
    let section = agents::plan(confined, &layout, lang, request.lang)?;
    let mut made = Made { files: Vec::new(), diff: String::new() };
    if is_new {
        made = init(sys, request)?;
    }
    let wrote = section.carry_out(confined, &layout, request.dry_run)?;
    made.files.extend(wrote.files);
    made.diff.push_str(&wrote.diff);
    Ok((root, made))
}

fn make_dir(sys: &Sys, dir: &Path) -> Result<()> {
    sys.fs.create_dir_all(dir, None).map_err(|e| Error::io("create", dir, &e))
}

struct Texts {
    tasks: &'static str,
    approvals: &'static str,
    settings: String,
    attributes: &'static str,
}

fn texts(request: &Request) -> Texts {
    let (tasks, approvals, settings, solo) = match request.lang {
        Lang::En => (
            include_str!("../../templates/en/TASKS.md"),
            include_str!("../../templates/en/APPROVALS.md"),
            include_str!("../../templates/en/orch.yaml"),
            include_str!("../../templates/en/solo.yaml"),
        ),
        Lang::Ja => (
            include_str!("../../templates/ja/TASKS.md"),
            include_str!("../../templates/ja/APPROVALS.md"),
            include_str!("../../templates/ja/orch.yaml"),
            include_str!("../../templates/ja/solo.yaml"),
        ),
    };
    let solo = if request.team { "" } else { solo };
    Texts {
        tasks,
        approvals,
        settings: format!("{solo}{settings}"),
        attributes: include_str!("../../templates/gitattributes"),
    }
}
