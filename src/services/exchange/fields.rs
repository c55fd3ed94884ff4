//! What a name in a file means here.
//!
//! A canonical column or an alias of it, in both languages; `priority`, `depends` and
//! `detail`; a column that this ledger has besides; else a word for the notes. What
//! `--map` says comes first. Invariant: no two names mean one column.

use super::sheet::{Cell, Name, Row, Sheet};
use crate::error::{Error, Result};
use crate::ledger::schema;
use crate::ledger::tasks::TaskLedger;
use crate::model::field::TaskField;

/// What a task is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Id,
    Title,
    State,
    Owner,
    Due,
    Artifact,
    Notes,
    Priority,
    Depends,
    Detail,
    /// One of the three lock cells.
    Lock,
}

impl Known {
    const COUNT: usize = 11;

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Id => "task_id",
            Self::Title => "title",
            Self::State => "state",
            Self::Owner => "owner",
            Self::Due => "due",
            Self::Artifact => "artifact",
            Self::Notes => "notes",
            Self::Priority => "priority",
            Self::Depends => "depends",
            Self::Detail => "detail",
            Self::Lock => "lock",
        }
    }

    fn of(name: &str) -> Option<Self> {
        let is = |names: &[&str]| names.iter().any(|n| schema::same(n, name));
        if is(&["priority", "優先度"]) {
            return Some(Self::Priority);
        }
        if is(&["depends", "依存"]) {
            return Some(Self::Depends);
        }
        if is(&["detail", "詳細"]) {
            return Some(Self::Detail);
        }
        Some(match schema::task_field(name)? {
            TaskField::TaskId => Self::Id,
            TaskField::Title => Self::Title,
            TaskField::State => Self::State,
            TaskField::Owner => Self::Owner,
            TaskField::Due => Self::Due,
            TaskField::Artifact => Self::Artifact,
            TaskField::Notes => Self::Notes,
            TaskField::Lock | TaskField::LockOwner | TaskField::LockExpiresAt => Self::Lock,
        })
    }
}

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Known(Known),
    /// A column that only this ledger has, by its header.
    Column(String),
    /// A word for the notes.
    Other(String),
    /// `--map FIELD=`: nothing.
    Nothing,
}

/// `--map FIELD=COLUMN`: which column of the file a field is; none where it is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Ours.
    pub field: String,
    /// Theirs.
    pub column: Option<String>,
}

impl Mapping {
    /// Reads `FIELD=COLUMN`.
    ///
    /// # Errors
    /// `usage` for another spelling.
    pub fn parse(text: &str) -> Result<Self> {
        let (field, column) = text
            .split_once('=')
            .filter(|(field, _)| !field.trim().is_empty())
            .ok_or_else(|| Error::usage(format!("`--map {text}` is not `--map FIELD=COLUMN`")))?;
        let column = column.trim();
        let column = (!column.is_empty()).then(|| column.to_owned());
        Ok(Self { field: field.trim().to_owned(), column })
    }
}

/// Says what every name of a sheet means.
///
/// # Errors
/// `usage` for a mapping that fits no column, and where nothing is the title.
pub(super) fn resolve(
    sheet: &Sheet,
    map: &[Mapping],
    ledger: &TaskLedger<'_>,
) -> Result<Vec<Target>> {
    if sheet.names.iter().any(|name| schema::same(&name.text, "appr_id")) {
        return Err(Error::usage(
            "this is a list of approvals, and those are not imported: they are asked for and \
             decided",
        )
        .hint("orch request --help"));
    }
    let extra = |name: &str| {
        let found = ledger.extra_names().into_iter().find(|n| schema::same(n, name));
        found.map(|name| Target::Column(name.to_owned()))
    };
    let mut targets: Vec<Option<Target>> = vec![None; sheet.names.len()];
    let mut taken: Vec<Target> = Vec::new();
    for Mapping { field, column } in map {
        let target = Known::of(field).map(Target::Known).or_else(|| extra(field));
        let target = match target {
            Some(target) => target,
            None if misspelled(field).is_some() => {
                return Err(Error::usage(format!(
                    "`--map {field}=…`: no field `{field}`; did you mean `{}`?",
                    misspelled(field).unwrap_or_default()
                )));
            }
            None => Target::Other(field.clone()),
        };
        if taken.contains(&target) {
            return Err(Error::usage(format!("`--map` says twice what `{field}` is")));
        }
        taken.push(target.clone());
        let Some(column) = column else {
            for (name, slot) in sheet.names.iter().zip(&mut targets) {
                if means(name, &extra) == target {
                    *slot = Some(Target::Nothing);
                }
            }
            continue;
        };
        let at = sheet.names.iter().position(|name| schema::same(&name.text, column));
        let Some(at) = at else { return Err(no_column(sheet, column)) };
        if targets[at].as_ref().is_some_and(|there| *there != Target::Nothing) {
            return Err(Error::usage(format!("`--map` uses the column `{column}` twice")));
        }
        targets[at] = Some(target);
    }
    // The canonical name wins, then the first: as in the header of a ledger.
    for is_canonical in [true, false] {
        for (name, slot) in sheet.names.iter().zip(&mut targets) {
            if slot.is_some() {
                continue;
            }
            let target = means(name, &extra);
            let canonical = match &target {
                Target::Known(known) => schema::same(&name.text, known.name()),
                _ => true,
            };
            if canonical != is_canonical {
                continue;
            }
            let again = target != Target::Known(Known::Lock) && taken.contains(&target);
            *slot = Some(if again {
                Target::Other(name.text.clone())
            } else {
                taken.push(target.clone());
                target
            });
        }
    }
    let targets: Vec<Target> =
        targets.into_iter().map(|target| target.unwrap_or(Target::Nothing)).collect();
    if !sheet.rows.is_empty() && !targets.contains(&Target::Known(Known::Title)) {
        return Err(Error::usage(format!(
            "no column is the title: {}; say which with `--map title=COLUMN`",
            columns(sheet)
        )));
    }
    Ok(targets)
}

fn means(name: &Name, extra: &impl Fn(&str) -> Option<Target>) -> Target {
    let known = Known::of(&name.text).filter(|_| !name.is_extra).map(Target::Known);
    known.or_else(|| extra(&name.text)).unwrap_or_else(|| Target::Other(name.text.clone()))
}

/// The field that a name is one slip away from.
fn misspelled(field: &str) -> Option<&'static str> {
    let field = field.to_lowercase();
    let known = ["title", "state", "owner", "due", "artifact", "notes", "priority", "depends"];
    let known = known.into_iter().chain(["task_id", "detail"]);
    known
        .min_by_key(|k| strsim::damerau_levenshtein(k, &field))
        .filter(|k| strsim::damerau_levenshtein(k, &field) == 1)
}

fn columns(sheet: &Sheet) -> String {
    let names: Vec<String> = sheet.names.iter().map(|name| format!("`{}`", name.text)).collect();
    format!("the file has {}", names.join(", "))
}

fn no_column(sheet: &Sheet, column: &str) -> Error {
    Error::usage(format!("no column `{column}`: {}", columns(sheet)))
}

/// A row by what its cells mean.
#[derive(Debug)]
pub(super) struct Line<'s> {
    pub(super) at: usize,
    known: [Option<&'s Cell>; Known::COUNT],
    pub(super) columns: Vec<(&'s str, &'s Cell)>,
    pub(super) others: Vec<(&'s str, &'s Cell)>,
    pub(super) locks: Vec<&'s Cell>,
}

impl<'s> Line<'s> {
    pub(super) fn of(row: &'s Row, targets: &'s [Target]) -> Self {
        let mut line = Self {
            at: row.at,
            known: [None; Known::COUNT],
            columns: Vec::new(),
            others: Vec::new(),
            locks: Vec::new(),
        };
        for cell in &row.cells {
            match &targets[cell.name] {
                Target::Known(Known::Lock) => line.locks.push(cell),
                Target::Known(known) => line.known[*known as usize] = Some(cell),
                Target::Column(name) => line.columns.push((name, cell)),
                Target::Other(name) => line.others.push((name, cell)),
                Target::Nothing => {}
            }
        }
        line
    }

    /// The cell, where the file says anything of it.
    pub(super) fn cell(&self, known: Known) -> Option<&'s Cell> {
        self.known[known as usize]
    }

    /// The same for a priority or dependencies, unless the column of that name is
    /// given itself, which says it exactly.
    pub(super) fn word(&self, known: Known) -> Option<&'s Cell> {
        let is_given = self.columns.iter().any(|(name, _)| schema::same(name, known.name()));
        self.cell(known).filter(|_| !is_given)
    }
}
