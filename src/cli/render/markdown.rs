//! Rows as a GitHub-flavoured Markdown table, aligned by display width.
//!
//! Lives here: `--format md`, for pasting into an issue or a page. Not here:
//! ledgers (`ledger::render`), which are edited cell by cell and keep bytes.
//! Invariant: one row is one line with as many cells as the header, whatever
//! the text; control characters are made visible as everywhere for people.

use std::borrow::Cow;
use std::io::{self, Write};

use super::safe::safe;
use super::width;

/// A rule of GFM renderers: at least three dashes under a title.
const MIN_WIDTH: usize = 3;
/// As in `table`: one huge cell must not pad every other row.
const PAD_LIMIT: usize = 256;

/// Writes a header, its rule and the rows; missing cells are blank.
///
/// # Errors
/// Those of the writer, as they are.
pub fn write<'a, R>(
    out: &mut dyn Write,
    header: &[&'a str],
    rows: impl IntoIterator<Item = R>,
) -> io::Result<()>
where
    R: IntoIterator<Item = Cow<'a, str>>,
{
    if header.is_empty() {
        return Ok(());
    }
    let mut widths = vec![MIN_WIDTH; header.len()];
    let mut cells = Vec::new();
    add(&mut cells, &mut widths, header.iter().map(|&title| Cow::Borrowed(title)));
    for row in rows {
        add(&mut cells, &mut widths, row);
    }
    for widest in &mut widths {
        *widest = (*widest).min(PAD_LIMIT);
    }
    let mut lines = cells.chunks_exact(widths.len());
    let mut buffer = Vec::new();
    if let Some(titles) = lines.next() {
        line(&mut buffer, titles, &widths);
    }
    for &columns in &widths {
        buffer.extend_from_slice(b"| ");
        buffer.resize(buffer.len() + columns, b'-');
        buffer.push(b' ');
    }
    buffer.extend_from_slice(b"|\n");
    for row in lines {
        line(&mut buffer, row, &widths);
        if buffer.len() >= 64 * 1024 {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer)
}

struct Cell<'a> {
    text: Cow<'a, str>,
    width: usize,
}

fn add<'a>(
    cells: &mut Vec<Cell<'a>>,
    widths: &mut [usize],
    row: impl IntoIterator<Item = Cow<'a, str>>,
) {
    let mut row = row.into_iter();
    for widest in widths {
        let text = cell(row.next().unwrap_or_default());
        let columns = width::width(&text);
        *widest = (*widest).max(columns);
        cells.push(Cell { text, width: columns });
    }
    debug_assert!(row.next().is_none(), "a row has more cells than the header");
}

fn line(to: &mut Vec<u8>, row: &[Cell<'_>], widths: &[usize]) {
    for (cell, &columns) in row.iter().zip(widths) {
        to.extend_from_slice(b"| ");
        to.extend_from_slice(cell.text.as_bytes());
        width::pad(to, columns.saturating_sub(cell.width) + 1);
    }
    to.extend_from_slice(b"|\n");
}

/// A pipe becomes `\|`, a line end `<br>`, the rest is made safe.
///
/// Backslashes just before a pipe are doubled: renderers read `\\|` as an
/// escaped backslash and the end of the cell.
fn cell(text: Cow<'_, str>) -> Cow<'_, str> {
    if memchr::memchr2(b'|', b'\n', text.as_bytes()).is_none() {
        return safe(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut from = 0;
    for at in memchr::memchr2_iter(b'|', b'\n', text.as_bytes()) {
        let before = &text[from..at];
        from = at + 1;
        if text.as_bytes()[at] == b'|' {
            let run = before.len() - before.trim_end_matches('\\').len();
            shown.push_str(&safe(before));
            shown.extend(std::iter::repeat_n('\\', run + 1));
            shown.push('|');
        } else {
            shown.push_str(&safe(before.strip_suffix('\r').unwrap_or(before)));
            shown.push_str("<br>");
        }
    }
    shown.push_str(&safe(&text[from..]));
    Cow::Owned(shown)
}

/// A code span, of whatever backticks the text has.
pub fn code(text: &str) -> String {
    let text = safe(text);
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    // A span cannot be empty, and one blank at each end is taken off.
    let blank = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    match &*text {
        "" => "` `".to_owned(),
        text => format!("{fence}{blank}{text}{blank}{fence}"),
    }
}

/// Text inside a line, which stays text: nothing in it is markup. An underscore
/// inside a word is none.
pub fn text(text: &str) -> String {
    let text = safe(text);
    let mut shown = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let inside = before.is_alphanumeric() && chars.peek().is_some_and(|c| c.is_alphanumeric());
        let is_markup = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '~' | '&' | '|' => true,
            '_' => !inside,
            _ => false,
        };
        if is_markup {
            shown.push('\\');
        }
        shown.push(c);
        before = c;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(header: &[&str], rows: &[&[&str]]) -> String {
        let mut out = Vec::new();
        let rows = rows.iter().map(|row| row.iter().map(|&cell| Cow::Borrowed(cell)));
        write(&mut out, header, rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn aligned_by_display_width() {
        assert_eq!(
            show(&["id", "題名", "n"], &[&["T-1", "パーサ", "7"], &["T-20", "か\u{3099} x", ""]]),
            "| id   | 題名   | n   |\n\
             | ---- | ------ | --- |\n\
             | T-1  | パーサ | 7   |\n\
             | T-20 | か\u{3099} x   |     |\n"
        );
    }

    #[test]
    fn text_and_code_read_back_as_they_are() {
        let texts =
            ["a", "`", "a``b`", "*x* _y_ a_b", "[x](y)", "<b>&amp;", "~~a~~ \\*", "a | b", "a\\"];
        for given in texts {
            let escaped = given.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let mut options = comrak::Options::default();
            options.extension.strikethrough = true;
            let html = comrak::markdown_to_html(&format!("- x {}", text(given)), &options);
            assert_eq!(html, format!("<ul>\n<li>x {escaped}</li>\n</ul>\n"));
            let html = comrak::markdown_to_html(&format!("- {}", code(given)), &options);
            assert_eq!(html, format!("<ul>\n<li><code>{escaped}</code></li>\n</ul>\n"));
        }
        assert_eq!((code(""), text("\x1b[")), ("` `".to_owned(), "\\\\u{1b}\\[".to_owned()));
    }

    #[test]
    fn short_rows_and_no_columns() {
        assert_eq!(show(&[], &[]), "");
        assert_eq!(show(&["a", "b"], &[&["1"]]).lines().last(), Some("| 1   |     |"));
    }

    #[test]
    fn pipes_line_ends_and_controls_stay_in_their_cell() {
        let cases = [
            ("a|b", "a\\|b"),
            ("a\\|b", "a\\\\\\|b"),
            ("a\nb\r\nc", "a<br>b<br>c"),
            ("\x1b[0m|\u{202e}", "\\u{1b}[0m\\|\\u{202e}"),
            ("a\rb", "a\\u{d}b"),
            ("a\\", "a\\"),
        ];
        for (text, shown) in cases {
            assert_eq!(cell(Cow::Borrowed(text)), shown);
        }
    }

    #[test]
    fn a_renderer_reads_back_the_same_cells() {
        let texts = ["a|b", "a\\|b", "a\\\\|b", "||", "\\", "日本|語\\", "|\\|", "x"];
        let rows: Vec<[&str; 2]> = texts.iter().map(|&text| [text, "end"]).collect();
        let rows: Vec<&[&str]> = rows.iter().map(|row| &row[..]).collect();
        let mut options = comrak::Options::default();
        options.extension.table = true;
        let html = comrak::markdown_to_html(&show(&["t", "e"], &rows), &options);
        for text in texts {
            let row = format!("<tr>\n<td>{text}</td>\n<td>end</td>\n</tr>");
            assert!(html.contains(&row), "{text}\n{html}");
        }
    }
}
