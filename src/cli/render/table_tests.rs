//! Tests of `table`: alignment by display column, shrinking, colour, safety.
//!
//! Beside the file because together they would be a screen too long.

use super::*;
use crate::cli::render::width::width as columns_of;

fn columns() -> Vec<Column> {
    vec![
        Column::new("id").style(Style::Bold),
        Column::new("title").flexible(),
        Column::new("owner"),
        Column::new("prio").right(),
        Column::new("note").flexible(),
    ]
}

fn sample() -> Table<'static> {
    let mut table = Table::new(columns());
    table.row(["T-1", "パーサを書く", "WORK@ada", "7", "急ぎ"]);
    table.row(["T-20", "write the parser and its tests", "", "10", ""]);
    table.row([
        "T-300",
        "か\u{3099}か\u{3099} e\u{301}e\u{301}",
        "山田",
        "123",
        "長い備考・とても長い備考",
    ]);
    table
}

fn show(table: &Table<'_>, width: Option<usize>, color: bool) -> String {
    let mut out = Vec::new();
    table.write(&mut out, width, color).unwrap();
    String::from_utf8(out).unwrap()
}

/// The text of a line from a display column on, with the blanks before it.
fn split_at_column(line: &str, column: usize) -> Option<(&str, &str)> {
    (0..=line.len())
        .filter(|&i| line.is_char_boundary(i))
        .rfind(|&i| columns_of(&line[..i]) == column)
        .map(|i| line.split_at(i))
}

#[test]
fn header_rows_and_alignment() {
    assert_eq!(
        show(&sample(), None, false),
        "ID     TITLE                           OWNER     PRIO  NOTE\n\
         T-1    パーサを書く                    WORK@ada     7  急ぎ\n\
         T-20   write the parser and its tests              10\n\
         T-300  か\u{3099}か\u{3099} e\u{301}e\u{301}                         山田       123  長い備考・とても長い備考\n"
    );
}

#[test]
fn every_cell_starts_at_the_same_display_column() {
    let table = sample();
    for limit in std::iter::once(None).chain((1..=120).map(Some)) {
        let shown = show(&table, limit, false);
        let starts: Vec<usize> = ["TITLE", "OWNER", "NOTE"]
            .iter()
            .filter_map(|title| shown.lines().next().and_then(|l| l.find(title)))
            .collect();
        if shown.lines().next().is_some_and(|titles| titles.contains('…')) {
            // So narrow that the titles themselves are cut: only the fit counts.
            let room = limit.unwrap_or(usize::MAX).max(23);
            assert!(shown.lines().all(|line| columns_of(line) <= room), "{limit:?}\n{shown}");
            continue;
        }
        assert_eq!(starts.len(), 3);
        for line in shown.lines() {
            for &start in &starts {
                if columns_of(line) <= start {
                    continue;
                }
                let (before, after) = split_at_column(line, start).expect("no cell is straddled");
                assert!(before.ends_with("  "), "{limit:?}: {line}");
                let blank = line.starts_with("T-20 ") && after.starts_with(' ');
                assert!(blank || !after.starts_with(' '), "{limit:?}: {line}");
            }
            assert!(!line.ends_with(' '), "{line:?}");
        }
    }
}

#[test]
fn a_table_that_is_too_wide_shrinks_to_fit_but_not_below_eight() {
    let table = sample();
    let least = 5 + 2 + 8 + 2 + 8 + 2 + 4 + 2 + 8;
    for limit in 1..=120 {
        let shown = show(&table, Some(limit), false);
        let widest = shown.lines().map(columns_of).max().unwrap();
        assert!(widest <= limit.max(least), "{limit}: {widest}");
        if limit >= 84 {
            assert_eq!(shown, show(&table, None, false));
        }
    }
    assert_eq!(
        show(&table, Some(50), false),
        "ID     TITLE          OWNER     PRIO  NOTE\n\
         T-1    パーサを書く   WORK@ada     7  急ぎ\n\
         T-20   write the pa…              10\n\
         T-300  か\u{3099}か\u{3099} e\u{301}e\u{301}        山田       123  長い備考・…\n"
    );
}

#[test]
fn what_is_left_over_goes_to_the_first_columns() {
    let mut table = Table::new(vec![Column::new("a").flexible(), Column::new("b").flexible()]);
    table.row(["x".repeat(30), "y".repeat(30)]);
    let shown = show(&table, Some(23), false);
    assert_eq!(shown.lines().nth(1).unwrap(), "xxxxxxxxxx…  yyyyyyyyy…");
    let narrow = show(&table, Some(1), false);
    assert_eq!(narrow.lines().nth(1).unwrap(), "xx…  yy…");
}

#[test]
fn nothing_is_cut_without_a_width_and_padding_is_bounded() {
    let mut table = Table::new(vec![Column::new("a").flexible(), Column::new("b")]);
    table.row(["長".repeat(5000), "end".to_owned()]);
    table.row(["short", "end"]);
    let shown = show(&table, None, false);
    assert!(shown.contains(&"長".repeat(5000)));
    assert_eq!(shown.lines().nth(2).unwrap().len(), PAD_LIMIT + GAP + 3);
}

#[test]
fn colour_wraps_text_only_and_changes_no_column() {
    let mut table = Table::new(columns());
    table.row([
        Cell::from("T-1"),
        Cell::from("題名"),
        Cell::from("").style(Style::Red),
        Cell::from("7").style(Style::Green),
    ]);
    let colored = show(&table, None, true);
    assert_eq!(
        colored,
        "\x1b[1mID\x1b[0m   \x1b[1mTITLE\x1b[0m  \x1b[1mOWNER\x1b[0m  \x1b[1mPRIO\x1b[0m  \x1b[1mNOTE\x1b[0m\n\
         \x1b[1mT-1\x1b[0m  題名             \x1b[32m7\x1b[0m\n"
    );
    let mut bare = colored;
    for code in ["\x1b[1m", "\x1b[32m", "\x1b[0m"] {
        bare = bare.replace(code, "");
    }
    assert_eq!(bare, show(&table, None, false));
}

#[test]
fn cells_and_titles_are_safe() {
    let mut table = Table::new(vec![Column::new("a\x1b[2J"), Column::new("b")]);
    table.row(["x\x1b]52;c;QQ==\x07", "y\u{202e}\r\n\tz"]);
    let shown = show(&table, Some(10), false);
    assert!(!shown.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{shown:?}");
    assert_eq!(shown.lines().count(), 2);
}

#[test]
fn empty_tables_and_short_rows() {
    assert_eq!(show(&Table::new(Vec::new()), Some(80), true), "");
    let mut table = Table::new(vec![Column::new("a"), Column::new("b")]);
    assert_eq!(show(&table, Some(80), false), "A  B\n");
    assert!(table.is_empty());
    table.row(["1"]);
    assert_eq!(show(&table, Some(80), false), "A  B\n1\n");
    assert_eq!(table.len(), 1);
}

#[test]
fn a_writer_that_fails_is_reported() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = sample().write(&mut Broken, None, false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
