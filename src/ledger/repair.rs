//! What in a document can be mended in one way only.
//!
//! Here: rows that blank lines keep from their table. Not here: everything that
//! a person must decide. Invariant: no row changes, and no line goes but blank
//! ones.

use crate::ledger::edit::Edits;
use crate::ledger::source;
use crate::ledger::table::Grid;

/// The text with every detached row back in its table: the blank lines above it
/// are gone. `None` where no row is detached, or where the rows would be others
/// then.
pub fn reattached(grid: &Grid<'_>, parse: impl Fn(&str) -> Vec<String>) -> Option<String> {
    let text = grid.text();
    let mut edits = Edits::new();
    for table in &grid.tables {
        let rows = table.rows.clone().map(|i| &grid.rows[i]);
        let above = [&table.delimiter].into_iter().chain(rows.clone());
        for (above, row) in above.zip(rows).filter(|(_, row)| row.detached) {
            let from = source::next_line(text, above.span.range().end);
            let to = source::line_start(text, row.span.range().start);
            if from < to {
                edits.replace(text, from..to, "").ok()?;
            }
        }
    }
    if edits.is_empty() {
        return None;
    }
    let new = edits.apply(text);
    let before: Vec<&str> = grid.rows.iter().map(|row| &text[row.span.range()]).collect();
    (parse(&new) == before).then_some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<String> {
        let grid = Grid::parse(text, |_| true);
        let attached = grid.rows.iter().filter(|row| !row.detached);
        attached.map(|row| text[row.span.range()].to_owned()).collect()
    }

    fn mended(text: &str) -> Option<String> {
        reattached(&Grid::parse(text, |_| true), rows)
    }

    #[test]
    fn blank_lines_above_rows_go_and_nothing_else() {
        let text = "# T\n\n| a | b |\n|---|---|\n| 1 | x |\n\n  \n| 2 |  y |\n| 3 | z |\n\nend\n\n";
        let expected = "# T\n\n| a | b |\n|---|---|\n| 1 | x |\n| 2 |  y |\n| 3 | z |\n\nend\n\n";
        assert_eq!(mended(text).as_deref(), Some(expected));
        assert_eq!(mended(expected), None);
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(mended(&crlf), Some(expected.replace('\n', "\r\n")));
    }

    #[test]
    fn a_table_without_rows_above_and_several_tables() {
        let table = "| a | b |\n|---|---|\n\n| 1 | x |\n";
        assert_eq!(
            mended(&format!("{table}\ntext\n\n{table}")).as_deref(),
            Some("| a | b |\n|---|---|\n| 1 | x |\n\ntext\n\n| a | b |\n|---|---|\n| 1 | x |\n")
        );
    }

    #[test]
    fn rows_that_would_be_others_stay() {
        let grid = Grid::parse("| a |\n|---|\n\n| 1 |\n", |_| true);
        assert_eq!(reattached(&grid, |_| Vec::new()), None);
    }
}
