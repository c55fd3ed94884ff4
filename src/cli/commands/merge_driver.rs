//! `orch merge-driver`

use crate::answer::exit;
use crate::cli::answer::{Cx, End};
use crate::cli::render::safe::safe;
use crate::error::{Error, Result};
use crate::git::merge_driver::{self, Request};
use crate::ledger::merge::{Cell, Conflict, Labels, What, Why};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `orch merge-driver`.
#[derive(Debug, Args)]
pub struct MergeDriverArgs {
    /// The common ancestor's version (%O)
    base: PathBuf,
    /// Our version (%A); the result replaces it
    ours: PathBuf,
    /// Their version (%B)
    theirs: PathBuf,
    /// How long the marks of a conflict are (%L)
    #[arg(default_value = "7")]
    marker_size: String,
    /// Where the file is in the repository (%P); its name says which ledger it is
    path: Option<String>,
    /// What to call our version (%X)
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    ours_label: Option<String>,
    /// What to call the ancestor's (%S)
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    base_label: Option<String>,
    /// What to call theirs (%Y)
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    theirs_label: Option<String>,
}

pub(super) fn run(cx: &mut Cx<'_>, args: MergeDriverArgs) -> End {
    match merge(cx, &args) {
        Ok(0) => Ok(None),
        Ok(_) => {
            cx.program_exit.set(Some(exit::CONFLICTS));
            Ok(None)
        }
        Err(error) => {
            cx.program_exit.set(Some(exit::NOT_MERGED));
            Err(error)
        }
    }
}

fn merge(cx: &mut Cx<'_>, args: &MergeDriverArgs) -> Result<usize> {
    let size: usize =
        args.marker_size.parse().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(|| {
            Error::usage(format!("`{}` is no length for the marks", args.marker_size))
        })?;
    let here =
        cx.sys.env.current_dir().map_err(|e| Error::io("find", std::path::Path::new("."), &e))?;
    // What an older git does not know it passes on as it stands.
    let label = |typed: &'_ Option<String>, else_: &'static str| match typed.as_deref() {
        None | Some("" | "%X" | "%S" | "%Y") => else_.to_owned(),
        Some(label) => label.replace(['\n', '\r'], " "),
    };
    let ours = label(&args.ours_label, "ours");
    let base = label(&args.base_label, "base");
    let theirs = label(&args.theirs_label, "theirs");
    let request = Request {
        base: here.join(&args.base),
        ours: here.join(&args.ours),
        theirs: here.join(&args.theirs),
        marker_size: size,
        path: args.path.as_deref().filter(|path| *path != "%P"),
        labels: Labels { ours: &ours, base: &base, theirs: &theirs },
    };
    let conflicts = merge_driver::run(cx.sys, &request)?;
    let path = request.path.unwrap_or("the file");
    // Between two ancestors nobody has to decide anything yet.
    let asked = if request.is_of_ancestors() { &[][..] } else { &conflicts[..] };
    for conflict in asked {
        cx.ui.conflict(&told(path, conflict, &request.labels));
    }
    Ok(conflicts.len())
}

/// One line: where, what, who.
fn told(path: &str, conflict: &Conflict, labels: &Labels<'_>) -> String {
    let line = conflict.line;
    let said = match &conflict.what {
        What::Row { id, columns, why } => {
            format!("{}: {}", safe(id.as_str()), disagreement(*why, columns, labels))
        }
        What::Header { columns } if columns.is_empty() => {
            "both sides changed the table's columns".to_owned()
        }
        What::Header { columns } => {
            format!("both sides renamed a column: {}", values(columns, labels))
        }
        What::Lines => "both sides changed these lines".to_owned(),
        What::Text => "both sides changed the tables so that no row can be told apart".to_owned(),
    };
    format!("{}:{line}: {said}", safe(path))
}

fn disagreement(why: Why, columns: &[Cell], labels: &Labels<'_>) -> String {
    let values = values(columns, labels);
    match why {
        Why::Changed => format!("both sides changed it: {values}"),
        Why::ClaimedTwice => format!("both sides changed who works on it: {values}"),
        Why::GivenAway => format!("one side gave it away, the other claimed it: {values}"),
        Why::DecidedTwice => format!("both sides changed what was decided: {values}"),
        Why::AddedTwice => format!("both sides added it: {values}"),
        Why::RemovedByOurs => format!("{} removed it, {} changed it", labels.ours, labels.theirs),
        Why::RemovedByTheirs => format!("{} changed it, {} removed it", labels.ours, labels.theirs),
        Why::ColumnDropped => format!("its column is gone on the other side: {values}"),
    }
}

/// Each column with what either side says.
fn values(columns: &[Cell], labels: &Labels<'_>) -> String {
    let value = |text: &str| match text {
        "" => "nothing".to_owned(),
        text => format!("`{}`", safe(text)),
    };
    let each = columns.iter().map(|cell| {
        let (ours, theirs) = (value(&cell.ours), value(&cell.theirs));
        let (o, t) = (safe(labels.ours), safe(labels.theirs));
        format!("{} {ours} ({o}) or {theirs} ({t})", safe(cell.column.as_str()))
    });
    each.collect::<Vec<_>>().join(", ")
}
