//! `orch check`

use crate::cli::answer::{Answer, Cx, End, Verb};
use crate::cli::args::{ChangeArgs, Format, Report};
use crate::cli::render::{finding, github};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::tasks::shell_word;
use crate::model::severity::Severity;
use crate::services::check::rules::{self, Rule};
use crate::services::check::{self, Count, Finding};
use crate::services::context::Mode;
use crate::store::discover::repository_root;
use crate::store::layout::Layout;
use crate::store::snapshot::{Files, Want};
use crate::wire::check::{CheckFinding, Checked, Explained};
use crate::wire::sarif::Log;
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of `orch check`. It also knows `--format sarif` and `github`.
#[derive(Debug, Args)]
#[command(after_help = "`--format sarif` and `--format github` are for code hosts.")]
#[allow(clippy::struct_excessive_bools)]
pub struct CheckArgs {
    /// Warnings fail too
    #[arg(long)]
    strict: bool,
    /// Show what CMD accepted, too
    #[arg(long)]
    all: bool,
    /// Tell what a code means, why it matters and how to mend it
    #[arg(long, value_name = "CODE", conflicts_with_all = ["strict", "all", "accept"])]
    explain: Option<String>,
    /// Look at what git would commit; fail only on what the commit brings in
    #[arg(long, conflicts_with_all = ["fix", "explain", "accept"])]
    staged: bool,
    /// Mend what has one right answer, as one operation: rows that blank lines
    /// keep from their table, lease mirrors that are left over
    #[arg(long, conflicts_with_all = ["strict", "all", "explain", "accept"])]
    fix: bool,
    /// Take errors and warnings as they are (CMD): all, or those of these codes,
    /// rows or operations; an edit by hand counts from then on
    #[arg(long, value_name = "CODE|ID", num_args = 0.., conflicts_with_all = ["strict", "all"])]
    accept: Option<Vec<String>>,
    #[command(flatten)]
    change: ChangeArgs,
    /// Look at these ledgers, or at those below these folders, and not at the
    /// workspace's
    #[arg(value_name = "PATH", conflicts_with_all = ["fix", "staged", "explain", "accept"])]
    paths: Vec<PathBuf>,
}

pub(super) fn run(cx: &mut Cx<'_>, args: CheckArgs) -> End {
    if let Some(code) = args.explain {
        return explain(cx, &code);
    }
    if let Some(names) = args.accept {
        let verb = Verb { command: "check --accept", kind: "check.accept" };
        return cx.change(&verb, args.change, &names, &|asked| {
            check::accept(asked.ctx, asked.snapshot, asked.who, &names)
        });
    }
    if args.fix {
        let verb = Verb { command: "check --fix", kind: "check.fix" };
        return cx.change(&verb, args.change, &(), &|asked| {
            check::fix(asked.ctx, asked.snapshot, asked.now)
        });
    }
    let mut told = Told { strict: args.strict, all: args.all, prefix: String::new() };
    if !args.paths.is_empty() {
        let found = check::paths(cx.sys, &args.paths)?;
        return tell(cx, found, &[], &told);
    }
    let mut ctx = cx.context(Mode::Read)?;
    told.prefix = prefix(cx, &ctx.layout);
    if args.staged {
        let found = check::staged(&ctx, cx.global.dir.clone())?;
        return tell(cx, found, &ctx.warnings, &told);
    }
    if let Ok(files) = Files::read(cx.sys, &ctx.layout, Want::All) {
        cx.look(&mut ctx, &files)?;
    }
    let found = check::workspace(&ctx)?;
    tell(cx, found, &ctx.warnings, &told)
}

/// What a commit brings into the workspace at `-C`, for a hook: silence is
/// success.
pub(super) fn of_commit(cx: &mut Cx<'_>) -> End {
    let ctx = cx.context(Mode::Read)?;
    let found = check::staged(&ctx, cx.global.dir.clone())?;
    if found.iter().all(|finding| finding.is_accepted) {
        return Ok(None);
    }
    // A commit may be about several workspaces: their paths begin where git's do.
    let prefix = prefix(cx, &ctx.layout);
    let whole = |mut finding: Finding| {
        let name = shell_word(&finding.file);
        finding.file.insert_str(0, &prefix);
        let there = shell_word(&finding.file);
        finding.help = finding.help.map(|help| match help.strip_suffix(&name) {
            Some(git) if git.starts_with("git ") => format!("{git}{there}"),
            _ => help,
        });
        finding
    };
    let told = Told { strict: false, all: false, prefix: String::new() };
    tell(cx, found.into_iter().map(whole).collect(), &ctx.warnings, &told)
}

/// Ledgers that a commit takes out of the repository, for a hook.
pub(super) fn taken_away(cx: &mut Cx<'_>, names: &[String]) -> End {
    let found = names.iter().map(|name| check::removed(name)).collect();
    tell(cx, found, &[], &Told { strict: false, all: false, prefix: String::new() })
}

/// What of the findings is asked for.
struct Told {
    strict: bool,
    all: bool,
    /// From the repository's top to where their paths begin.
    prefix: String,
}

fn tell(cx: &mut Cx<'_>, mut found: Vec<Finding>, warnings: &[String], told: &Told) -> End {
    found.retain(|finding| told.all || !finding.is_accepted);
    let count = Count::of(&found);
    match (cx.global.report(), cx.global.format()) {
        (Some(Report::Sarif), _) => sarif(cx, found, &told.prefix)?,
        (Some(Report::Github), _) => {
            let _ = cx.ui.emit(|out, _| {
                found.iter().try_for_each(|f| writeln!(out, "{}", github::line(f, &told.prefix)))
            })?;
        }
        (None, Format::Table) => for_people(cx, &found, count)?,
        (None, _) => rows(cx, found, warnings)?,
    }
    let fails = count.errors > 0 || (told.strict && count.warnings > 0);
    Ok(fails.then_some(ErrorKind::LedgerInvalid))
}

fn for_people(cx: &mut Cx<'_>, found: &[Finding], count: Count) -> Result<()> {
    if found.is_empty() {
        cx.ui.note("nothing found");
        return Ok(());
    }
    let _ = cx.ui.emit(|out, options| {
        for (n, each) in found.iter().enumerate() {
            let gap = if n > 0 { "\n" } else { "" };
            write!(out, "{gap}{}", finding::text(each, options.width, options.color_out))?;
        }
        Ok(())
    })?;
    let counts = [(count.errors, "error"), (count.warnings, "warning"), (count.notes, "note")];
    let said: Vec<String> = counts
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}{}", if n == 1 { "" } else { "s" }))
        .collect();
    if !said.is_empty() {
        cx.ui.note(&said.join(", "));
    }
    Ok(())
}

/// The way from the repository's top to the workspace, with a slash at its end:
/// code hosts begin there.
fn prefix(cx: &Cx<'_>, layout: &Layout) -> String {
    let top = repository_root(cx.sys, layout);
    let below = layout.root.strip_prefix(top).unwrap_or(Path::new(""));
    let parts = below.iter().map(|part| format!("{}/", part.to_string_lossy()));
    parts.collect()
}

fn sarif(cx: &mut Cx<'_>, found: Vec<Finding>, prefix: &str) -> Result<()> {
    let rules = rules::ALL.iter().map(|rule| explained(rule)).collect();
    let found: Vec<CheckFinding> = found.into_iter().map(shape).collect();
    let log = Log::of(env!("CARGO_PKG_VERSION"), rules, &found, prefix);
    let _ = cx.ui.emit(|out, _| {
        serde_json::to_writer(&mut *out, &log)?;
        out.write_all(b"\n")
    })?;
    Ok(())
}

fn rows(cx: &mut Cx<'_>, found: Vec<Finding>, warnings: &[String]) -> Result<()> {
    let columns = ["severity", "code", "file", "line", "column", "message", "help"];
    let number = |n: usize| if n == 0 { String::new() } else { n.to_string() };
    let rows = found
        .iter()
        .map(|f| {
            vec![
                f.severity.as_str().to_owned(),
                f.code.to_owned(),
                f.file.clone(),
                number(f.line),
                number(f.column),
                f.message.clone(),
                f.help.clone().unwrap_or_default(),
            ]
        })
        .collect();
    // What to do about it stands in `help`; what it means, one command further.
    let worst = found.iter().filter(|f| f.severity > Severity::Note).max_by_key(|f| f.severity);
    let next: Vec<String> = worst
        .map(|finding| cx.command(&format!("check --explain {}", finding.code), None))
        .into_iter()
        .collect();
    let findings: Vec<CheckFinding> = found.into_iter().map(shape).collect();
    let total = findings.len();
    cx.rows(&Answer {
        kind: "check",
        data: Checked { findings, total, returned: total, truncated: false },
        columns: &columns,
        flexible: &[],
        rows,
        warnings,
        next: &next,
    })
}

fn shape(finding: Finding) -> CheckFinding {
    let given = |n: usize| (n > 0).then_some(n);
    CheckFinding {
        code: finding.code.to_owned(),
        severity: finding.severity.as_str().to_owned(),
        line: given(finding.line),
        column: given(finding.column),
        end_column: given(finding.end_column),
        snippet: finding.snippet.map(|snippet| snippet.text),
        file: finding.file,
        message: finding.message,
        help: finding.help,
        row: finding.row,
        accepted: finding.is_accepted,
    }
}

fn explain(cx: &mut Cx<'_>, code: &str) -> End {
    let rule = rules::named(code).ok_or_else(|| unknown(code))?;
    let Rule { code, severity, says, why, example, mend } = rule;
    if cx.global.format() == Format::Table {
        let mut text = format!("{code} ({}): {says}\n\n", severity.as_str());
        wrap(why, &mut text);
        text.push_str("\nExample:\n\n");
        for line in example.lines() {
            text.push_str(&format!("    {line}\n"));
        }
        text.push('\n');
        wrap(mend, &mut text);
        let _ = cx.ui.lines(&text)?;
        return Ok(None);
    }
    let data = explained(rule);
    let row = vec![data.code.clone(), data.severity.clone(), data.says.clone()];
    let columns = ["code", "severity", "says"];
    let answer = Answer {
        kind: "check.explain",
        data,
        columns: &columns,
        flexible: &[],
        rows: vec![row],
        warnings: &[],
        next: &[],
    };
    cx.rows(&answer)?;
    Ok(None)
}

fn explained(rule: &Rule) -> Explained {
    Explained {
        code: rule.code.to_owned(),
        severity: rule.severity.as_str().to_owned(),
        says: rule.says.to_owned(),
        why: rule.why.to_owned(),
        example: rule.example.to_owned(),
        mend: rule.mend.to_owned(),
    }
}

/// Adds a text in lines of at most 80 characters.
fn wrap(text: &str, to: &mut String) {
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 {
            let fits = used + 1 + length <= 80;
            to.push(if fits { ' ' } else { '\n' });
            used = if fits { used + 1 } else { 0 };
        }
        to.push_str(word);
        used += length;
    }
    to.push('\n');
}

/// The error for a code that no rule has, with the nearest one.
fn unknown(code: &str) -> Error {
    let distance = |known: &str| strsim::damerau_levenshtein(known, code);
    let near = rules::ALL.iter().map(|rule| rule.code).min_by_key(|known| distance(known));
    let near = near.unwrap_or_default();
    Error::not_found(format!("no rule has the code `{code}`; the nearest is `{near}`"))
        .hint(format!("orch check --explain {near}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_wrapped_between_words() {
        let mut out = String::new();
        wrap(&"twelve words! ".repeat(12), &mut out);
        assert!(out.lines().count() > 1 && out.lines().all(|line| line.len() <= 80), "{out}");
        assert_eq!(out.split_whitespace().count(), 24);
    }

    #[test]
    fn an_unknown_code_names_the_nearest() {
        let error = unknown("duplicate-ids");
        assert_eq!(error.hint.as_deref(), Some("orch check --explain duplicate-id"));
    }
}
