//! `migrate`: ledgers of other shapes become rows of ours.
//!
//! Here: the order of the steps. In the folder: `inputs` reads files, `map`
//! turns fields into cells, `plan` says what came of each, `write` makes the new
//! texts, `verify` reads them again, `backup` keeps what was there, `rollback`
//! brings it back. Not here: what a task looks like elsewhere
//! (`ledger::foreign`), words for people (`cli::render::migrate`).
//! Invariant: nothing is written before the new texts were read again and say
//! what the sources said; the backup and the change are one operation.
//!
//! ```text
//!  files ─▶ foreign::read ─▶ map ─▶ write ─▶ verify ─▶ backup ─▶ services::change
//!             items            rows    texts     │
//!                                                └─▶ no: nothing is written
//! ```

mod backup;
pub mod inputs;
mod map;
pub mod plan;
mod rollback;
mod verify;
mod write;

use crate::error::{Error, Result};
use crate::ledger::document::Kind;
use crate::ledger::foreign::{self, Ask, Form, Found};
use crate::ledger::render::Rendered;
use crate::model::actor::Role;
use crate::model::outcome::Outcome;
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::services::change::Decision;
use crate::services::check;
use crate::services::context::{Context, Identity};
use crate::store::snapshot::Snapshot;

use inputs::{Input, Origin};
use map::{Mapper, Row};
use plan::{Plan, Source};
pub use rollback::{RolledBack, rollback};

/// What a person says of the sources.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Only this form.
    pub only: Option<Form>,
    /// Which of our columns or attributes a field is.
    pub map: Vec<(String, String)>,
    /// What a state's word stands for.
    pub states: Vec<(String, State)>,
    /// Who an owner's name is here.
    pub owners: Vec<(String, String)>,
    /// Nothing is to be written: anybody may look at a plan.
    pub is_plan: bool,
}

/// Who asks, and on what.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'q> {
    /// The workspace.
    pub ctx: &'q Context,
    /// Both ledgers; the task ledger may have no table yet.
    pub snapshot: &'q Snapshot<'q>,
    /// The caller.
    pub who: &'q Identity,
    /// The present.
    pub now: Timestamp,
}

/// Everything of one ledger's kind that comes.
#[derive(Debug, Default)]
struct Coming {
    rows: Vec<Row>,
}

/// Plans a migration and makes its texts. `report` words the plan for people:
/// it is kept beside the backup.
///
/// # Errors
/// `not_allowed` for anybody but CMD, and for ids that cannot come;
/// `ledger_invalid` for sources that cannot be used.
pub fn migrate(
    asked: Asked<'_>,
    inputs: &[Input],
    request: &Request,
    report: &dyn Fn(&Plan) -> String,
) -> Result<(Decision, Plan)> {
    let Asked { ctx, snapshot, who, now } = asked;
    let mut decision = Decision::new(Outcome::default());
    let may = request.is_plan || who.actor.role() == Role::Cmd;
    if !who.may(may, &mut decision.waivers) {
        return Err(not_cmd("migrate", who));
    }
    let mut plan = Plan::default();
    let (mut tasks, mut approvals) = (Coming::default(), Coming::default());
    let mut mapper = Mapper::new(asked, request);
    let mut read = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        let text = text_of(snapshot, input)?;
        let found = look(asked, input, text, request)?;
        plan.sources.push(Source::of(input, text, &found));
        plan.left.extend(found.left.iter().map(|left| (at, left.clone())));
        read.push((text, found));
    }
    known_fields(request, &read)?;
    mapper.know_ids(read.iter().flat_map(|(_, found)| &found.items));
    for (at, (text, found)) in read.iter().enumerate() {
        for item in &found.items {
            let row = mapper.map(at, &inputs[at].name, text, item, &mut plan);
            let coming = if item.kind == Kind::Tasks { &mut tasks } else { &mut approvals };
            coming.rows.push(row);
        }
    }
    once(&tasks, inputs)?;
    once(&approvals, inputs)?;
    verify::may_come(asked, inputs, &mut tasks.rows, Kind::Tasks, &mut plan)?;
    verify::may_come(asked, inputs, &mut approvals.rows, Kind::Approvals, &mut plan)?;
    verify::no_decision_on_open_tasks(asked, inputs, &approvals.rows, &tasks.rows)?;
    let texts = [(Kind::Tasks, &tasks), (Kind::Approvals, &approvals)].map(|(kind, coming)| {
        let own = inputs.iter().position(|input| input.origin == Origin::Own(kind));
        write::write(asked, kind, own, &coming.rows, &mut plan)
    });
    let [new_tasks, new_approvals] = texts;
    let (new_tasks, new_approvals) = (new_tasks?, new_approvals?);
    plan.count(&tasks.rows, &approvals.rows);
    if new_tasks.is_none() && new_approvals.is_none() {
        nothing_in(inputs, &plan, snapshot)?;
        decision.outcome.already = true;
        decision.waivers.clear();
        return Ok((decision, plan));
    }
    verify::verify(asked, Kind::Tasks, new_tasks.as_deref(), &tasks.rows)?;
    verify::verify(asked, Kind::Approvals, new_approvals.as_deref(), &approvals.rows)?;
    plan.findings = check::of_texts(
        ctx,
        snapshot,
        new_tasks.as_deref().unwrap_or_else(|| snapshot.tasks.grid().text()),
        new_approvals.as_deref().unwrap_or_else(|| snapshot.approvals.grid().text()),
    )?;
    let mut texts = Rendered { tasks: new_tasks, approvals: new_approvals, ..Rendered::default() };
    let sources: Vec<(&Input, &str)> =
        inputs.iter().zip(&read).map(|(input, (text, _))| (input, *text)).collect();
    backup::keep(ctx, who, now, &sources, snapshot, &mut texts, &mut plan, report)?;
    decision.texts = Some(texts);
    decision.outcome.tasks = Some(tasks.rows.into_iter().map(|row| row.id).collect());
    Ok((decision, plan))
}

fn not_cmd(what: &str, who: &Identity) -> Error {
    Error::not_allowed(format!("`{what}` needs CMD; you are `{}`", who.actor)).hint("orch status")
}

/// The bytes of a source: our own ledgers are as the snapshot has them.
fn text_of<'t>(snapshot: &'t Snapshot<'_>, input: &'t Input) -> Result<&'t str> {
    match input.origin {
        Origin::Own(Kind::Tasks) => Ok(snapshot.tasks.grid().text()),
        Origin::Own(Kind::Approvals) => Ok(snapshot.approvals.grid().text()),
        Origin::File => crate::ledger::source::text(&input.bytes, &input.name)
            .map_err(|error| error.hint("orch migrate --help")),
    }
}

/// Reads one source.
fn look(asked: Asked<'_>, input: &Input, text: &str, request: &Request) -> Result<Found> {
    let own = match input.origin {
        Origin::Own(kind) => Some(kind),
        Origin::File => None,
    };
    let ask = Ask { path: &input.name, only: request.only, own, map: &request.map };
    let has_row = |id: &str| match own {
        Some(Kind::Tasks) => !asked.snapshot.tasks.rows_of(id).is_empty(),
        Some(Kind::Approvals) => asked.snapshot.approvals.find(id).is_ok(),
        None => false,
    };
    let found = foreign::read(text, ask, &has_row)?;
    if own.is_none()
        && !found.items.is_empty()
        && let Some((c, at)) = foreign::detail::refused(text)
    {
        let (line, column) = crate::ledger::source::position(text, at);
        return Err(Error::invalid(format!(
            "the file holds U+{:04X}, a control or bidirectional character, which no ledger takes",
            c as u32
        ))
        .at(&input.name, line, column)
        .hint("orch migrate --help"));
    }
    Ok(found)
}

/// A field that a person named must be there: a slip of the pen would leave its
/// values elsewhere.
fn known_fields(request: &Request, read: &[(&str, Found)]) -> Result<()> {
    for (name, _) in &request.map {
        let items = || read.iter().flat_map(|(_, found)| &found.items);
        let is_there = items()
            .any(|item| item.fields.iter().any(|field| foreign::names::same(&field.key, name)));
        // The field of the id is no field of an item any more.
        let is_id = request.map.iter().any(|(field, target)| {
            field == name
                && foreign::names::of_task(target)
                    == foreign::names::Meaning::Column(crate::model::field::TaskField::TaskId)
        });
        let stays = |item: &&foreign::Item| {
            item.kind == Kind::Tasks
                && item.fields.iter().any(|f| foreign::names::same(&f.key, name))
        };
        if is_id && let Some(item) = items().find(stays) {
            return Err(Error::usage(format!(
                "two fields for task_id: `{name}`, and the one that says `{}` in line {}",
                item.id, item.line
            ))
            .hint("orch migrate --help"));
        }
        if !is_there && !is_id {
            let mut known: Vec<&str> =
                items().flat_map(|item| item.fields.iter().map(|f| f.key.as_str())).collect();
            known.sort_unstable();
            known.dedup();
            return Err(Error::usage(format!(
                "no source has a field `{name}`; they have: {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ))
            .hint("orch migrate --help"));
        }
    }
    Ok(())
}

/// No id comes twice.
fn once(coming: &Coming, inputs: &[Input]) -> Result<()> {
    let mut seen = std::collections::HashMap::new();
    for row in &coming.rows {
        if let Some(first) = seen.insert(row.id.as_str(), row) {
            let first: &Row = first;
            return Err(Error::invalid(format!(
                "the id `{}` stands twice: here and in `{}`, line {}",
                row.id, inputs[first.source].name, first.line
            ))
            .at(&inputs[row.source].name, row.line, 1)
            .hint("orch migrate --help"));
        }
    }
    Ok(())
}

/// Where nothing changes: whether that is because all is there already.
fn nothing_in(inputs: &[Input], plan: &Plan, snapshot: &Snapshot<'_>) -> Result<()> {
    for (at, input) in inputs.iter().enumerate() {
        let own = input.origin == Origin::Own(Kind::Tasks);
        let nothing = match input.origin {
            Origin::Own(Kind::Tasks) => snapshot.tasks.grid().tables.is_empty(),
            Origin::Own(Kind::Approvals) => false,
            // The files of a folder are one source.
            Origin::File => {
                let same = |other: &&Input| other.typed == input.typed;
                let any = inputs.iter().zip(&plan.sources).filter(|(i, _)| same(i));
                any.map(|(_, source)| source.items()).sum::<usize>() == 0
            }
        };
        if !nothing {
            continue;
        }
        let left = plan.left.iter().find(|(source, _)| *source == at).map(|(_, left)| left.line);
        let what = if own { "no ledger table and no task" } else { "no task" };
        return Err(Error::invalid(format!(
            "{what} that can be told by an id: a heading with bullets, a row of a table, a box, or front matter"
        ))
        .at(&input.name, left.unwrap_or(0), 0)
        .hint("orch migrate --help"));
    }
    Ok(())
}
