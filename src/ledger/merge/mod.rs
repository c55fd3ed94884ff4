//! Three-way merge of a ledger: rows by id, cells by column, the rest by lines.
//!
//! Here: texts in, text out. Not here: files and what git asks for
//! (`git::merge_driver`), words for people (`cli`). Invariants: the result says
//! the same whichever side is called ours; every cell of it is a side's, or
//! both sides' notes; what cannot be merged is between marks, both versions of
//! it; a result that does not read back as it was meant is one large conflict.
//!
//! Cost: some passes over the three texts; 100,000 rows take well under a
//! second.

mod against;
mod cells;
mod layout;
mod notes;
mod sections;
mod sequence;
mod side;
mod verify;
mod weave;

use crate::ledger::document::Kind;
use crate::ledger::merge::layout::Layouts;
use crate::ledger::merge::side::{Names, Side};
use crate::ledger::merge::weave::{Out, Piece, Weave};
use crate::ledger::source;
use std::collections::HashSet;

/// The three texts.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// What both sides began with.
    pub base: &'a str,
    /// One side.
    pub ours: &'a str,
    /// The other side.
    pub theirs: &'a str,
}

/// What the marks of a conflict say.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// Behind `<<<<<<<`.
    pub ours: &'a str,
    /// Of the base; no mark shows it.
    pub base: &'a str,
    /// Behind `>>>>>>>`.
    pub theirs: &'a str,
}

impl Default for Labels<'_> {
    fn default() -> Self {
        Self { ours: "ours", base: "base", theirs: "theirs" }
    }
}

/// The result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The whole text, with marks where there are conflicts.
    pub text: String,
    /// What stands between marks, in order.
    pub conflicts: Vec<Conflict>,
}

/// Something that both sides changed in two ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The line of its first mark, counted from 1.
    pub line: usize,
    /// What it is about.
    pub what: What,
}

/// What a conflict is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A row.
    Row {
        /// Its id.
        id: String,
        /// The cells; none where the whole row is in question.
        columns: Vec<Cell>,
        /// How the sides disagree.
        why: Why,
    },
    /// A table's header, or a table with other columns on both sides.
    Header {
        /// The names in question; none where the table is shown whole.
        columns: Vec<Cell>,
    },
    /// Lines that are no rows.
    Lines,
    /// Everything that differs: no smaller conflict could be told apart.
    Text,
}

/// A cell with two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The column's name.
    pub column: String,
    /// Our value; empty where the cell is.
    pub ours: String,
    /// Their value.
    pub theirs: String,
}

/// How two sides disagree about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A cell has two new values.
    Changed,
    /// Both changed who works on a task.
    ClaimedTwice,
    /// One side gave the task to somebody, the other claimed it for another.
    GivenAway,
    /// Both changed what an approval says.
    DecidedTwice,
    /// Both added the id, with different values.
    AddedTwice,
    /// Ours removed what theirs changed.
    RemovedByOurs,
    /// Theirs removed what ours changed.
    RemovedByTheirs,
    /// A value has no column any more.
    ColumnDropped,
}

impl What {
    /// The same with the sides the other way round.
    fn turn(&mut self) {
        let (columns, why) = match self {
            Self::Row { columns, why, .. } => (columns, Some(why)),
            Self::Header { columns } => (columns, None),
            Self::Lines | Self::Text => return,
        };
        for cell in columns {
            std::mem::swap(&mut cell.ours, &mut cell.theirs);
        }
        match why {
            Some(why @ Why::RemovedByOurs) => *why = Why::RemovedByTheirs,
            Some(why @ Why::RemovedByTheirs) => *why = Why::RemovedByOurs,
            _ => {}
        }
    }
}

/// Merges two texts that came from one.
pub fn merge(kind: Kind, sides: &Sides<'_>, labels: &Labels<'_>, marker_size: usize) -> Merged {
    let Sides { base, ours, theirs } = *sides;
    let plain = |text: &str| Merged { text: text.to_owned(), conflicts: Vec::new() };
    if ours == theirs || base == theirs {
        return plain(ours);
    }
    if base == ours {
        return plain(theirs);
    }
    // Whoever is called ours, the same is done: the sides are ordered by what
    // they say, and turned back at the end.
    let turned = theirs < ours;
    let (one, other) = if turned { (theirs, ours) } else { (ours, theirs) };
    let (clean_base, doubtful) = verify::without_marks(base);
    let mut parsed = [clean_base.as_ref(), one, other].map(|text| Side::parse(kind, text));
    let names = Names::of(&parsed);
    let layouts = Layouts::of(&parsed, &names);
    let whole: Vec<bool> = layouts.tables.iter().map(|table| table.whole).collect();
    side::divide(&mut parsed, &names, &layouts.numbers, &whole);
    let tainted: HashSet<usize> = verify::rows_within(&parsed[0], &names, &doubtful);
    let cells = cells::Cells::new(kind, &parsed, &layouts);
    let mut pieces = Weave::new(&parsed, &names, &layouts, cells, &tainted).run();
    let bom = weave_bom(&parsed);
    if let Some((from, to)) = other_ends(&parsed) {
        for piece in &mut pieces {
            piece.respell(from, to);
        }
    }
    if !verify::stands(kind, &pieces, bom, &names, &layouts) {
        pieces = verify::one_conflict(&parsed);
    }
    if turned {
        pieces.iter_mut().for_each(Piece::turn);
    }
    render(&pieces, bom, labels, marker_size)
}

/// How all lines end on a side that changed that for the whole file, and how the
/// other's lines do: what that one added follows.
fn other_ends<'a>(sides: &[Side<'a>; 3]) -> Option<(&'a str, &'a str)> {
    let [b, o, t] = [0, 1, 2].map(|n| {
        let mut ends = sides[n].lines.iter().map(|line| line.end).filter(|end| !end.is_empty());
        let first = ends.next()?;
        ends.all(|end| end == first).then_some(first)
    });
    let (b, o, t) = (b?, o?, t?);
    match () {
        () if o == t => None,
        () if b == o => Some((o, t)),
        () if b == t => Some((t, o)),
        () => None,
    }
}

fn weave_bom(sides: &[Side<'_>; 3]) -> bool {
    cells::three(Some(sides[0].bom), sides[1].bom, sides[2].bom)
}

/// Writes the pieces, with marks.
fn render(pieces: &[Piece<'_>], bom: bool, labels: &Labels<'_>, size: usize) -> Merged {
    // A mark is one at the very beginning of its line: what a side begins with
    // comes behind it.
    let marked = matches!(pieces.first(), Some(Piece::Conflict { .. }));
    let mut text = Text::new(bom && !marked);
    let mut conflicts = Vec::new();
    let mark = |sign: &str, label: &str| match label {
        "" => sign.repeat(size),
        label => format!("{} {label}", sign.repeat(size)),
    };
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Line(out) => text.push(out),
            Piece::Conflict { ours, theirs, what } => {
                let end = end_of_marks(ours, theirs, text.usual);
                let first = if bom && at == 0 { source::BOM } else { "" };
                text.line(&mark("<", labels.ours), end);
                conflicts.push(Conflict { line: text.lines, what: what.clone() });
                text.half(ours, first, end);
                text.line(&mark("=", ""), end);
                text.half(theirs, first, end);
                text.line(&mark(">", labels.theirs), end);
            }
        }
    }
    Merged { text: text.written, conflicts }
}

/// How marks end: as the lines do that they are about, but never so that a mark
/// is no line to git.
fn end_of_marks(ours: &[Out<'_>], theirs: &[Out<'_>], usual: &'static str) -> &'static str {
    let mut ends =
        ours.iter().chain(theirs).map(|out| out.end).filter(|e| !e.is_empty()).peekable();
    let is_crlf = match ends.peek() {
        Some(_) => ends.all(|end| end == "\r\n"),
        None => usual == "\r\n",
    };
    if is_crlf { "\r\n" } else { "\n" }
}

/// A text that is being written: only its last line may lack an end.
struct Text {
    written: String,
    lines: usize,
    /// Whether the last line has an end.
    ended: bool,
    /// How lines did that had one.
    usual: &'static str,
}

impl Text {
    fn new(bom: bool) -> Self {
        let written = if bom { source::BOM.to_owned() } else { String::new() };
        Self { written, lines: 0, ended: true, usual: "\n" }
    }

    fn push(&mut self, out: &Out<'_>) {
        self.line(&out.body, out.end);
    }

    /// One side of a conflict; a mark follows, so that its last line ends.
    fn half(&mut self, outs: &[Out<'_>], first: &str, end: &str) {
        for (at, out) in outs.iter().enumerate() {
            let end = if out.end.is_empty() { end } else { out.end };
            if at == 0 && !first.is_empty() {
                self.line(&format!("{first}{}", out.body), end);
            } else {
                self.line(&out.body, end);
            }
        }
    }

    fn line(&mut self, body: &str, end: &str) {
        if !self.ended {
            self.written.push_str(self.usual);
        }
        self.written.push_str(body);
        self.written.push_str(end);
        self.lines += 1;
        self.ended = !end.is_empty();
        if self.ended {
            self.usual = source::line_ending(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_of_a_claim_has_the_owner_that_its_side_had() {
        let head =
            "| id | title | state | owner | lock | lock_owner |\n|---|---|---|---|---|---|\n";
        let row = |rest: &str| format!("{head}| 1 | a | {rest} |\n");
        let claimed = "DOING | WORK@zoe | k | WORK@zoe";
        // Another claim, and another owner: each half is the row of its side.
        for other in ["DOING | - | j | WORK@ada", "READY | WORK@ada | - | -"] {
            let [base, ours, theirs] = ["READY | - | - | -", claimed, other].map(row);
            for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
                let sides = Sides { base: &base, ours, theirs };
                let text = merge(Kind::Tasks, &sides, &Labels::default(), 7).text;
                let (first, second) = (&ours[head.len()..], &theirs[head.len()..]);
                let marked =
                    format!("{head}<<<<<<< ours\n{first}=======\n{second}>>>>>>> theirs\n");
                assert_eq!(text, marked);
            }
        }
    }
}
