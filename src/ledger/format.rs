//! `fmt`: the ledger tables of a document aligned by display width.
//!
//! The only edit that touches rows which nothing else changes. Cells keep
//! their text; only blanks and the dashes of the delimiter row move. A row
//! keeps its number of cells: filling ragged rows is `check --fix`'s.

use crate::error::{Error, Result};
use crate::ledger::edit::Edits;
use crate::ledger::table::{Align, Grid, Row, Table};
use unicode_width::UnicodeWidthStr;

/// Adds the edits that align every ledger table of a document.
pub fn align(grid: &Grid<'_>, edits: &mut Edits) -> Result<()> {
    for table in &grid.tables {
        let widths = widths(grid, table);
        let aligns: Vec<_> = (0..widths.len()).map(|c| grid.align(table, c)).collect();
        let rows = table.rows.clone().map(|i| &grid.rows[i]);
        let lines = [(&table.header, line(grid, &table.header, &widths, &aligns))]
            .into_iter()
            .chain([(&table.delimiter, delimiter(grid, table, &widths))])
            .chain(rows.map(|row| (row, line(grid, row, &widths, &aligns))));
        for (row, line) in lines {
            edits
                .replace(grid.text(), row.span.range(), line)
                .map_err(|_| Error::new(crate::error::ErrorKind::Failed, "two rows overlap"))?;
        }
    }
    Ok(())
}

/// The display width of each column: its widest cell, at least three for the
/// delimiter row.
fn widths(grid: &Grid<'_>, table: &Table) -> Vec<usize> {
    let mut widths = vec![3; table.header.len()];
    let rows = table.rows.clone().map(|i| &grid.rows[i]);
    for row in [&table.header].into_iter().chain(rows) {
        for (c, width) in widths.iter_mut().enumerate() {
            *width = (*width).max(grid.trimmed(row, c).width());
        }
    }
    widths
}

fn line(grid: &Grid<'_>, row: &Row, widths: &[usize], aligns: &[Align]) -> String {
    let mut out = String::with_capacity(row.span.range().len() + 16);
    out.push('|');
    for c in 0..row.len() {
        let cell = grid.trimmed(row, c);
        let free = widths.get(c).map_or(0, |w| w.saturating_sub(cell.width()));
        let lead = match aligns.get(c) {
            Some(Align::Right) => free,
            Some(Align::Center) => free / 2,
            Some(Align::Left) | None => 0,
        };
        out.push(' ');
        push_blanks(&mut out, lead);
        out.push_str(cell);
        push_blanks(&mut out, free - lead);
        out.push_str(" |");
    }
    out
}

fn delimiter(grid: &Grid<'_>, table: &Table, widths: &[usize]) -> String {
    let mut out = String::from("|");
    for (c, width) in widths.iter().enumerate() {
        let cell = grid.trimmed(&table.delimiter, c);
        let (left, right) = (cell.starts_with(':'), cell.ends_with(':') && cell.len() > 1);
        let dashes = width - usize::from(left) - usize::from(right);
        out.push(' ');
        out.push_str(if left { ":" } else { "" });
        out.push_str(&"-".repeat(dashes));
        out.push_str(if right { ":" } else { "" });
        out.push_str(" |");
    }
    out
}

fn push_blanks(out: &mut String, n: usize) {
    out.extend(std::iter::repeat_n(' ', n));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> String {
        let grid = Grid::parse(text, |_| true);
        let mut edits = Edits::new();
        align(&grid, &mut edits).unwrap();
        edits.apply(text)
    }

    #[test]
    fn columns_line_up_in_japanese() {
        let text =
            "x\n\n|id|件名|n|\n|-|:-:|--:|\n| T-1 | 台帳を直す | 7 |\n|T-22|a \\| b|10\n\nend\n";
        let expected = "\
x

| id   |    件名    |   n |
| ---- | :--------: | --: |
| T-1  | 台帳を直す |   7 |
| T-22 |   a \\| b   |  10 |

end
";
        assert_eq!(format(text), expected);
        assert_eq!(format(expected), expected);
    }

    #[test]
    fn ragged_rows_keep_their_cells() {
        assert_eq!(
            format("| a | b |\n|---|---|\n| 1 |\n| 1 | 2 | 333 |\n"),
            "| a   | b   |\n| --- | --- |\n| 1   |\n| 1   | 2   | 333 |\n"
        );
    }
}
