//! Rows as CSV (RFC 4180, but lines end in LF), streamed.
//!
//! Lives here: a header, rows, and what a cell needs for its audience. Not
//! here: which columns (`cli::commands`).
//! Invariant: a row is as long as the header, or writing it fails; a closed
//! pipe keeps its `io::ErrorKind`, so that `cli::ui` sees it.

use std::borrow::Cow;
use std::io::{self, Write};

use super::safe::safe_lines;
use crate::services::exchange::csv::guarded;

/// Who reads the CSV, which decides what happens to a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Audience {
    /// A program of ours: the text as it is.
    Program,
    /// A file that may be opened in a spreadsheet: a cell that would start a
    /// formula (`=`, `+`, `-`, `@`, TAB, CR) gets a `'` in front (CWE-1236).
    #[default]
    Spreadsheet,
    /// A terminal: as `Spreadsheet`, and control characters are made visible.
    Terminal,
}

/// A CSV document that is being written.
pub struct Rows<'a> {
    inner: ::csv::Writer<&'a mut dyn Write>,
    audience: Audience,
}

impl<'a> Rows<'a> {
    /// Starts the document with its header, which is ours and needs no guard.
    ///
    /// # Errors
    /// Those of the writer, as they are.
    pub fn new(out: &'a mut dyn Write, header: &[&str], audience: Audience) -> io::Result<Self> {
        let mut inner = ::csv::WriterBuilder::new()
            .terminator(::csv::Terminator::Any(b'\n'))
            .buffer_capacity(64 * 1024)
            .from_writer(out);
        inner.write_record(header).map_err(io_error)?;
        Ok(Self { inner, audience })
    }

    /// Writes one row.
    ///
    /// # Errors
    /// Those of the writer; `InvalidInput` if the row is not as long as the header.
    pub fn row<'c>(&mut self, cells: impl IntoIterator<Item = Cow<'c, str>>) -> io::Result<()> {
        for cell in cells {
            let cell = self.audience.cell(cell);
            self.inner.write_field(cell.as_bytes()).map_err(io_error)?;
        }
        self.inner.write_record(None::<&[u8]>).map_err(io_error)
    }

    /// Hands the last rows to the writer; without it their errors are lost.
    ///
    /// # Errors
    /// Those of the writer, as they are.
    pub fn finish(mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Audience {
    fn cell(self, text: Cow<'_, str>) -> Cow<'_, str> {
        let text = if self == Self::Program { text } else { guarded(text) };
        if self == Self::Terminal { safe_lines(text) } else { text }
    }
}

/// The crate's own conversion hides the kind of an I/O error; this keeps it.
fn io_error(error: ::csv::Error) -> io::Error {
    let message = error.to_string();
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        _ => io::Error::new(io::ErrorKind::InvalidInput, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(rows: &[[&str; 2]], audience: Audience) -> String {
        let mut out = Vec::new();
        let mut csv = Rows::new(&mut out, &["id", "題名"], audience).unwrap();
        for row in rows {
            csv.row(row.iter().map(|&cell| Cow::Borrowed(cell))).unwrap();
        }
        csv.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_as_the_rfc_says_with_line_feeds() {
        assert_eq!(
            show(
                &[["1", "a,b"], ["2", "say \"日本\""], ["3", "a\nb"], ["", ""]],
                Audience::Spreadsheet
            ),
            "id,題名\n1,\"a,b\"\n2,\"say \"\"日本\"\"\"\n3,\"a\nb\"\n,\n"
        );
    }

    #[test]
    fn formulas_are_disarmed_unless_a_program_reads() {
        for text in ["=1+1", "+1", "-1", "@x", "\tx", "\r=x"] {
            let guarded = Audience::Spreadsheet.cell(Cow::Borrowed(text));
            assert_eq!(guarded, format!("'{text}"));
            assert_eq!(Audience::Program.cell(Cow::Borrowed(text)), text);
        }
        for text in ["", "a=1", "日本", "'x"] {
            assert!(matches!(Audience::Spreadsheet.cell(Cow::Borrowed(text)), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn a_terminal_sees_no_control_characters() {
        let shown = show(&[["\x1b]52;c;QQ==\x07", "\u{202e}a\r"]], Audience::Terminal);
        assert_eq!(shown, "id,題名\n\\u{1b}]52;c;QQ==\\u{7},\\u{202e}a\\u{d}\n");
    }

    #[test]
    fn a_row_of_another_length_fails() {
        let mut out = Vec::new();
        let mut csv = Rows::new(&mut out, &["a", "b"], Audience::Program).unwrap();
        let error = csv.row([Cow::Borrowed("1")]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_closed_pipe_keeps_its_kind() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut out = Closed;
        let mut csv = Rows::new(&mut out, &["a"], Audience::Program).unwrap();
        let error = csv.row([Cow::Owned("x".repeat(200_000))]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(csv.finish().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
