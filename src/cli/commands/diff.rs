//! `orch diff`

use crate::cli::answer::{Answer, Cx, End};
use crate::cli::args::Format;
use crate::cli::render::comparison;
use crate::error::{Error, Result};
use crate::git::diff::{self, Change, Comparison, Kind};
use crate::git::revision::{Ledgers, Repository, Revision};
use crate::ledger::tasks::shell_word;
use crate::services::context::{Context, Mode};
use crate::wire::diff as wire;
use clap::Args;

/// Arguments of `orch diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// From this commit, branch or tag (default: HEAD); `A..B` is from A to B,
    /// `A...B` from where B left A to B
    #[arg(value_name = "REV")]
    from: Option<String>,
    /// To this one (default: the ledgers as they are now)
    #[arg(value_name = "REV")]
    to: Option<String>,
    /// Only these tasks, approvals and flags (`orch diff -- T-1`)
    #[arg(last = true, value_name = "ID")]
    ids: Vec<String>,
}

/// One side: no revision is now.
struct Side {
    at: Option<Revision>,
    ledgers: Ledgers,
}

pub(super) fn run(cx: &mut Cx<'_>, args: DiffArgs) -> End {
    let ctx = cx.context(Mode::Read)?;
    let (from, to) = sides(cx, &ctx, &args)?;
    let mut found = diff::compare(&from.ledgers, &to.ledgers);
    for id in &args.ids {
        if !diff::has(&from.ledgers, id) && !diff::has(&to.ledgers, id) {
            let message = format!("no task or approval `{id}` on either side");
            return Err(Error::not_found(message).hint(cx.command("list", None)));
        }
    }
    if !args.ids.is_empty() {
        found.only(&args.ids);
    }
    let mut warnings = ctx.warnings.clone();
    let unclear = found.unclear.iter().map(|(file, id)| {
        format!("{file}: `{id}` stands twice; its rows are compared as lines of text")
    });
    for warning in unclear.collect::<Vec<_>>() {
        cx.ui.warning(&warning);
        warnings.push(warning);
    }
    write(cx, &found, &from, &to, &warnings)?;
    if found.is_empty() && matches!(cx.global.format(), Format::Table) {
        let name = |side: &Side| match &side.at {
            Some(at) => format!("`{}`", at.typed),
            None => "now".to_owned(),
        };
        cx.ui.note(&format!("nothing differs between {} and {}", name(&from), name(&to)));
    }
    Ok(None)
}

/// What to compare. Before the first commit there is nothing in HEAD. Where
/// neither revision has a ledger at this place, there is nothing to compare.
fn sides(cx: &mut Cx<'_>, ctx: &Context, args: &DiffArgs) -> Result<(Side, Side)> {
    let repository = Repository::of(&ctx.sys, &ctx.layout)?;
    let now = || Ok(Side { at: None, ledgers: Ledgers::now(&ctx.sys, &ctx.layout)? });
    let at = |revision: Revision| {
        let ledgers = repository.ledgers(&revision)?;
        Ok::<_, Error>(Side { at: Some(revision), ledgers })
    };
    let both = |from: Revision, to: Revision| {
        let (from, to) = (at(from)?, at(to)?);
        if from.ledgers.files.is_empty() && to.ledgers.files.is_empty() {
            let name = |side: &Side| side.at.as_ref().map_or("", |at| &at.typed).to_owned();
            let (from, to, path) = (name(&from), name(&to), repository.ledger());
            let message = format!("neither `{from}` nor `{to}` has `{path}`: nothing to compare");
            return Err(Error::not_found(message).hint("orch log --commits"));
        }
        Ok((from, to))
    };
    let Some(typed) = &args.from else {
        if repository.is_unborn()? {
            cx.ui.note("nothing is committed yet");
            return Ok((Side { at: None, ledgers: Ledgers::default() }, now()?));
        }
        return Ok((at(repository.revision("HEAD")?)?, now()?));
    };
    let named = |typed: &str| {
        repository.revision(typed).map_err(|error| {
            // An id is easily taken for what is compared.
            let is_id = Ledgers::now(&ctx.sys, &ctx.layout).is_ok_and(|now| diff::has(&now, typed));
            if is_id {
                return error.hint(cx.command(&format!("diff -- {}", shell_word(typed)), None));
            }
            error
        })
    };
    match (range(typed), &args.to) {
        (Some(_), Some(_)) => {
            Err(Error::usage(format!("`{typed}` is a range already; leave the other revision out"))
                .hint("orch diff --help"))
        }
        (Some((from, to, is_merge_base)), None) => {
            let (from, to) = (named(from)?, named(to)?);
            let from = if is_merge_base { repository.merge_base(&from, &to)? } else { from };
            both(from, to)
        }
        (None, Some(to)) => both(named(typed)?, named(to)?),
        (None, None) => Ok((at(named(typed)?)?, now()?)),
    }
}

/// `A..B` and `A...B`; a side that is left out is HEAD. No name has two dots in
/// a row, but the text of a search (`:/a..b`) may.
fn range<'a>(typed: &'a str) -> Option<(&'a str, &'a str, bool)> {
    if typed.starts_with(":/") || typed.contains("^{/") {
        return None;
    }
    let (from, to) = typed.split_once("..")?;
    let (to, is_merge_base) = to.strip_prefix('.').map_or((to, false), |to| (to, true));
    let head = |side: &'a str| if side.is_empty() { "HEAD" } else { side };
    Some((head(from), head(to), is_merge_base))
}

fn write(
    cx: &mut Cx<'_>,
    found: &Comparison,
    from: &Side,
    to: &Side,
    warnings: &[String],
) -> Result<()> {
    match cx.global.format() {
        Format::Table => {
            let _ = cx.ui.emit(|out, options| {
                comparison::write(out, found, options.width, options.color_out)
            })?;
            Ok(())
        }
        Format::Md => {
            let _ = cx.ui.emit(|out, _| comparison::write_markdown(out, found))?;
            Ok(())
        }
        Format::Json | Format::Jsonl | Format::Csv => cx.rows(&Answer {
            kind: "ledger.diff",
            data: shape(found, from, to),
            columns: &["file", "kind", "id", "title", "column", "from", "to"],
            flexible: &[],
            rows: found.changes.iter().flat_map(rows).collect(),
            warnings,
            next: &[],
        }),
    }
}

/// A row for each cell; one without cells for what only went elsewhere.
fn rows(change: &Change) -> Vec<Vec<String>> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let row = |column: &str, from: String, to: String| {
        let (file, kind) = (change.file.clone(), word(change.kind).to_owned());
        let title = text(&change.title);
        vec![file, kind, change.id.clone(), title, column.to_owned(), from, to]
    };
    if change.cells.is_empty() {
        return vec![row("", String::new(), String::new())];
    }
    change.cells.iter().map(|(column, (from, to))| row(column, text(from), text(to))).collect()
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Changed => "changed",
        Kind::Archived => "archived",
        Kind::Restored => "restored",
    }
}

fn shape(found: &Comparison, from: &Side, to: &Side) -> wire::LedgerDiff {
    let moment = |side: &Side| wire::Moment {
        rev: side.at.as_ref().map(|at| at.typed.clone()),
        commit: side.at.as_ref().filter(|at| at.is_commit).map(|at| at.object.clone()),
    };
    let changes = found.changes.iter().map(|change| wire::Change {
        file: change.file.clone(),
        kind: word(change.kind).to_owned(),
        id: change.id.clone(),
        title: change.title.clone(),
        task: change.task.clone(),
        cells: change
            .cells
            .iter()
            .map(|(column, (from, to))| {
                (column.clone(), wire::Cell { from: from.clone(), to: to.clone() })
            })
            .collect(),
    });
    let texts = found.texts.iter().map(|place| wire::Text {
        file: place.file.clone(),
        line: place.line,
        removed: place.removed,
        added: place.added,
    });
    let files = found.files.iter();
    wire::LedgerDiff {
        changes: changes.collect(),
        total: found.changes.len(),
        returned: found.changes.len(),
        truncated: false,
        from: moment(from),
        to: moment(to),
        files: files
            .map(|(file, kind)| wire::File { file: file.clone(), kind: word(*kind).to_owned() })
            .collect(),
        texts: texts.collect(),
        respelled: found.respelled.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_are_those_of_git() {
        assert_eq!(range("a..b"), Some(("a", "b", false)));
        assert_eq!(range("a...b"), Some(("a", "b", true)));
        assert_eq!(range("..b"), Some(("HEAD", "b", false)));
        assert_eq!(range("a..."), Some(("a", "HEAD", true)));
        assert_eq!((range("HEAD~2"), range(":/a..b"), range("HEAD^{/a..b}")), (None, None, None));
    }
}
