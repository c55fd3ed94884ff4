//! `orch migrate`

use crate::cli::answer::{Cx, End};
use crate::cli::args::{ChangeArgs, Format};
use crate::cli::render::migrate as words;
use crate::error::{Error, Result};
use crate::ledger::foreign::Form;
use crate::model::actor::Actor;
use crate::model::task_state::State;
use crate::services::change;
use crate::services::context::{Context, Mode};
use crate::services::migrate::plan::{Plan, Target};
use crate::services::migrate::{self, Asked, Request, inputs};
use crate::wire::migrate::{Kept, Left, Mapping, Migrated, Restored, RolledBack, Source, Word};
use clap::{Args, ValueEnum};
use std::cell::RefCell;
use std::path::Path;

/// Arguments of `orch migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Files, or the folder of a board; without any this workspace's own ledgers
    #[arg(value_name = "FILE", conflicts_with = "rollback")]
    files: Vec<String>,
    /// Read only tasks that are written like this
    #[arg(long, value_name = "FORM")]
    from: Option<From>,
    /// A field becomes this column or attribute, or `detail` (several times)
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// A word for a state stands for this one (several times)
    #[arg(long, value_name = "WORD=STATE")]
    state: Vec<String>,
    /// A name in the sources is this actor here (several times)
    #[arg(long, value_name = "NAME=ACTOR")]
    owner: Vec<String>,
    /// Bring the former bytes back, of the newest migration or of this operation
    #[arg(long, value_name = "OP", num_args = 0..=1, default_missing_value = "")]
    rollback: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// How tasks are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum From {
    /// Headings with bullets
    Headings,
    /// Rows of tables
    Table,
    /// List items with a box
    Checkboxes,
    /// A folder of files with front matter
    Board,
}

impl From {
    const fn form(self) -> Form {
        match self {
            Self::Headings => Form::Headings,
            Self::Table => Form::Table,
            Self::Checkboxes => Form::Checkboxes,
            Self::Board => Form::Board,
        }
    }
}

pub(super) fn run(cx: &mut Cx<'_>, args: MigrateArgs) -> End {
    if let Some(operation) = args.rollback {
        let said = [args.map, args.state, args.owner].concat();
        if !said.is_empty() || args.from.is_some() {
            return Err(Error::usage("`--rollback` brings back what was there; it maps nothing")
                .hint("orch migrate --help"));
        }
        return rollback(cx, &operation, args.change);
    }
    let request = request(&args)?;
    let ctx = cx.context(Mode::Change)?;
    let here = cx.sys.env.current_dir().map_err(|e| Error::io("find", Path::new("."), &e))?;
    let asked_for = (&args.files, &args.map, &args.state, &args.owner, request.only);
    let change = cx.asked(&ctx, "migrate", args.change, &asked_for)?;
    // Before the lock is taken: a folder may be large, and a file far away.
    let inputs = inputs::read(cx.sys, &ctx.layout, &here, &args.files);
    let planned: RefCell<Plan> = RefCell::default();
    let changed = change::run(
        &ctx,
        &change,
        &|snapshot, now| {
            let asked = Asked { ctx: &ctx, snapshot, who: &change.who, now };
            let inputs = inputs.as_ref().map_err(Clone::clone)?;
            let (decision, plan) = migrate::migrate(asked, inputs, &request, &words::report)?;
            planned.replace(plan);
            Ok(decision)
        },
        &|report| {
            let answer = shape(&planned.borrow(), report);
            serde_json::to_value(answer).unwrap_or_default()
        },
    )?;
    let answer: Migrated = serde_json::from_value(changed.data.clone()).unwrap_or_default();
    let warnings = all_warnings(&ctx, &changed.warnings);
    let end = tell(cx, &answer, &planned.borrow(), &changed.data, &warnings);
    cx.told(&change, &changed.data, &changed.warnings, end)?;
    Ok(None)
}

fn all_warnings(ctx: &Context, changed: &[String]) -> Vec<String> {
    ctx.warnings.iter().chain(changed).cloned().collect()
}

fn request(args: &MigrateArgs) -> Result<Request> {
    let mut request = Request {
        only: args.from.map(From::form),
        is_plan: args.change.dry_run,
        ..Request::default()
    };
    for text in &args.map {
        let (field, column) = pair("--map", text)?;
        if column.is_empty() {
            return Err(Error::usage(format!(
                "`--map {text}` would drop a field, and nothing is dropped; `{field}=detail` keeps \
                 it as text"
            ))
            .hint("orch migrate --help"));
        }
        request.map.push((field, column));
    }
    for text in &args.state {
        let (word, state) = pair("--state", text)?;
        let state = State::parse(&state.to_uppercase()).ok_or_else(|| {
            let all: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
            Error::usage(format!("`{state}` is no state; write one of {}", all.join(", ")))
                .hint("orch migrate --help")
        })?;
        request.states.push((word, state));
    }
    for text in &args.owner {
        let (name, actor) = pair("--owner", text)?;
        if Actor::parse(&actor).is_none() {
            return Err(Error::usage(format!(
                "`{actor}` is no actor; write CMD, WORK or AUDIT, or a role with a name such as \
                 `WORK@ada`"
            ))
            .hint("orch migrate --help"));
        }
        request.owners.push((name, actor));
    }
    Ok(request)
}

fn pair(option: &str, text: &str) -> Result<(String, String)> {
    match text.rsplit_once('=') {
        Some((left, right)) if !left.trim().is_empty() => {
            Ok((left.trim().to_owned(), right.trim().to_owned()))
        }
        _ => {
            Err(Error::usage(format!("`{option} {text}` is no NAME=VALUE"))
                .hint("orch migrate --help"))
        }
    }
}

fn shape(plan: &Plan, report: &change::Report<'_>) -> Migrated {
    let file = |source: usize| plan.sources[source].name.clone();
    let path = |path: &str| Some(path.to_owned()).filter(|path| !path.is_empty());
    Migrated {
        sources: plan
            .sources
            .iter()
            .map(|source| Source {
                name: source.name.clone(),
                own: source.own,
                sha256: source.sha256.clone(),
                forms: source.forms.iter().map(|(f, n)| (f.as_str().to_owned(), *n)).collect(),
                same: source.same,
            })
            .collect(),
        mappings: plan.mappings.iter().map(|m| mapping(&m.field, &m.target, m.count)).collect(),
        words: plan
            .words
            .iter()
            .map(|word| Word {
                name: word.column.clone(),
                from: word.from.clone(),
                to: word.to.clone(),
                count: word.count,
            })
            .collect(),
        kept: plan
            .kept
            .iter()
            .map(|kept| Kept {
                file: file(kept.source),
                line: kept.line,
                id: kept.id.clone(),
                field: kept.field.clone(),
                reason: words::kept(kept.why).to_owned(),
            })
            .collect(),
        left: plan
            .left
            .iter()
            .map(|(source, left)| Left {
                file: file(*source),
                line: left.line,
                count: left.count,
                reason: words::left(&left.why),
            })
            .collect(),
        columns: plan
            .columns
            .iter()
            .map(|(file, names)| (file.clone(), names.iter().map(|n| (*n).to_owned()).collect()))
            .collect(),
        tables: plan.tables.clone(),
        tasks: plan.tasks(),
        states: plan.states.clone(),
        approvals: plan.approvals(),
        statuses: plan.statuses.clone(),
        details: plan.details,
        findings: words::findings(plan),
        backup: path(&plan.backup.folder).filter(|_| report.op.is_some()),
        report: path(&plan.backup.report).filter(|_| report.op.is_some()),
        already: report.outcome.already,
        op: report.op.map(Into::into),
        diff: report.diff.map(str::to_owned),
    }
}

fn mapping(field: &str, target: &Target, count: usize) -> Mapping {
    let (target, name) = match target {
        Target::Column(name) => ("column", Some((*name).to_owned())),
        Target::Other(name) => ("column", Some(name.clone())),
        Target::Attribute(key) => ("attribute", Some(key.clone())),
        Target::Detail => ("detail", None),
    };
    Mapping { field: field.to_owned(), target: target.to_owned(), name, count }
}

fn tell(
    cx: &mut Cx<'_>,
    answer: &Migrated,
    plan: &Plan,
    data: &serde_json::Value,
    warnings: &[String],
) -> Result<()> {
    let next = match answer.op {
        Some(_) => vec![cx.command("list", None)],
        None => Vec::new(),
    };
    match cx.global.format() {
        Format::Json => return cx.json("ledger.migrate", data, warnings, &next),
        Format::Jsonl => {
            let _ = cx.ui.emit(|out, _| writeln!(out, "{data}"))?;
            return Ok(());
        }
        Format::Table | Format::Md | Format::Csv => {}
    }
    // The same key again: what was said the first time is in the report.
    if !plan.sources.is_empty() {
        let _ = cx.ui.lines(&words::report(plan))?;
    }
    if let Some(diff) = answer.diff.as_deref().filter(|diff| !diff.is_empty()) {
        let _ = cx.ui.line("")?;
        let _ = cx.ui.diff(diff)?;
        return Ok(());
    }
    if answer.already {
        cx.ui.note("it was so already; nothing changed");
    } else if let Some(report) = &answer.report {
        cx.ui.note(&format!("this report is kept as {report}"));
    }
    cx.next_for_people(&next);
    Ok(())
}

fn rollback(cx: &mut Cx<'_>, operation: &str, args: ChangeArgs) -> End {
    let ctx = cx.context(Mode::Change)?;
    let change = cx.asked(&ctx, "migrate --rollback", args, &operation)?;
    let operation = Some(operation).filter(|operation| !operation.is_empty());
    let back: RefCell<migrate::RolledBack> = RefCell::default();
    let changed = change::run(
        &ctx,
        &change,
        &|snapshot, now| {
            let asked = Asked { ctx: &ctx, snapshot, who: &change.who, now };
            let (decision, rolled) = migrate::rollback(asked, operation)?;
            back.replace(rolled);
            Ok(decision)
        },
        &|report| {
            let back = back.borrow();
            let files = back
                .files
                .iter()
                .map(|(file, sha256)| Restored { file: file.clone(), sha256: sha256.clone() });
            let answer = RolledBack {
                migration: back.op.clone(),
                files: files.collect(),
                backup: back.folder.clone(),
                already: report.outcome.already,
                op: report.op.map(Into::into),
                diff: report.diff.map(str::to_owned),
            };
            serde_json::to_value(answer).unwrap_or_default()
        },
    )?;
    let answer: RolledBack = serde_json::from_value(changed.data.clone()).unwrap_or_default();
    let warnings = all_warnings(&ctx, &changed.warnings);
    let end = tell_back(cx, &answer, &changed.data, &warnings);
    cx.told(&change, &changed.data, &changed.warnings, end)?;
    Ok(None)
}

fn tell_back(
    cx: &mut Cx<'_>,
    answer: &RolledBack,
    data: &serde_json::Value,
    warnings: &[String],
) -> Result<()> {
    match cx.global.format() {
        Format::Json => return cx.json("ledger.rollback", data, warnings, &[]),
        Format::Jsonl => {
            let _ = cx.ui.emit(|out, _| writeln!(out, "{data}"))?;
            return Ok(());
        }
        Format::Table | Format::Md | Format::Csv => {}
    }
    if let Some(diff) = &answer.diff {
        let _ = cx.ui.diff(diff)?;
        return Ok(());
    }
    if answer.already {
        cx.ui.note("it was rolled back already; nothing changed");
        return Ok(());
    }
    for Restored { file, sha256 } in &answer.files {
        let short = sha256.get(..12).unwrap_or(sha256);
        let _ = cx.ui.line(&format!("{file} is as it was before the migration ({short})"))?;
    }
    cx.ui.note(&format!("the backup stays in {}", answer.backup));
    Ok(())
}
