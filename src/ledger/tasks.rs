//! The task ledger: a typed view of the task tables of one document.

use crate::error::{Error, Result};
use crate::ledger::schema::{self, Columns};
use crate::ledger::table::{Grid, Row, is_empty_value};
use crate::ledger::{scan, source};
use crate::model::field::TaskField;
use crate::model::operation::Column;
use crate::model::task::Task;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::ops::Range;

/// The task tables of one document, as one ledger.
#[derive(Debug, Clone)]
pub struct TaskLedger<'a> {
    grid: Grid<'a>,
    tables: Vec<Header<'a>>,
    path: String,
    /// Rows sorted by id, made once look-ups become many.
    index: OnceCell<Vec<RowId>>,
    lookups: Cell<u32>,
    /// The newest look-up: a command asks for one task many times over.
    last: RefCell<Option<(String, Vec<RowId>)>>,
}

/// From how many look-ups on an index costs less than looking through the rows.
const INDEX_PAYS: u32 = 8;

#[derive(Debug, Clone)]
struct Header<'a> {
    columns: Columns,
    names: Vec<Cow<'a, str>>,
    extra: Vec<usize>,
}

/// The row of a task: an index into the ledger's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub usize);

impl<'a> TaskLedger<'a> {
    /// Parses a task ledger.
    ///
    /// # Errors
    /// `LedgerInvalid` where no table is a ledger table; the message says what
    /// comes nearest and where.
    pub fn parse(text: &'a str, path: &str) -> Result<Self> {
        let ledger = Self::parse_any(text, path);
        if ledger.tables.is_empty() { Err(no_table(text, path)) } else { Ok(ledger) }
    }

    /// The same for a document that may have no ledger table, such as an
    /// archive that is just being made.
    pub fn parse_any(text: &'a str, path: &str) -> Self {
        let grid = Grid::parse(text, schema::is_task_header);
        let tables = grid
            .tables
            .iter()
            .map(|table| {
                let names = grid.headers(table);
                let columns = schema::task_columns(&names);
                let is_known = |c: usize| columns.iter().flatten().any(|k| usize::from(*k) == c);
                let extra = (0..names.len()).filter(|c| !is_known(*c)).collect();
                Header { columns, names, extra }
            })
            .collect();
        Self {
            grid,
            tables,
            path: path.to_owned(),
            index: OnceCell::new(),
            lookups: Cell::new(0),
            last: RefCell::new(None),
        }
    }

    /// The text with its tables.
    pub const fn grid(&self) -> &Grid<'a> {
        &self.grid
    }

    /// The document's path, as people see it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Every row that has an id, in table order.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = RowId> {
        (0..self.grid.rows.len()).map(RowId).filter(|row| !is_empty_value(self.trimmed_id(*row)))
    }

    /// The row itself.
    pub fn row(&self, row: RowId) -> &Row {
        &self.grid.rows[row.0]
    }

    /// The id in a row.
    pub fn id(&self, row: RowId) -> Cow<'a, str> {
        self.column(row, TaskField::TaskId)
            .map_or(Cow::Borrowed(""), |c| self.grid.value(self.row(row), c))
    }

    fn trimmed_id(&self, row: RowId) -> &'a str {
        self.column(row, TaskField::TaskId).map_or("", |c| self.grid.trimmed(self.row(row), c))
    }

    /// Where a known column stands in the row's table.
    pub fn column(&self, row: RowId, field: TaskField) -> Option<usize> {
        self.header(row).columns[field as usize].map(usize::from)
    }

    fn header(&self, row: RowId) -> &Header<'a> {
        &self.tables[self.row(row).table as usize]
    }

    /// Where any column stands in the row's table.
    pub fn column_of(&self, row: RowId, column: &Column) -> Option<usize> {
        self.column_in(self.row(row).table as usize, column)
    }

    /// Where a column stands in a table.
    pub fn column_in(&self, table: usize, column: &Column) -> Option<usize> {
        let header = &self.tables[table];
        match column {
            Column::Known(field) => header.columns[*field as usize].map(usize::from),
            Column::Extra(name) => {
                header.extra.iter().copied().find(|c| schema::same(&header.names[*c], name))
            }
        }
    }

    /// The unknown columns of all tables, each once, in order.
    pub fn extra_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for header in &self.tables {
            for c in &header.extra {
                let name = header.names[*c].as_ref();
                if !name.is_empty() && !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// A known cell's value; `None` where empty or missing.
    pub fn cell(&self, row: RowId, field: TaskField) -> Option<Cow<'a, str>> {
        self.column(row, field).and_then(|c| self.grid.filled(self.row(row), c))
    }

    /// The typed row.
    pub fn task(&self, row: RowId) -> Task<'_> {
        let r = self.row(row);
        let header = self.header(row);
        let get = |field: TaskField| {
            header.columns[field as usize].and_then(|c| self.grid.filled(r, usize::from(c)))
        };
        Task {
            id: self.id(row),
            title: get(TaskField::Title),
            state: get(TaskField::State),
            owner: get(TaskField::Owner),
            lock: get(TaskField::Lock),
            lock_owner: get(TaskField::LockOwner),
            lock_expires_at: get(TaskField::LockExpiresAt),
            due: get(TaskField::Due),
            artifact: get(TaskField::Artifact),
            notes: get(TaskField::Notes),
            extra: header
                .extra
                .iter()
                .filter(|c| !header.names[**c].is_empty())
                .map(|c| (header.names[*c].as_ref(), self.grid.filled(r, *c)))
                .collect(),
        }
    }

    /// Every row with this id.
    pub fn rows_of(&self, id: &str) -> Vec<RowId> {
        if let Some((_, rows)) = self.last.borrow().as_ref().filter(|(last, _)| last == id) {
            return rows.clone();
        }
        let rows = self.look_up(id);
        *self.last.borrow_mut() = Some((id.to_owned(), rows.clone()));
        rows
    }

    fn look_up(&self, id: &str) -> Vec<RowId> {
        let escaped: Cow<'_, str> =
            if id.contains('|') { Cow::Owned(id.replace('|', "\\|")) } else { Cow::Borrowed(id) };
        if is_empty_value(&escaped) {
            return Vec::new();
        }
        let lookups = self.lookups.get();
        self.lookups.set(lookups.saturating_add(1));
        if lookups < INDEX_PAYS {
            let mut found = Vec::new();
            for (table, header) in self.grid.tables.iter().zip(&self.tables) {
                let Some(column) = header.columns[TaskField::TaskId as usize] else { continue };
                let id = |row: usize| self.grid.trimmed(&self.grid.rows[row], usize::from(column));
                found.extend(table.rows.clone().filter(|row| id(*row) == escaped).map(RowId));
            }
            return found;
        }
        let index = self.index.get_or_init(|| {
            let mut index: Vec<RowId> = self.rows().collect();
            index.sort_by_key(|row| (self.trimmed_id(*row), *row));
            index
        });
        let first = index.partition_point(|row| self.trimmed_id(*row) < escaped.as_ref());
        index[first..]
            .iter()
            .copied()
            .take_while(|row| self.trimmed_id(*row) == escaped.as_ref())
            .collect()
    }

    /// The one row with this id.
    ///
    /// # Errors
    /// `NotFound`, with the nearest id; `LedgerInvalid` where it stands twice.
    pub fn find(&self, id: &str) -> Result<RowId> {
        match self.rows_of(id)[..] {
            [row] => Ok(row),
            [] => {
                let error = Error::not_found(format!("no task `{id}` in `{}`", self.path));
                Err(match self.nearest(id) {
                    Some(near) => error.hint(format!("orch show {}", shell_word(&near))),
                    None => error.hint("orch list"),
                })
            }
            [first, second, ..] => Err(Error::invalid(format!(
                "the id `{id}` stands twice: in lines {} and {}; a change could hit the wrong one",
                self.line(first),
                self.line(second)
            ))
            .at(self.path.clone(), self.line(second), self.id_column(second))
            .hint("orch list --fields task_id,title,state")),
        }
    }

    /// The id that was probably meant: the same but for case, signs and zeros,
    /// or with its letters mistyped. Another number is another task.
    fn nearest(&self, id: &str) -> Option<String> {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let plain = |text: &str| {
            let kept: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
            kept.to_lowercase()
        };
        let number = |text: &str| digits(text).trim_start_matches('0').to_owned();
        let letters = |text: &str| plain(text).replace(|c: char| c.is_ascii_digit(), "");
        self.rows()
            .take(5_000)
            .map(|row| self.id(row))
            .filter(|known| number(known) == number(id))
            .map(|known| (strsim::damerau_levenshtein(&letters(&known), &letters(id)), known))
            .filter(|(distance, known)| *distance <= letters(known).chars().count() / 3)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, known)| known.into_owned())
    }

    /// 1-based line of a row.
    pub fn line(&self, row: RowId) -> usize {
        self.grid.place(self.row(row)).0
    }

    fn id_column(&self, row: RowId) -> usize {
        self.place(row, TaskField::TaskId).1
    }

    /// Line and column of a cell's text, or of the row where the cell is missing.
    pub fn place(&self, row: RowId, field: TaskField) -> (usize, usize) {
        let r = self.row(row);
        let span = self.column(row, field).and_then(|c| self.grid.span(r, c));
        let offset = span.map_or(r.span.range().start, |span| {
            let raw = &self.grid.text()[span.clone()];
            span.start + (raw.len() - raw.trim_start_matches([' ', '\t']).len())
        });
        source::position(self.grid.text(), offset)
    }

    /// The detail section of a task: its heading's span and its body's.
    pub fn section(&self, id: &str) -> Option<(Range<usize>, Range<usize>)> {
        crate::ledger::section::find(self.grid.text(), &self.grid.headings, id)
    }

    /// The same for whoever asks for many.
    pub fn sections(&self) -> crate::ledger::section::Sections<'_> {
        crate::ledger::section::Sections::new(self.grid.text(), &self.grid.headings)
    }
}

/// An id as one word of a shell command.
pub fn shell_word(id: &str) -> String {
    let plain = !id.is_empty()
        && id.chars().all(|c| {
            c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '@' | '+' | ':' | '=' | ',')
        });
    if plain && !id.starts_with('-') {
        id.to_owned()
    } else {
        format!("'{}'", id.replace('\'', r"'\''"))
    }
}

/// Why a document has no task table, as near as can be told.
fn no_table(text: &str, path: &str) -> Error {
    no_ledger_table(text, path, "id, title, state and owner", |names| schema::is_task_header(names))
}

/// Says why no table of a document is a ledger table.
pub fn no_ledger_table(
    text: &str,
    path: &str,
    needs: &str,
    is_header: impl Fn(&[Cow<'_, str>]) -> bool,
) -> Error {
    let mut at = source::body_start(text);
    while at < text.len() {
        let line = text[at..source::line_end(text, at)].trim_matches([' ', '\t', '>']);
        let names = split(line);
        if line.contains('|') && is_header(&names) {
            let below = source::next_line(text, at);
            let next = &text[below.min(text.len())..source::line_end(text, below.min(text.len()))];
            let (row, _) = source::position(text, at);
            let delimiter = next.trim_matches([' ', '\t', '>']);
            let cells = split(delimiter).len();
            let is_delimiter = scan::is_delimiter(delimiter.as_bytes())
                || (delimiter.contains('|')
                    && scan::is_delimiter(format!("|{delimiter}").as_bytes()));
            let delimiter_has_tab = next.contains('\t');
            let error = if is_delimiter && cells != names.len() {
                Error::invalid(format!(
                    "no ledger table: the header has {} cells but its delimiter row has {cells}, \
                     so Markdown sees no table here",
                    names.len()
                ))
                .at(path, row + 1, 1)
            } else if is_delimiter && delimiter_has_tab {
                Error::invalid(
                    "no ledger table: a tab in the delimiter row keeps Markdown from seeing a table; \
                     write blanks",
                )
                .at(path, row + 1, 1)
            } else if is_delimiter {
                Error::invalid(
                    "no ledger table: the only one that looks like it stands in a code fence, \
                     an HTML comment or a paragraph",
                )
                .at(path, row, 1)
            } else {
                Error::invalid(
                    "no ledger table: the header row has no delimiter row (`|---|---|`) below it",
                )
                .at(path, row, 1)
            };
            return error.hint("orch doctor");
        }
        at = source::next_line(text, at);
    }
    Error::invalid(format!("no ledger table: no table has the columns {needs}"))
        .at(path, 0, 0)
        .hint("orch migrate --dry-run")
}

fn split(line: &str) -> Vec<Cow<'_, str>> {
    let inner = line.strip_prefix('|').unwrap_or(line);
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    inner.split('|').map(|cell| Cow::Borrowed(cell.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEDGER: &str = "\
# T

| 優先 | task_id | state | due |
|---|---|---|---|
| 1 | T-1 | summary | - |

| id | title | 状態 | owner | sprint | notes |
|----|-------|------|-------|--------|-------|
| T-1 | one \\| two | READY | - | 7 | priority=HIGH |
| T-2 | two | DOING | WORK@ada |

| T-3 | three | DONE | WORK | - | - |
| - | no id | PLAN | - | - | - |
";

    #[test]
    fn the_typed_view() {
        let ledger = TaskLedger::parse(LEDGER, "T.md").unwrap();
        let ids: Vec<_> = ledger.rows().map(|r| ledger.id(r).into_owned()).collect();
        assert_eq!(ids, ["T-1", "T-2", "T-3"]);
        let task = ledger.task(ledger.find("T-1").unwrap());
        assert_eq!(task.title.as_deref(), Some("one | two"));
        assert_eq!(task.owner, None);
        assert_eq!(task.extra, [("sprint", Some("7".into()))]);
        assert_eq!(task.due, None);
        let ragged = ledger.task(ledger.find("T-2").unwrap());
        assert_eq!(ragged.notes, None);
        assert_eq!(ledger.extra_names(), ["sprint"]);
    }

    #[test]
    fn what_is_not_there_and_what_is_there_twice() {
        let ledger = TaskLedger::parse(LEDGER, "T.md").unwrap();
        let error = ledger.find("t-3").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("orch show T-3"));
        let twice = LEDGER.replace("| T-3 |", "| T-1 |");
        let error = TaskLedger::parse(&twice, "T.md").unwrap().find("T-1").unwrap_err();
        assert_eq!(
            error.to_string(),
            "T.md:12:3: the id `T-1` stands twice: in lines 9 and 12; a change could hit the wrong one"
        );
    }

    #[test]
    fn no_table_says_why() {
        let why = |text: &str| TaskLedger::parse(text, "T.md").unwrap_err().to_string();
        let header = "| id | title | state | owner |\n";
        assert_eq!(
            why(&format!("# T\n\n{header}|---|---|---|\n")),
            "T.md:4:1: no ledger table: the header has 4 cells but its delimiter row has 3, \
             so Markdown sees no table here"
        );
        assert!(why(&format!("```\n{header}|---|---|---|---|\n```\n")).contains("code fence"));
        assert!(why(&format!("{header}| 1 | x | PLAN | - |\n")).contains("no delimiter row"));
        let bare = "text\nid | title | state | owner\n---|---|---|---\n";
        assert!(why(bare).contains("or a paragraph"), "{}", why(bare));
        assert!(why("nothing\n").contains("no table has the columns"));
    }

    #[test]
    fn shell_words() {
        assert_eq!(shell_word("T-1"), "T-1");
        assert_eq!(shell_word("006-P∞"), "'006-P∞'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word("-rf"), "'-rf'");
    }
}
