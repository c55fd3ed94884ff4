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

mod cells;
mod layout;
mod notes;
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
    let (clean_base, doubtful) = verify::without_marks(base);
    let mut parsed = [clean_base.as_ref(), ours, theirs].map(|text| Side::parse(kind, text));
    let names = Names::of(&parsed);
    let layouts = Layouts::of(&parsed, &names);
    let whole: Vec<bool> = layouts.tables.iter().map(|table| table.whole).collect();
    side::divide(&mut parsed, &names, &layouts.numbers, &whole);
    let tainted: HashSet<usize> = verify::rows_within(&parsed[0], &names, &doubtful);
    let cells = cells::Cells::new(kind, &parsed, &layouts);
    let pieces = Weave::new(&parsed, &names, &layouts, cells, &tainted).run();
    let bom = weave_bom(&parsed);
    let stands = verify::stands(kind, &pieces, bom, &names, &layouts);
    if stands {
        render(&pieces, bom, labels, marker_size)
    } else {
        render(&verify::one_conflict(&parsed), bom, labels, marker_size)
    }
}

fn weave_bom(sides: &[Side<'_>; 3]) -> bool {
    cells::three(Some(sides[0].bom), sides[1].bom, sides[2].bom)
}

/// Writes the pieces, with marks.
fn render(pieces: &[Piece<'_>], bom: bool, labels: &Labels<'_>, size: usize) -> Merged {
    let mut text = Text::new(bom);
    let mut conflicts = Vec::new();
    let mark = |sign: &str, label: &str| match label {
        "" => sign.repeat(size),
        label => format!("{} {label}", sign.repeat(size)),
    };
    let end = usual_end(pieces);
    for piece in pieces {
        match piece {
            Piece::Line(out) => text.push(out),
            Piece::Conflict { ours, theirs, what } => {
                let own = ours.iter().chain(theirs).map(|o| o.end).find(|e| !e.is_empty());
                let own = own.unwrap_or(end);
                text.line(&mark("<", labels.ours), own);
                conflicts.push(Conflict { line: text.lines, what: what.clone() });
                text.half(ours, own);
                text.line(&mark("=", ""), own);
                text.half(theirs, own);
                text.line(&mark(">", labels.theirs), own);
            }
        }
    }
    Merged { text: text.written, conflicts }
}

/// How the first line ends that has an end.
fn usual_end<'a>(pieces: &[Piece<'a>]) -> &'a str {
    let ends = pieces.iter().filter_map(|piece| match piece {
        Piece::Line(out) => Some(out.end),
        Piece::Conflict { ours, theirs, .. } => ours.iter().chain(theirs).map(|out| out.end).next(),
    });
    ends.into_iter().find(|end| !end.is_empty()).unwrap_or("\n")
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
    fn half(&mut self, outs: &[Out<'_>], end: &str) {
        for out in outs {
            self.line(&out.body, if out.end.is_empty() { end } else { out.end });
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
