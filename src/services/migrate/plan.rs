//! What a migration does, for people and programs: which field became what, how
//! words were read, what stays text.

use crate::ledger::document::Kind;
use crate::ledger::foreign::{Form, Found, Left};
use crate::services::check::Finding;
use crate::services::migrate::inputs::{Input, Origin};
use crate::services::migrate::map::Row;
use crate::store::entry::sha256_hex;
use std::collections::BTreeMap;

/// What a field became.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A canonical column.
    Column(&'static str),
    /// A column of another name.
    Other(String),
    /// A word in `notes`.
    Attribute(String),
    /// Text of the detail section.
    Detail,
}

/// A field of the sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// As it is written.
    pub field: String,
    /// What it became.
    pub target: Target,
    /// How often.
    pub count: usize,
}

/// A word that was read as another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The column or attribute.
    pub column: String,
    /// As it is written.
    pub from: String,
    /// As it is now.
    pub to: String,
    /// How often.
    pub count: usize,
}

/// A value that did not go where its field goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which source.
    pub source: usize,
    /// 1-based line of the task.
    pub line: usize,
    /// The row.
    pub id: String,
    /// The field.
    pub field: String,
    /// Why.
    pub why: KeptWhy,
}

/// Why a value stays as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptWhy {
    /// No state that we know: the cell has the word.
    State,
    /// No actor: the cell has the word.
    Owner,
    /// No priority that we know: the attribute has the word.
    Priority,
    /// No status that we know: the cell has the word.
    Status,
    /// A time that could be several: the detail section has it.
    Time,
    /// Several values for one cell: the detail section has them.
    Several,
    /// Words that are no ids: the detail section has them.
    NoIds,
    /// The column has the value of another field: the detail section has it.
    Twice,
}

/// One source, as it was read.
#[derive(Debug, Clone)]
pub struct Source {
    /// As people read it.
    pub name: String,
    /// Whether it is a ledger of this workspace, which is turned in place.
    pub own: bool,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// How many tasks or approvals of each form it has.
    pub forms: BTreeMap<Form, usize>,
    /// How many of them are there already with the same values.
    pub same: usize,
}

impl Source {
    /// Of what was read.
    pub(super) fn of(input: &Input, text: &str, found: &Found) -> Self {
        let mut forms = BTreeMap::new();
        for item in &found.items {
            *forms.entry(item.form).or_default() += 1;
        }
        let own = input.origin != Origin::File;
        let sha256 = sha256_hex(text.as_bytes());
        Self { name: input.name.clone(), own, sha256, forms, same: 0 }
    }

    /// How many tasks and approvals it has.
    pub fn items(&self) -> usize {
        self.forms.values().sum()
    }
}

/// Where the backup of a migration is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backup {
    /// Its folder, from the workspace's root.
    pub folder: String,
    /// The report in it.
    pub report: String,
}

/// How many words are told one by one.
const MOST_WORDS: usize = 200;

/// What a migration does.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What was read.
    pub sources: Vec<Source>,
    /// Every field, in the order of the first time.
    pub mappings: Vec<Mapping>,
    /// Every word that was read as another.
    pub words: Vec<Word>,
    /// Values that stay as they are written.
    pub kept: Vec<Kept>,
    /// What stays text, by source.
    pub left: Vec<(usize, Left)>,
    /// Columns that a ledger got, by its name.
    pub columns: Vec<(String, Vec<&'static str>)>,
    /// Ledgers that got a table.
    pub tables: Vec<String>,
    /// Rows whose detail stands in a fence, since it would have ended its section.
    pub fenced: Vec<String>,
    /// How many new rows there are of each state.
    pub states: BTreeMap<String, usize>,
    /// Likewise of approvals, by status.
    pub statuses: BTreeMap<String, usize>,
    /// How many rows have a detail section of theirs.
    pub details: usize,
    /// What `check` says of the new ledgers.
    pub findings: Vec<Finding>,
    /// Where the backup is.
    pub backup: Backup,
}

impl Plan {
    /// How many rows are new.
    pub fn tasks(&self) -> usize {
        self.states.values().sum()
    }

    /// How many approvals are new.
    pub fn approvals(&self) -> usize {
        self.statuses.values().sum()
    }

    pub(super) fn mapped(&mut self, field: &str, target: Target) {
        let is_it = |m: &&mut Mapping| m.field == field && m.target == target;
        match self.mappings.iter_mut().find(is_it) {
            Some(mapping) => mapping.count += 1,
            None => self.mappings.push(Mapping { field: field.to_owned(), target, count: 1 }),
        }
    }

    pub(super) fn word(&mut self, column: &str, from: &str, to: &str) {
        if from == to {
            return;
        }
        // Times are many, and each is another word.
        let (from, to) = if self.words.len() < MOST_WORDS { (from, to) } else { ("…", "…") };
        let is_it = |w: &&mut Word| w.column == column && w.from == from && w.to == to;
        match self.words.iter_mut().find(is_it) {
            Some(word) => word.count += 1,
            None => self.words.push(Word {
                column: column.to_owned(),
                from: from.to_owned(),
                to: to.to_owned(),
                count: 1,
            }),
        }
    }

    pub(super) fn count(&mut self, tasks: &[Row], approvals: &[Row]) {
        for (kind, rows) in [(Kind::Tasks, tasks), (Kind::Approvals, approvals)] {
            let (name, counts) = match kind {
                Kind::Tasks => ("state", &mut self.states),
                Kind::Approvals => ("status", &mut self.statuses),
            };
            for row in rows {
                *counts.entry(row.cell(name).unwrap_or("-").to_owned()).or_default() += 1;
            }
        }
        self.details = tasks.iter().chain(approvals).filter(|row| !row.detail.is_empty()).count();
    }
}
