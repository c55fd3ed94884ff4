//! Whether files still are what was approved.
//!
//! Not here: what a file holds now (`content`).

use crate::error::Result;
use crate::ledger::evidence as text;
use crate::model::evidence::ListedFile;
use crate::services::context::Context;
use crate::services::evidence::{content, load};
use crate::store::discover::repository_root;
use crate::sys::FileKind;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A file that has another content than was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The file, from the top of its repository.
    pub file: String,
    /// The evidence that lists it.
    pub evidence: String,
}

/// The first file that is not what the newest evidence listing it says. `cells`
/// are the evidence cells of the approvals in force, oldest first. A file is
/// looked for in the work tree that the evidence names while that exists, else
/// in the workspace's own.
///
/// # Errors
/// `failed` where a file is there and cannot be read.
pub fn first<'c>(ctx: &Context, cells: impl Iterator<Item = &'c str>) -> Result<Option<Drift>> {
    let own = repository_root(&ctx.sys, &ctx.layout);
    let mut newest: BTreeMap<(PathBuf, String), (ListedFile, String)> = BTreeMap::new();
    for cell in cells {
        // What is in force was read a moment ago; what has gone since is stale.
        let stored = load(ctx, cell)?;
        let Ok(whole) = std::str::from_utf8(&stored.bytes) else { continue };
        let Ok(evidence) = text::parse(whole) else { continue };
        let is_there =
            |path: &PathBuf| ctx.sys.fs.stat(path).is_ok_and(|stat| stat.kind == FileKind::Dir);
        let named = evidence.front.worktree.map(PathBuf::from);
        let tree = named.filter(is_there).unwrap_or_else(|| own.clone());
        for file in evidence.front.files {
            newest.insert((tree.clone(), file.path.clone()), (file, stored.name.clone()));
        }
    }
    for ((tree, _), (file, evidence)) in newest {
        if !content::is_as_listed(&ctx.sys, &tree, &file)? {
            return Ok(Some(Drift { file: file.path, evidence }));
        }
    }
    Ok(None)
}
