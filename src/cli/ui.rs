//! The two streams of a command: data on one, everything else on the other.
//!
//! Lives here: buffering, colour on or off, the words `error:`, `warning:`,
//! `hint:` and `note:`, and what a closed pipe means. Not here: finding out
//! about terminals and `NO_COLOR` (the caller passes `Options`), layout
//! (`render`), exit numbers (`exit`).
//! Invariant: no write panics, and a write that failed is never forgotten:
//! `finish` reports it even if the step before did not.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use super::render::diff::{self, Look};
use super::render::safe::{Safe, SafeLines};
use super::render::style::{RESET, Style};
use super::render::table::Table;
use crate::error::{Error, ErrorKind, Result};

/// What the caller found out about the streams and the user's wishes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Columns of the terminal; `None`: not a terminal, nothing is cut.
    pub width: Option<usize>,
    /// Colour on standard output.
    pub color_out: bool,
    /// Colour on standard error.
    pub color_err: bool,
    /// No notes and no hints of their own; warnings and errors stay.
    pub quiet: bool,
}

/// Whether anybody is still reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "after `Closed` the command should stop and exit with success"]
pub enum Written {
    /// The text was taken.
    All,
    /// The reader closed the pipe (`| head`): quiet success.
    Closed,
}

/// Standard output, buffered; it remembers its first failure.
pub struct Out<'a> {
    inner: BufWriter<&'a mut dyn Write>,
    failed: Option<(io::ErrorKind, String)>,
}

impl Out<'_> {
    fn remember<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
            && self.failed.is_none()
        {
            self.failed = Some((error.kind(), error.to_string()));
        }
        result
    }

    fn check(&self) -> io::Result<()> {
        match &self.failed {
            Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
            None => Ok(()),
        }
    }
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        let result = self.inner.write(bytes);
        self.remember(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        let result = self.inner.flush();
        self.remember(result)
    }
}

/// The streams of one command.
pub struct Ui<'a> {
    out: Out<'a>,
    err: &'a mut dyn Write,
    options: Options,
}

impl<'a> Ui<'a> {
    /// Streams and how to use them.
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, options: Options) -> Self {
        let inner = BufWriter::with_capacity(64 * 1024, out);
        Self { out: Out { inner, failed: None }, err, options }
    }

    /// How the streams are used.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Standard output as a writer; text for people must be made safe first.
    pub fn out(&mut self) -> &mut Out<'a> {
        &mut self.out
    }

    /// Runs something that writes to standard output and says how it went.
    ///
    /// # Errors
    /// Any failed write but a closed pipe, which is `Written::Closed`.
    pub fn emit(
        &mut self,
        write: impl FnOnce(&mut dyn Write, Options) -> io::Result<()>,
    ) -> Result<Written> {
        let options = self.options;
        if self.out.failed.is_none() {
            let result = write(&mut self.out, options);
            // The failure may be the producer's own, not the stream's.
            drop(self.out.remember(result));
        }
        self.written()
    }

    /// One line of data, made safe.
    ///
    /// # Errors
    /// As [`Ui::emit`].
    pub fn line(&mut self, text: &str) -> Result<Written> {
        self.emit(|out, _| writeln!(out, "{}", Safe(text)))
    }

    /// Text of several lines, made safe; a last line end is added if missing.
    ///
    /// # Errors
    /// As [`Ui::emit`].
    pub fn lines(&mut self, text: &str) -> Result<Written> {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        self.emit(|out, _| write!(out, "{}{end}", SafeLines(text)))
    }

    /// A table, fitted to the terminal.
    ///
    /// # Errors
    /// As [`Ui::emit`].
    pub fn table(&mut self, table: &Table<'_>) -> Result<Written> {
        self.emit(|out, options| table.write(out, options.width, options.color_out))
    }

    /// A unified diff: exact where it is neither coloured nor on a terminal.
    ///
    /// # Errors
    /// As [`Ui::emit`].
    pub fn diff(&mut self, text: &str) -> Result<Written> {
        self.emit(|out, options| {
            diff::write(out, text, Look::of(options.width.is_some(), options.color_out))
        })
    }

    /// `note: …` on standard error, unless quiet.
    pub fn note(&mut self, text: &str) {
        if !self.options.quiet {
            self.say("note", Style::Blue, text);
        }
    }

    /// `hint: …` on standard error, unless quiet.
    pub fn hint(&mut self, text: &str) {
        if !self.options.quiet {
            self.say("hint", Style::Cyan, text);
        }
    }

    /// `next: …` on standard error, unless quiet: a whole command.
    pub fn next(&mut self, command: &str) {
        if !self.options.quiet {
            self.say("next", Style::Green, command);
        }
    }

    /// Sets `--quiet`, which is known only after the streams are.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.options.quiet = quiet;
    }

    /// `warning: …` on standard error.
    pub fn warning(&mut self, text: &str) {
        self.say("warning", Style::Yellow, text);
    }

    /// `conflict: …` on standard error: what a person must decide.
    pub fn conflict(&mut self, text: &str) {
        self.say("conflict", Style::Red, text);
    }

    /// `error: <place>: <message>`, then `hint: <command>` on its own line.
    pub fn error(&mut self, error: &Error) {
        self.say("error", Style::Red, &error.to_string());
        if let Some(command) = &error.hint {
            self.say("hint", Style::Cyan, command);
        }
    }

    /// Hands everything on and reports the first write that failed.
    ///
    /// # Errors
    /// As [`Ui::emit`].
    pub fn finish(&mut self) -> Result<Written> {
        drop(self.err.flush());
        self.emit(|out, _| out.flush())
    }

    fn written(&self) -> Result<Written> {
        match &self.out.failed {
            None => Ok(Written::All),
            Some((io::ErrorKind::BrokenPipe, _)) => Ok(Written::Closed),
            Some((_, reason)) => Err(Error::new(
                ErrorKind::Failed,
                format!("cannot write to standard output: {reason}"),
            )),
        }
    }

    /// One line on standard error, in one write so that processes do not mix.
    ///
    /// What fails here has no place left to be said; the exit number still tells.
    fn say(&mut self, word: &str, style: Style, text: &str) {
        // Data printed before comes before, on a terminal that shows both.
        drop(self.out.flush());
        let mut line = String::with_capacity(text.len() + 32);
        if self.options.color_err {
            line.push_str(Style::Bold.open());
            line.push_str(style.open());
        }
        line.push_str(word);
        line.push(':');
        if self.options.color_err {
            line.push_str(RESET);
        }
        writeln!(line, " {}", Safe(text)).expect("writing to a string does not fail");
        drop(self.err.write_all(line.as_bytes()));
    }
}

#[cfg(test)]
#[path = "ui_tests.rs"]
mod tests;
