//! `orch evidence`

use crate::cli::answer::{Answer, Cx, End};
use crate::cli::args::Format;
use crate::cli::commands::next::Reader;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::evidence::{self as text, diff_sha256};
use crate::ledger::tasks::shell_word;
use crate::services::evidence::verify::{self, Status, Verified};
use crate::services::evidence::{Stored, apply, load};
use crate::wire::evidence::{
    Evidence, EvidenceApplied, EvidenceFile, EvidenceList, EvidenceShown, Verified as Shape,
};
use clap::{Args, Subcommand};
use std::path::Path;

/// How much of a hash people see; `--sha` takes any beginning.
const SHOWN: usize = 12;

/// Arguments of `orch evidence`.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    #[command(subcommand)]
    verb: EvidenceVerb,
}

#[derive(Debug, Subcommand)]
enum EvidenceVerb {
    /// Show what an approval is about, and the hash to approve it by
    Show {
        /// The approval
        #[arg(value_name = "APPR")]
        id: String,
    },
    /// Look whether evidence is still what was asked for or decided on
    Verify {
        /// The approvals; without any, every one that names evidence
        #[arg(value_name = "APPR")]
        ids: Vec<String>,
    },
    /// Make the change of an approval's evidence in this work tree
    Apply {
        /// The approval
        #[arg(value_name = "APPR")]
        id: String,
        /// Only look whether it fits
        #[arg(long)]
        check: bool,
        /// Take the change back
        #[arg(long, short = 'R')]
        reverse: bool,
    },
}

pub(super) fn run(cx: &mut Cx<'_>, args: EvidenceArgs) -> End {
    match args.verb {
        EvidenceVerb::Show { id } => show(cx, &id),
        EvidenceVerb::Verify { ids } => verify(cx, &ids),
        EvidenceVerb::Apply { id, check, reverse } => {
            apply(cx, apply::Request { appr: &id, check, reverse })
        }
    }
}

fn show(cx: &mut Cx<'_>, id: &str) -> End {
    let reader = Reader::open(cx)?;
    let snapshot = reader.snapshot(cx)?;
    let verified = verify::one(&reader.ctx, &snapshot, id)?;
    let approval = snapshot.approvals.approval(snapshot.approvals.find(id)?);
    let cell = approval.evidence.as_deref().unwrap_or_default();
    // What cannot be read is an error here: there is nothing else to show.
    let stored = verified.stored.map_or_else(|| load(&reader.ctx, cell), Ok)?;
    let mut warnings = reader.ctx.warnings.clone();
    if let Some(why) = verified.why {
        cx.ui.warning(&why);
        warnings.push(why);
    }
    let task = approval.task_id.as_deref().map(str::to_owned);
    let evidence = of(id, task, &stored);
    let next = [cx.command(&format!("evidence verify {}", shell_word(id)), None)];
    if cx.global.format() == Format::Table {
        for_people(cx, &evidence)?;
        return Ok(None);
    }
    let cells = |file: &EvidenceFile| {
        let sha = file.sha256.clone().unwrap_or_default();
        let (added, removed) = (file.added.to_string(), file.removed.to_string());
        vec![file.path.clone(), added, removed, file.deleted.to_string(), sha]
    };
    let rows = evidence.files.iter().map(cells).collect();
    cx.rows(&Answer {
        kind: "evidence.show",
        data: EvidenceShown { evidence },
        columns: &["path", "added", "removed", "deleted", "sha256"],
        flexible: &[],
        rows,
        warnings: &warnings,
        next: &next,
    })?;
    Ok(None)
}

/// The shape of an evidence file.
fn of(id: &str, task_id: Option<String>, stored: &Stored) -> Evidence {
    let mut shown = Evidence {
        appr_id: id.to_owned(),
        task_id,
        path: stored.name.clone(),
        sha256: stored.sha.clone(),
        diff_sha256: None,
        base: None,
        worktree: None,
        files: Vec::new(),
        diff: None,
        text: None,
    };
    let whole = String::from_utf8_lossy(&stored.bytes);
    match text::parse(&whole) {
        Ok(evidence) => {
            shown.diff_sha256 = Some(diff_sha256(evidence.diff));
            shown.base = evidence.front.base;
            shown.worktree = evidence.front.worktree;
            shown.files = evidence.front.files.into_iter().map(EvidenceFile::from).collect();
            shown.diff = Some(evidence.diff.to_owned());
        }
        Err(_) => shown.text = Some(whole.into_owned()),
    }
    shown
}

fn for_people(cx: &mut Cx<'_>, evidence: &Evidence) -> Result<()> {
    let mut facts = vec![("evidence", evidence.path.clone()), ("sha256", evidence.sha256.clone())];
    facts.extend(evidence.base.clone().map(|base| ("base", base)));
    facts.extend(evidence.worktree.clone().map(|tree| ("work tree", tree)));
    if evidence.diff.is_some() {
        let sum = |of: fn(&EvidenceFile) -> u64| evidence.files.iter().map(of).sum::<u64>();
        let (added, removed) = (sum(|file| file.added), sum(|file| file.removed));
        facts.push(("files", format!("{}, +{added} -{removed}", evidence.files.len())));
    }
    for (name, value) in facts {
        let _ = cx.ui.line(&format!("{:<11}{value}", format!("{name}:")))?;
    }
    let _ = cx.ui.line("")?;
    let _ = match (&evidence.diff, &evidence.text) {
        (Some(diff), _) => cx.ui.diff(diff)?,
        (None, text) => cx.ui.lines(text.as_deref().unwrap_or_default())?,
    };
    Ok(())
}

fn verify(cx: &mut Cx<'_>, ids: &[String]) -> End {
    let reader = Reader::open(cx)?;
    let snapshot = reader.snapshot(cx)?;
    let found = verify::verify(&reader.ctx, &snapshot, ids)?;
    let has = |kind| found.iter().any(|one| one.status.error() == Some(kind));
    let end = [ErrorKind::LedgerInvalid, ErrorKind::Stale].into_iter().find(|kind| has(*kind));
    if found.is_empty() && cx.global.format() == Format::Table {
        cx.ui.note("no approval names evidence");
        return Ok(None);
    }
    let short =
        |sha: Option<&str>| sha.map_or("", |sha| sha.get(..SHOWN).unwrap_or(sha)).to_owned();
    let for_people = cx.global.format() == Format::Table;
    let row = |one: &Verified| {
        let (sha, expected) = (one.sha(), one.expected.as_deref());
        let whole = |sha: Option<&str>| sha.unwrap_or_default().to_owned();
        let hashes =
            if for_people { [short(sha), short(expected)] } else { [whole(sha), whole(expected)] };
        let [sha, expected] = hashes;
        vec![one.appr_id.clone(), one.status.as_str().to_owned(), sha, expected, one.path.clone()]
    };
    let rows = found.iter().map(row).collect();
    let whys: Vec<String> = found
        .iter()
        .filter_map(|one| Some(format!("`{}`: {}", one.appr_id, one.why.as_ref()?)))
        .collect();
    let evidence: Vec<Shape> = found.into_iter().map(shape).collect();
    let total = evidence.len();
    cx.rows(&Answer {
        kind: "evidence.verify",
        data: EvidenceList { evidence, total, returned: total, truncated: false },
        columns: &["appr_id", "status", "sha256", "expected", "path"],
        flexible: &["path"],
        rows,
        warnings: &reader.ctx.warnings,
        next: &[],
    })?;
    for why in whys {
        cx.ui.warning(&why);
    }
    Ok(end)
}

fn shape(one: Verified) -> Shape {
    Shape {
        sha256: one.sha().map(str::to_owned),
        appr_id: one.appr_id,
        path: one.path,
        status: one.status.as_str().to_owned(),
        expected: one.expected,
        reason: one.why,
    }
}

fn apply(cx: &mut Cx<'_>, request: apply::Request<'_>) -> End {
    let reader = Reader::open(cx)?;
    let snapshot = reader.snapshot(cx)?;
    let cwd = cx.sys.env.current_dir();
    let cwd = cwd.map_err(|e| Error::io("find", Path::new("the working directory"), &e))?;
    let applied = apply::apply(&reader.ctx, &snapshot, &cwd, request)?;
    let mut warnings = reader.ctx.warnings.clone();
    if applied.is_unrecorded {
        let status = Status::Unrecorded.as_str();
        let warning = format!("the evidence `{}` is {status}: nobody vouches for it", applied.path);
        cx.ui.warning(&warning);
        warnings.push(warning);
    }
    if cx.global.format() == Format::Table {
        let files = applied.files.len();
        let what = match (request.check, request.reverse) {
            (true, false) => "can be applied to",
            (true, true) => "can be taken back from",
            (false, false) => "is applied to",
            (false, true) => "is taken back from",
        };
        let (id, tree, s) = (request.appr, &applied.worktree, if files == 1 { "" } else { "s" });
        let _ = cx.ui.line(&format!("{id} {what} {files} file{s} in {tree}"))?;
        if applied.already {
            cx.ui.note("it was so already; nothing changed");
        }
        return Ok(None);
    }
    let rows = applied.files.iter().map(|file| vec![file.clone()]).collect();
    cx.rows(&Answer {
        kind: "evidence.apply",
        data: EvidenceApplied {
            appr_id: request.appr.to_owned(),
            path: applied.path,
            sha256: applied.sha,
            worktree: applied.worktree,
            files: applied.files,
            check: request.check,
            reverse: request.reverse,
            already: applied.already,
        },
        columns: &["path"],
        flexible: &[],
        rows,
        warnings: &warnings,
        next: &[],
    })?;
    Ok(None)
}
