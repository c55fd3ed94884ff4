//! `orch check`

use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::{ChangeArgs, Format};
use crate::cli::commands::doctor::tell;
use crate::error::ErrorKind;
use crate::services::check;
use crate::services::context::Mode;
use crate::services::doctor::Severity;
use crate::store::snapshot::{Files, Want};
use clap::Args;

/// Arguments of `orch check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Warnings fail too
    #[arg(long)]
    strict: bool,
    /// Accept hand edits that count for nothing until now (CMD): all, or those
    /// of these codes, rows or operations
    #[arg(long, value_name = "CODE|ID", num_args = 0.., conflicts_with = "strict")]
    accept: Option<Vec<String>>,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: CheckArgs) -> End {
    if let Some(names) = args.accept {
        let verb = Verb { command: "check --accept", kind: "check.accept" };
        return cx.change(&verb, args.change, &names, &|asked| {
            check::accept(asked.snapshot, asked.who, &names)
        });
    }
    let mut ctx = cx.context(Mode::Read)?;
    if let Ok(files) = Files::read(cx.sys, &ctx.layout, Want::All) {
        cx.look(&mut ctx, &files)?;
    }
    let found = check::findings(&ctx)?;
    let worst = found.iter().map(|f| f.severity).max().unwrap_or(Severity::Ok);
    if found.is_empty() && cx.global.format() == Format::Table {
        cx.ui.note("nothing found");
        return Ok(None);
    }
    tell(cx, "check", found, &ctx.warnings)?;
    let fails = if args.strict { Severity::Warning } else { Severity::Error };
    Ok((worst >= fails).then_some(ErrorKind::LedgerInvalid))
}
