//! What whoever works on a task must know besides its row.
//!
//! Here: the detail section, its acceptance criteria, what the task depends on with
//! what came of it, and what was left by whoever worked on it before. Not here: how
//! much of it an answer holds (`answer`).

use crate::ledger::criteria::{self, Criterion};
use crate::ledger::handover::{self, of_section};
use crate::ledger::tasks::{RowId, TaskLedger};
use crate::model::field::TaskField;
use crate::model::handover::Handover;
use crate::store::snapshot::Snapshot;

/// All of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brief {
    /// The text of the detail section.
    pub detail: Option<String>,
    /// The same without what was handed over.
    pub plan: Option<String>,
    /// When the work is done.
    pub criteria: Vec<Criterion>,
    /// What it depends on, in the order of the task's `depends`.
    pub depends_on: Vec<Dependency>,
    /// The newest handover.
    pub handover: Option<Handover>,
}

/// A task that another depends on. One that is nowhere has no state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependency {
    /// Its id.
    pub id: String,
    /// What it was about.
    pub title: Option<String>,
    /// How far it is.
    pub state: Option<String>,
    /// What came of it.
    pub artifact: Option<String>,
}

/// Gathers it from the ledger as it is now. `snapshot` is asked for the archives alone.
pub fn of(tasks: &TaskLedger<'_>, snapshot: &Snapshot<'_>, id: &str, depends: &[&str]) -> Brief {
    let mut brief = Brief { depends_on: depends_on(tasks, snapshot, depends), ..Brief::default() };
    let Some((heading, body)) = tasks.section(id) else { return brief };
    let text = tasks.grid().text();
    let trimmed = |text: &str| {
        let text = text.trim_matches(['\r', '\n']);
        (!text.trim().is_empty()).then(|| text.to_owned())
    };
    let handovers = of_section(text, &tasks.grid().headings, &heading, &body);
    let (mut plan, mut at) = (String::new(), body.start);
    for (_, span) in &handovers {
        plan.push_str(&text[at..span.start]);
        at = span.end;
    }
    plan.push_str(&text[at..body.end]);
    brief.criteria = criteria::of(&plan);
    brief.plan = trimmed(plan.trim_end());
    brief.detail = Some(text[body].trim_matches(['\r', '\n']).to_owned());
    brief.handover = handover::last(&handovers).cloned();
    brief
}

fn depends_on(tasks: &TaskLedger<'_>, snapshot: &Snapshot<'_>, ids: &[&str]) -> Vec<Dependency> {
    let is_missing = |id: &&str| tasks.rows_of(id).is_empty();
    // The task itself is the news; an archive that cannot be read is told by `check`.
    let archives = ids.iter().any(is_missing).then(|| snapshot.archives().ok()).flatten();
    let archives: Vec<TaskLedger<'_>> = archives
        .into_iter()
        .flat_map(|archives| archives.values())
        .map(|text| TaskLedger::parse_any(text, "archive"))
        .collect();
    let find = |id: &str| {
        std::iter::once(tasks).chain(&archives).find_map(|ledger| {
            let row = *ledger.rows_of(id).first()?;
            Some(dependency(ledger, row))
        })
    };
    ids.iter()
        .map(|id| {
            find(id).unwrap_or_else(|| Dependency { id: (*id).to_owned(), ..Dependency::default() })
        })
        .collect()
}

fn dependency(ledger: &TaskLedger<'_>, row: RowId) -> Dependency {
    let cell = |field| ledger.cell(row, field).map(std::borrow::Cow::into_owned);
    Dependency {
        id: ledger.id(row).into_owned(),
        title: cell(TaskField::Title),
        state: cell(TaskField::State),
        artifact: cell(TaskField::Artifact),
    }
}
