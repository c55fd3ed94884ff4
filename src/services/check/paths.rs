//! Other ledgers than the workspace's: files and folders that somebody names.
//!
//! A folder that is a workspace is looked at as one; in any other folder every
//! ledger below it is looked at by itself, `TASKS.md` and `APPROVALS.md` of one
//! folder together. Which of both a file is its header tells. Invariant: what is
//! named is read and nothing else: no journal, no settings, no evidence.

use crate::error::{Error, Result};
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::source;
use crate::ledger::tasks::TaskLedger;
use crate::model::actor::Principals;
use crate::model::time::Timestamp;
use crate::services::check::book::{Book, Expect, Source};
use crate::services::check::finding::Finding;
use crate::services::check::rules;
use crate::services::config::Settings;
use crate::services::context::{Context, Mode};
use crate::store::layout::Layout;
use crate::sys::{FileKind, Sys};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders that hold other people's ledgers, if any.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// Everything that is found in what is named.
///
/// # Errors
/// `not_found` for a name that nothing has, or below which there is no ledger;
/// `failed` where something cannot be read.
pub fn paths(sys: &Sys, named: &[PathBuf]) -> Result<Vec<Finding>> {
    let gone = |e| Error::io("find", Path::new("the working directory"), &e);
    let here = sys.env.current_dir().map_err(gone)?;
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for path in named {
        let whole = here.join(path);
        let stat = sys.fs.stat(&whole).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::not_found(format!("no file or folder `{}`", path.display()))
                    .hint("orch check --help")
            }
            _ => Error::io("read", path, &e),
        })?;
        if stat.kind != FileKind::Dir {
            if seen.insert(whole.clone()) {
                let source = read(sys, &whole, path.to_string_lossy().into_owned())?;
                findings.extend(examine(sys, &[source]));
            }
            continue;
        }
        if sys.fs.stat(&Layout::new(&whole).tasks()).is_ok() {
            findings.extend(workspace(sys, &whole, path)?);
            continue;
        }
        let mut folders = Vec::new();
        walk(sys, &whole, path, &mut folders)?;
        let mut is_ledger = false;
        for files in folders {
            for book in together(sys, files)? {
                is_ledger = true;
                findings.extend(examine(sys, &book));
            }
        }
        if !is_ledger {
            let message = format!("no ledger in `{}` or below", path.display());
            return Err(Error::not_found(message).hint("orch check --help"));
        }
    }
    Ok(findings)
}

fn workspace(sys: &Sys, root: &Path, named: &Path) -> Result<Vec<Finding>> {
    let ctx = Context::open(sys, Some(root.to_owned()), Mode::Read)?;
    let mut findings = super::workspace(&ctx)?;
    for finding in &mut findings {
        finding.file = named.join(&finding.file).to_string_lossy().into_owned();
    }
    Ok(findings)
}

fn examine(sys: &Sys, sources: &[Source<'_>]) -> Vec<Finding> {
    let settings = Settings::default();
    let principals = Principals::default();
    let now = Timestamp(sys.clock.now_ms());
    let book = Book::read(sources, &settings, &principals, now);
    rules::look(&book).told(&book)
}

fn read(sys: &Sys, path: &Path, name: String) -> Result<Source<'static>> {
    let stat = sys.fs.stat(path).map_err(|e| Error::io("read", path, &e))?;
    if stat.kind != FileKind::File || stat.len > source::MAX_BYTES as u64 {
        return Err(Error::invalid(format!("`{name}` is not a regular file, or too large"))
            .hint("orch check --help"));
    }
    let bytes = sys.fs.read(path).map_err(|e| Error::io("read", path, &e))?;
    Ok(Source { name, bytes: bytes.into(), expect: Expect::Either })
}

/// The Markdown files of each folder, with the names that findings give them.
type Folder = Vec<(PathBuf, String)>;

fn walk(sys: &Sys, dir: &Path, named: &Path, folders: &mut Vec<Folder>) -> Result<()> {
    let (mut files, mut below) = (Folder::new(), Vec::new());
    for name in sys.fs.list(dir).map_err(|e| Error::io("read", dir, &e))? {
        let path = dir.join(&name);
        if name.starts_with('.') || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        // Links are not followed: they may lead round in a circle.
        match sys.fs.lstat(&path).map(|stat| stat.kind) {
            Ok(FileKind::Dir) => below.push((path, named.join(&name))),
            Ok(FileKind::File) if path.extension().is_some_and(|end| end == "md") => {
                files.push((path, named.join(&name).to_string_lossy().into_owned()));
            }
            _ => {}
        }
    }
    folders.push(files);
    below.iter().try_for_each(|(dir, named)| walk(sys, dir, named, folders))
}

/// The ledgers of a folder: the two that belong to each other as one.
fn together(sys: &Sys, files: Folder) -> Result<Vec<Vec<Source<'static>>>> {
    let mut pair = Vec::new();
    let mut others = Vec::new();
    for (path, name) in files {
        let source = read(sys, &path, name)?;
        if !is_ledger(&source) {
            continue;
        }
        match path.file_name().and_then(|name| name.to_str()) {
            Some("TASKS.md" | "APPROVALS.md") => pair.push(source),
            _ => others.push(vec![source]),
        }
    }
    // Tasks first, as in a workspace.
    pair.sort_by(|a, b| b.name.cmp(&a.name));
    Ok([pair].into_iter().filter(|pair| !pair.is_empty()).chain(others).collect())
}

/// Whether a file is a ledger, or was meant to be one.
fn is_ledger(source: &Source<'_>) -> bool {
    let Ok(text) = source::text(&source.bytes, "") else {
        return [&b"task_id"[..], b"appr_id"]
            .iter()
            .any(|word| memchr::memmem::find(&source.bytes, word).is_some());
    };
    let meant = |error: Error| error.place.is_some_and(|place| place.line > 0);
    TaskLedger::parse(text, "").map_or_else(meant, |_| true)
        || ApprovalLedger::parse(text, "").map_or_else(meant, |a| !a.grid().tables.is_empty())
}
