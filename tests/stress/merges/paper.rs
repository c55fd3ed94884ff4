//! A ledger as the tests know it: rows by id, columns by name, prose in stanzas;
//! how it is written, and how a merged text is read back.
//!
//! Nothing here comes from the program under test: a mistake would otherwise be
//! made on both sides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Column to value; empty ones are left out.
pub type Row = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tasks,
    Approvals,
}

pub const TASKS: [&str; 10] = [
    "task_id",
    "title",
    "state",
    "owner",
    "lock",
    "lock_owner",
    "lock_expires_at",
    "due",
    "artifact",
    "notes",
];
pub const APPROVALS: [&str; 10] = [
    "appr_id",
    "task_id",
    "op",
    "status",
    "requested_by",
    "approver",
    "approver_role",
    "ts_req",
    "ts_dec",
    "evidence",
];
/// Other names of columns of either kind.
const ALIASES: [(Kind, &str, &str); 8] = [
    (Kind::Tasks, "task_id", "タスクID"),
    (Kind::Tasks, "title", "件名"),
    (Kind::Tasks, "state", "状態"),
    (Kind::Tasks, "due", "期限"),
    (Kind::Approvals, "appr_id", "承認ID"),
    (Kind::Approvals, "status", "状態"),
    (Kind::Approvals, "approver", "承認者"),
    (Kind::Approvals, "ts_dec", "決定日時"),
];

impl Kind {
    pub const fn columns(self) -> [&'static str; 10] {
        match self {
            Self::Tasks => TASKS,
            Self::Approvals => APPROVALS,
        }
    }

    pub const fn id(self) -> &'static str {
        self.columns()[0]
    }
}

/// How a text is spelled, whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Cells of a column are equally wide.
    pub padded: bool,
    /// Columns have their Japanese names.
    pub aliases: bool,
    pub crlf: bool,
    pub bom: bool,
    /// Whether the last line has an end.
    pub ended: bool,
    /// Empty cells at the end of a row are not written.
    pub ragged: bool,
    /// What an empty cell holds.
    pub empty: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    pub kind: Kind,
    pub columns: Vec<String>,
    pub rows: Vec<(String, Row)>,
    /// Rows that stand in a second table, below the first.
    pub second: BTreeSet<String>,
    /// One line each, far from the next.
    pub stanzas: Vec<String>,
    pub look: Look,
}

impl Paper {
    pub fn find(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|(own, _)| own == id).map(|(_, row)| row)
    }

    pub fn find_mut(&mut self, id: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|(own, _)| own == id).map(|(_, row)| row)
    }

    /// In the order in which they are written.
    pub fn ids(&self) -> Vec<&str> {
        let of = |second: bool| {
            let rows = self.rows.iter().map(|(id, _)| id.as_str());
            rows.filter(move |id| self.second.contains(*id) == second)
        };
        of(false).chain(of(true)).collect()
    }

    pub fn text(&self) -> String {
        let mut lines = vec!["# Ledger".to_owned(), String::new()];
        let half = self.stanzas.len() / 2;
        self.write_stanzas(0..half, &mut lines);
        let of =
            |second| self.rows.iter().filter(move |(id, _)| self.second.contains(id) == second);
        self.write_table(&of(false).collect::<Vec<_>>(), &mut lines);
        self.write_stanzas(half..self.stanzas.len(), &mut lines);
        if !self.second.is_empty() {
            self.write_table(&of(true).collect::<Vec<_>>(), &mut lines);
        }
        lines.push("The end.".to_owned());
        let end = if self.look.crlf { "\r\n" } else { "\n" };
        let mut text = lines.join(end);
        if self.look.ended {
            text.push_str(end);
        }
        if self.look.bom { format!("\u{feff}{text}") } else { text }
    }

    fn write_table(&self, rows: &[&(String, Row)], lines: &mut Vec<String>) {
        let header: Vec<String> = self.columns.iter().map(|c| self.header(c)).collect();
        let mut table = vec![header];
        for (id, row) in rows {
            let cell = |column: &String| match row.get(column) {
                _ if column == self.kind.id() => id.clone(),
                Some(value) => value.replace('|', "\\|"),
                None => self.look.empty.to_owned(),
            };
            let last = self.columns.iter().rposition(|column| row.contains_key(column));
            let kept = if self.look.ragged { last.unwrap_or(0) + 1 } else { self.columns.len() };
            table.push(self.columns.iter().take(kept).map(cell).collect());
        }
        let widest = |column: usize| {
            let cells = table.iter().filter_map(|row| row.get(column));
            let cells = cells.map(|cell| cell.chars().count());
            if self.look.padded { cells.max().unwrap_or(0) } else { 0 }
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        for (number, cells) in table.iter().enumerate() {
            let mut line = String::from("|");
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(line, " {cell:width$} |", width = *width);
            }
            lines.push(line);
            if number == 0 {
                let rule =
                    widths.iter().map(|width| format!("{:-<width$}|", "---", width = width + 2));
                lines.push(format!("|{}", rule.collect::<String>()));
            }
        }
        lines.push(String::new());
    }

    /// The line that says something is far from those that may change too.
    fn write_stanzas(&self, which: std::ops::Range<usize>, lines: &mut Vec<String>) {
        for n in which {
            lines.extend([format!("## Part {n}"), String::new(), format!("Part {n} begins.")]);
            lines.push(self.stanzas[n].clone());
            lines.extend([format!("Part {n} ends."), String::new()]);
        }
    }

    fn header(&self, column: &str) -> String {
        let alias = ALIASES.iter().find(|(kind, name, _)| (*kind, *name) == (self.kind, column));
        match alias.filter(|_| self.look.aliases) {
            Some((_, _, alias)) => (*alias).to_owned(),
            None => column.to_owned(),
        }
    }
}

/// What a merged text says.
#[derive(Debug, Default)]
pub struct Merged {
    /// Rows that stand outside of marks, in order.
    pub rows: Vec<(String, Row)>,
    /// Columns of the table.
    pub columns: Vec<String>,
    /// Lines outside of marks that are no table's.
    pub lines: Vec<String>,
    pub blocks: Vec<Block>,
}

/// What stands between marks.
#[derive(Debug, Default)]
pub struct Block {
    pub ours: Half,
    pub theirs: Half,
}

#[derive(Debug, Default)]
pub struct Half {
    pub rows: Vec<(String, Row)>,
    pub lines: Vec<String>,
}

impl Block {
    pub fn ids(&self) -> Vec<&str> {
        let rows = self.ours.rows.iter().chain(&self.theirs.rows);
        rows.map(|(id, _)| id.as_str()).collect()
    }
}

/// Reads a merged text; none where marks or the table are not whole. Between
/// marks a row may stand as a side had it, under that side's columns.
pub fn read(kind: Kind, text: &str, sides: &[&Paper]) -> Result<Merged, String> {
    let mut merged = Merged::default();
    let mut at: Option<(Block, bool)> = None;
    let mut header = false;
    let text = text.trim_start_matches('\u{feff}');
    for line in text.lines().map(|line| line.trim_end_matches('\r')) {
        match (line.get(..7), &mut at) {
            (Some("<<<<<<<"), None) => {
                at = Some((Block::default(), false));
                continue;
            }
            (Some("======="), Some((_, second @ false))) => {
                *second = true;
                continue;
            }
            (Some(">>>>>>>"), Some((_, true))) => {
                merged.blocks.extend(at.take().map(|(block, _)| block));
                continue;
            }
            (Some("<<<<<<<" | "=======" | ">>>>>>>"), _) => return Err(format!("stray: {line}")),
            _ => {}
        }
        let half = at.as_mut().map(
            |(block, second)| {
                if *second { &mut block.theirs } else { &mut block.ours }
            },
        );
        if !line.starts_with('|') {
            match half {
                Some(half) => half.lines.push(line.to_owned()),
                None => merged.lines.push(line.to_owned()),
            }
            continue;
        }
        let cells = cells(line);
        let is_rule = cells.iter().all(|cell| cell.starts_with("---"));
        if cells.first().is_some_and(|name| canonical(kind, name) == kind.id()) {
            let columns: Vec<String> = cells.iter().map(|name| canonical(kind, name)).collect();
            if half.is_some() || (header && columns != merged.columns) {
                return Err(format!("another header: {line}"));
            }
            (merged.columns, header) = (columns, true);
            continue;
        }
        if is_rule {
            continue;
        }
        // A row may end before its last cells, which are empty then.
        let fits = |columns: &&Vec<String>| columns.len() >= cells.len();
        let own = || sides.iter().map(|side| &side.columns).find(fits).filter(|_| half.is_some());
        let Some(columns) = Some(&merged.columns).filter(fits).or_else(own) else {
            return Err(format!("{} cells: {line}", cells.len()));
        };
        let mut row: Row = columns.iter().cloned().zip(cells).collect();
        row.retain(|_, value| !value.is_empty() && value != "-");
        let id = row.remove(kind.id()).ok_or_else(|| format!("no id: {line}"))?;
        match half {
            Some(half) => half.rows.push((id, row)),
            None => merged.rows.push((id, row)),
        }
    }
    if at.is_some() || !header {
        return Err("the marks or the table are not whole".to_owned());
    }
    Ok(merged)
}

fn canonical(kind: Kind, name: &str) -> String {
    let alias = ALIASES.iter().find(|(of, _, alias)| (*of, *alias) == (kind, name));
    alias.map_or(name, |(_, name, _)| name).to_owned()
}

fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut chars = line.trim().chars().skip(1).peekable();
    while let Some(c) = chars.next() {
        let last = cells.len() - 1;
        match c {
            '\\' if chars.peek() == Some(&'|') => {
                chars.next();
                cells[last].push('|');
            }
            '|' => cells.push(String::new()),
            c => cells[last].push(c),
        }
    }
    cells.pop();
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}
