//! What a migration keeps: every file that it replaced or read, with its hash,
//! and the report.
//!
//! ```text
//!  ORCH/LOGS/2026-01/migrate-20260101T090000Z/
//!    manifest.json     which file is which, with SHA-256
//!    report.md         what came from where
//!    before-TASKS.md   the former bytes of what was replaced
//!    source-001-x.md   the bytes of what was read
//!    .gitattributes    the bytes stay as they are: hashes are taken over them
//! ```
//!
//! Invariant: it is written in the same operation as the ledgers, and nothing
//! that is there is ever overwritten.

use crate::error::{Error, Result};
use crate::ledger::render::Rendered;
use crate::model::time::Timestamp;
use crate::services::context::{Context, Identity};
use crate::services::migrate::inputs::{Input, Origin};
use crate::services::migrate::plan::{Backup, Plan};
use crate::store::entry::sha256_hex;
use crate::store::layout::encode_id;
use crate::store::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

/// The name of the list of files.
pub(super) const MANIFEST: &str = "manifest.json";

/// What a backup holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// `orch/migration/1`
    pub schema: String,
    /// When, UTC.
    pub ts: String,
    /// By whom.
    pub actor: String,
    /// Every file.
    pub files: Vec<KeptFile>,
}

/// One file of a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptFile {
    /// Where it was, from the workspace's root or as it was typed.
    pub name: String,
    /// `replaced` or `read`.
    pub role: String,
    /// Its copy, from the workspace's root; none where there was no file.
    pub copy: Option<String>,
    /// SHA-256 of its bytes.
    pub sha256: Option<String>,
    /// How many bytes.
    pub bytes: usize,
    /// SHA-256 of what replaced it.
    pub sha256_after: Option<String>,
}

/// Adds the backup's files to the texts of the operation.
#[allow(clippy::too_many_arguments, reason = "each is asked for once, by one caller")]
pub(super) fn keep(
    ctx: &Context,
    who: &Identity,
    now: Timestamp,
    sources: &[(&Input, &str)],
    snapshot: &Snapshot<'_>,
    texts: &mut Rendered,
    plan: &mut Plan,
    report: &dyn Fn(&Plan) -> String,
) -> Result<()> {
    let folder = free_folder(ctx, now)?;
    let mut files = Vec::new();
    let ledgers = [
        (ctx.layout.tasks(), texts.tasks.clone(), Some(snapshot.tasks.grid().text())),
        (
            ctx.layout.approvals(),
            texts.approvals.clone(),
            Some(snapshot.approvals.grid().text())
                .filter(|_| ctx.sys.fs.lstat(&ctx.layout.approvals()).is_ok()),
        ),
    ];
    for (path, new, old) in ledgers {
        let Some(new) = new else { continue };
        let name = ctx.layout.display(&path);
        let file = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let copy = old.map(|old| (format!("{folder}/before-{file}"), old));
        files.push(KeptFile {
            role: "replaced".to_owned(),
            sha256: old.map(|old| sha256_hex(old.as_bytes())),
            bytes: old.map_or(0, str::len),
            sha256_after: Some(sha256_hex(new.as_bytes())),
            copy: copy.as_ref().map(|(copy, _)| copy.clone()),
            name,
        });
        texts.evidence.extend(copy.map(|(copy, old)| (copy, old.to_owned())));
    }
    let read = sources.iter().filter(|(input, _)| input.origin == Origin::File);
    for (n, (input, text)) in read.enumerate() {
        let last = input.name.rsplit('/').next().unwrap_or(&input.name);
        let last: String = last.chars().take(60).collect();
        let copy = format!("{folder}/source-{:03}-{}", n + 1, encode_id(&last));
        files.push(KeptFile {
            name: input.name.clone(),
            role: "read".to_owned(),
            copy: Some(copy.clone()),
            sha256: Some(sha256_hex(text.as_bytes())),
            bytes: text.len(),
            sha256_after: None,
        });
        texts.evidence.insert(copy, (*text).to_owned());
    }
    plan.backup = Backup { report: format!("{folder}/report.md"), folder: folder.clone() };
    let manifest = Manifest {
        schema: "orch/migration/1".to_owned(),
        ts: now.to_string(),
        actor: who.actor.as_str().to_owned(),
        files,
    };
    let mut manifest = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    manifest.push('\n');
    texts.evidence.insert(format!("{folder}/{MANIFEST}"), manifest);
    texts.evidence.insert(plan.backup.report.clone(), report(plan));
    let attributes = "* -text -diff linguist-generated\n".to_owned();
    texts.evidence.insert(format!("{folder}/.gitattributes"), attributes);
    Ok(())
}

/// A folder that is not there yet.
fn free_folder(ctx: &Context, now: Timestamp) -> Result<String> {
    let stamp: String = now.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let name = |suffix: &str| ctx.layout.migration(&now.month(), &format!("{stamp}{suffix}"));
    let suffixes = [String::new()].into_iter().chain((2..100).map(|n| format!("-{n}")));
    let free = suffixes.map(|suffix| name(&suffix)).find(|path| ctx.sys.fs.lstat(path).is_err());
    let free = free.ok_or_else(|| {
        let path = ctx.layout.display(&name(""));
        Error::not_allowed(format!("there are too many migrations of this second, as `{path}`"))
    })?;
    Ok(ctx.layout.display(&free))
}
