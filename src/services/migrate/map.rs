//! One item to one row: which field becomes which cell, attribute or text.
//!
//! Invariant: every field of an item is in its row's cells, or in its detail
//! text; nothing is made up, and what is not certain stays as it is written.

use crate::ledger::document::Kind;
use crate::ledger::foreign::names::{self, Meaning};
use crate::ledger::foreign::{Ask, Field, Form, Item, Value, detail, place};
use crate::model::actor::Actor;
use crate::model::approval::ApprovalStatus;
use crate::model::field::{ApprovalField, TaskField};
use crate::model::value::{self, is_refused};
use crate::services::migrate::plan::{Kept, KeptWhy, Plan, Target};
use crate::services::migrate::{Asked, Request};
use std::collections::HashSet;
use std::ops::Range;
use unicode_width::UnicodeWidthStr as _;

/// How wide a value may be that becomes a word in `notes` by itself.
const SHORT: usize = 24;

/// A task or an approval, ready to be written.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Which source.
    pub source: usize,
    /// 1-based line in it.
    pub line: usize,
    /// How it was written there.
    pub form: Form,
    /// Its id.
    pub id: String,
    /// Its cells that are not empty, by canonical name or header.
    pub cells: Vec<(String, String)>,
    /// The words in its notes that it brought.
    pub attributes: Vec<(String, String)>,
    /// What no cell says.
    pub detail: String,
    /// Its bytes in the source.
    pub span: Range<usize>,
    /// The lines in them that its cells say.
    pub said: Vec<Range<usize>>,
    /// Where its heading's text begins, where that does not begin with the id.
    pub unnamed: Option<usize>,
    /// Whether its heading says more than id and title.
    pub heading_says_more: bool,
}

impl Row {
    /// A cell's value.
    pub fn cell(&self, name: &str) -> Option<&str> {
        self.cells.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What is known while items are mapped.
pub(super) struct Mapper<'q> {
    request: &'q Request,
    /// Columns of our ledgers that are none of ours.
    others: [Vec<String>; 2],
    /// Whether each of our ledgers has no table yet.
    bare: [bool; 2],
    ids: HashSet<String>,
}

/// What a value becomes.
enum Fate {
    Cell(&'static str, String),
    Other(String, String),
    Attribute(String, String),
    Detail,
    /// It is empty.
    Nothing,
}

impl<'q> Mapper<'q> {
    pub fn new(asked: Asked<'q>, request: &'q Request) -> Self {
        let texts = [
            (Kind::Tasks, asked.snapshot.tasks.grid().text()),
            (Kind::Approvals, asked.snapshot.approvals.grid().text()),
        ];
        let ledger = &asked.snapshot.tasks;
        Self {
            request,
            others: texts.map(|(kind, text)| place::other_columns(kind, text)),
            bare: [
                ledger.grid().tables.is_empty(),
                asked.snapshot.approvals.grid().tables.is_empty(),
            ],
            ids: ledger.rows().map(|row| ledger.id(row).into_owned()).collect(),
        }
    }

    /// Ids that words may mean.
    pub fn know_ids<'i>(&mut self, items: impl Iterator<Item = &'i Item>) {
        self.ids.extend(items.filter(|i| i.kind == Kind::Tasks).map(|item| item.id.clone()));
    }

    /// Maps one item of a source.
    pub fn map(&self, source: usize, path: &str, text: &str, item: &Item, plan: &mut Plan) -> Row {
        let ask = Ask { path, only: None, own: None, map: &self.request.map };
        let mut row = Row {
            source,
            line: item.line,
            form: item.form,
            id: item.id.clone(),
            cells: Vec::new(),
            attributes: Vec::new(),
            detail: String::new(),
            span: item.span.clone(),
            said: Vec::new(),
            unnamed: item.unnamed,
            heading_says_more: false,
        };
        let mut kept: Vec<&Field> = Vec::new();
        let mut notes = String::new();
        let written = Self::written_notes(ask, item).unwrap_or_default();
        let has_title = item
            .fields
            .iter()
            .any(|field| names::of_task(ask.key(&field.key)) == Meaning::Column(TaskField::Title));
        let mut said_title = None;
        for field in &item.fields {
            let mut why = None;
            let fate = match item.kind {
                Kind::Tasks => self.task_field(ask, item, field, has_title, &mut why, plan),
                Kind::Approvals => self.approval_field(ask, field, &mut why, plan),
            };
            let mut told = |why| {
                let (id, field) = (item.id.clone(), field.key.clone());
                plan.kept.push(Kept { source, line: item.line, id, field, why });
            };
            let fate = match fate {
                Fate::Cell(name, _) if row.cell(name).is_some() => {
                    told(KeptWhy::Twice);
                    Fate::Detail
                }
                Fate::Attribute(key, word) => {
                    let other = |notes: &str| {
                        value::attribute(notes, &key).is_some_and(|there| there != word)
                    };
                    let all = value::with_attribute(&notes, &key, Some(&word));
                    // The text of the notes may have a word of that name already.
                    if other(&notes)
                        || other(written)
                        || value::attribute(&all, &key) != Some(&word)
                    {
                        told(KeptWhy::Twice);
                        Fate::Detail
                    } else {
                        notes = all;
                        Fate::Attribute(key, word)
                    }
                }
                other => other,
            };
            if let Some(why) = why {
                told(why);
            }
            let target = match fate {
                Fate::Nothing => continue,
                Fate::Cell(name, value) => {
                    if name == "title" && !field.has_lines {
                        said_title = Some(value.clone());
                    }
                    row.cells.push((name.to_owned(), value));
                    Target::Column(name)
                }
                Fate::Other(name, value) => {
                    row.cells.push((name.clone(), value));
                    Target::Other(name)
                }
                Fate::Attribute(key, word) => {
                    row.attributes.push((key.clone(), word));
                    Target::Attribute(key)
                }
                Fate::Detail => {
                    kept.push(field);
                    Target::Detail
                }
            };
            plan.mapped(&field.key, target);
        }
        // Words before text: what a program reads first, then what people wrote.
        let all = value::append(&notes, written).into_owned();
        row.cells.retain(|(name, _)| name != "notes");
        if !all.is_empty() {
            row.cells.push(("notes".to_owned(), all));
        }
        row.said = detail::taken(item, &kept).collect();
        row.detail = detail::text(text, item, &kept);
        if item.form == Form::Headings {
            // A heading may have a title of its own beside that of a bullet.
            row.heading_says_more = said_title.is_none();
        }
        row
    }

    /// What the source has as notes.
    fn written_notes<'i>(ask: Ask<'_>, item: &'i Item) -> Option<&'i str> {
        let notes = Meaning::Column(TaskField::Notes);
        let is_it = |field: &&Field| names::of_task(ask.key(&field.key)) == notes;
        let field = item.fields.iter().filter(|_| item.kind == Kind::Tasks).find(is_it)?;
        single(&field.value)
    }

    fn task_field(
        &self,
        ask: Ask<'_>,
        item: &Item,
        field: &Field,
        has_title: bool,
        why: &mut Option<KeptWhy>,
        plan: &mut Plan,
    ) -> Fate {
        let key = ask.key(&field.key);
        let meaning = match names::of_task(key) {
            Meaning::Summary if !has_title && item.form != Form::Headings => {
                Meaning::Column(TaskField::Title)
            }
            Meaning::Summary => Meaning::Prose,
            meaning => meaning,
        };
        if field.value == Value::Nothing {
            return Fate::Nothing;
        }
        match meaning {
            // A second number beside the id.
            Meaning::Column(TaskField::TaskId) => self.unknown(item, key, field),
            Meaning::Column(column) => self.column(column, field, why, plan),
            Meaning::Priority => Self::priority(field, why, plan),
            Meaning::Depends => self.depends(field, why),
            Meaning::Labels => labels(field),
            Meaning::Prose | Meaning::Summary => Fate::Detail,
            Meaning::Unknown => self.unknown(item, key, field),
        }
    }

    fn column(
        &self,
        column: TaskField,
        field: &Field,
        why: &mut Option<KeptWhy>,
        plan: &mut Plan,
    ) -> Fate {
        let Some(text) = single(&field.value) else {
            *why = matches!(field.value, Value::List(_)).then_some(KeptWhy::Several);
            return Fate::Detail;
        };
        let name = column.name();
        let value = match column {
            TaskField::State => {
                let typed = self.request.states.iter().find(|(word, _)| names::same(word, text));
                let known = match text {
                    "[ ]" => Some("PLAN".to_owned()),
                    "[x]" => Some("DONE".to_owned()),
                    _ => names::state(text).map(|state| state.as_str().to_owned()),
                };
                let known = typed.map(|(_, state)| state.as_str().to_owned()).or(known);
                if known.is_none() {
                    *why = Some(KeptWhy::State);
                }
                known.unwrap_or_else(|| text.to_owned())
            }
            TaskField::Owner => {
                let typed = self.request.owners.iter().find(|(word, _)| names::same(word, text));
                let owner = typed.map_or(text, |(_, actor)| actor);
                if Actor::parse(owner).is_none() {
                    *why = Some(KeptWhy::Owner);
                }
                owner.to_owned()
            }
            TaskField::Due => {
                let Some(due) = names::date(text).or_else(|| names::instant(text)) else {
                    *why = Some(KeptWhy::Time);
                    return Fate::Detail;
                };
                due
            }
            TaskField::LockExpiresAt => {
                let Some(at) = names::instant(text) else {
                    *why = Some(KeptWhy::Time);
                    return Fate::Detail;
                };
                at
            }
            _ => text.to_owned(),
        };
        plan.word(name, text, &value);
        Fate::Cell(name, value)
    }

    fn priority(field: &Field, why: &mut Option<KeptWhy>, plan: &mut Plan) -> Fate {
        let Some(text) = single(&field.value) else { return Fate::Detail };
        let word = names::priority(text).map(|priority| priority.as_str().to_owned());
        if word.is_none() {
            *why = Some(KeptWhy::Priority);
        }
        let word = word.unwrap_or_else(|| text.to_owned());
        if !is_word(&word) {
            return Fate::Detail;
        }
        plan.word("priority", text, &word);
        Fate::Attribute("priority".to_owned(), word)
    }

    fn depends(&self, field: &Field, why: &mut Option<KeptWhy>) -> Fate {
        let parts: Vec<&str> = match &field.value {
            Value::List(list) => list.iter().map(String::as_str).collect(),
            Value::Text(text) => {
                let none = ["none", "n/a", "なし", "無し", "ー"];
                if none.contains(&names::plain(text).as_str()) {
                    return Fate::Nothing;
                }
                text.split([',', '、', '，', ';', '+', ' ', '\u{3000}', '・']).collect()
            }
            Value::Nothing | Value::Block => return Fate::Detail,
        };
        let bare = |part: &&str| part.trim().trim_matches(['[', ']', '`', '#', '"']).to_owned();
        let ids: Vec<String> = parts.iter().map(bare).filter(|part| !part.is_empty()).collect();
        let is_id = |id: &String| {
            (self.ids.contains(id) || names::is_id(id)) && is_word(id) && !id.contains('+')
        };
        if ids.is_empty() || !ids.iter().all(is_id) {
            *why = Some(KeptWhy::NoIds);
            return Fate::Detail;
        }
        Fate::Attribute("depends".to_owned(), ids.join("+"))
    }

    /// A field that nobody knows: a column of that name, a word, or text.
    fn unknown(&self, item: &Item, key: &str, field: &Field) -> Fate {
        let Some(text) = single(&field.value) else { return Fate::Detail };
        let at = usize::from(item.kind == Kind::Approvals);
        let known = self.others[at].iter().find(|name| names::same(name, key));
        if let Some(name) = known {
            return Fate::Other(name.clone(), text.to_owned());
        }
        // The columns of a table that is turned into the ledger stay columns.
        if self.bare[at] && item.form == Form::Table {
            return Fate::Other(key.to_owned(), text.to_owned());
        }
        let word = names::plain(key);
        let is_key = !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
            && TaskField::ALL.iter().all(|field| field.name() != word);
        if item.kind == Kind::Tasks && is_key && is_word(text) && text.width() <= SHORT {
            return Fate::Attribute(word, text.to_owned());
        }
        Fate::Detail
    }

    fn approval_field(
        &self,
        ask: Ask<'_>,
        field: &Field,
        why: &mut Option<KeptWhy>,
        plan: &mut Plan,
    ) -> Fate {
        if field.value == Value::Nothing {
            return Fate::Nothing;
        }
        let key = ask.key(&field.key);
        let Some(column) = names::of_approval(key) else {
            let known = self.others[1].iter().find(|name| names::same(name, key));
            return match (known, single(&field.value)) {
                (Some(name), Some(text)) => Fate::Other(name.clone(), text.to_owned()),
                (None, Some(text)) if self.bare[1] => Fate::Other(key.to_owned(), text.to_owned()),
                _ => Fate::Detail,
            };
        };
        let Some(text) = single(&field.value) else {
            *why = Some(KeptWhy::Several);
            return Fate::Detail;
        };
        let value = match column {
            ApprovalField::ApprId => return Fate::Detail,
            ApprovalField::TsReq | ApprovalField::TsDec => {
                let Some(at) = names::instant(text) else {
                    *why = Some(KeptWhy::Time);
                    return Fate::Detail;
                };
                at
            }
            ApprovalField::Status => {
                let known = status(text);
                if known.is_none() {
                    *why = Some(KeptWhy::Status);
                }
                known.map_or_else(|| text.to_owned(), |known| known.as_str().to_owned())
            }
            _ => text.to_owned(),
        };
        plan.word(column.name(), text, &value);
        Fate::Cell(column.name(), value)
    }
}

fn status(text: &str) -> Option<ApprovalStatus> {
    let word = names::plain(text);
    let known = ApprovalStatus::ALL.into_iter().find(|status| status.as_str() == word);
    known.or(match word.as_str() {
        "承認" | "承認済" | "承認済み" | "granted" => Some(ApprovalStatus::Approved),
        "却下" | "否認" | "denied" | "refused" => Some(ApprovalStatus::Rejected),
        "承認待ち" | "申請中" | "requested" => Some(ApprovalStatus::Pending),
        "期限切れ" | "取下げ" | "withdrawn" => Some(ApprovalStatus::Expired),
        _ => None,
    })
}

/// A value of one line, where it is one.
fn single(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::List(list) => match &list[..] {
            [one] => Some(one),
            _ => None,
        },
        Value::Nothing | Value::Block => None,
    }
}

/// Whether a text can be the value of a word in `notes`.
fn is_word(text: &str) -> bool {
    let probe = format!("k={text}");
    !text.is_empty()
        && !text.chars().any(|c| is_refused(c) || c.is_whitespace() || c == '|')
        && value::attribute(&probe, "k") == Some(text)
}

fn labels(field: &Field) -> Fate {
    let parts: Vec<String> = match &field.value {
        Value::List(list) => list.clone(),
        Value::Text(text) => {
            text.split([',', '、', '，']).map(|part| part.trim().to_owned()).collect()
        }
        Value::Nothing | Value::Block => return Fate::Detail,
    };
    if parts.iter().all(|part| is_word(part) && !part.contains('+')) && !parts.is_empty() {
        return Fate::Attribute("labels".to_owned(), parts.join("+"));
    }
    Fate::Detail
}
