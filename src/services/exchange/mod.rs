//! Tasks for other tools and from them: `export` and `import`.
//!
//! Here: what a file of each format says, and how it is spelled. A format gives a
//! [`sheet::Sheet`] of named cells and knows nothing of the ledger; `import`
//! turns a sheet into operations and knows nothing of formats. Not here: the JSON of
//! a task (`wire`). Invariant: whatever is refused is refused with its place in the
//! file, before anything is written.

pub mod checkbox;
mod circle;
pub mod csv;
pub mod export;
pub mod fields;
pub mod file;
pub mod ics;
pub mod import;
pub mod jsonl;
pub mod sheet;
pub mod todo_txt;
mod update;
mod words;

use crate::error::Result;
use sheet::{Sheet, Source};

/// A format of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// The format of todo.txt.
    TodoTxt,
    /// Markdown task lists, as GitHub has them.
    Checkbox,
    /// RFC 5545; it can be written only.
    Ics,
}

impl Format {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::TodoTxt => "todo.txt",
            Self::Checkbox => "checkbox",
            Self::Ics => "ics",
        }
    }

    /// The format that the name of a file speaks of.
    pub fn of_path(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "txt" => Some(Self::TodoTxt),
            "md" | "markdown" => Some(Self::Checkbox),
            "ics" => Some(Self::Ics),
            _ => None,
        }
    }
}

/// Reads a file of a format; `None` for one that can be written only.
///
/// # Errors
/// `usage` with the place of what is wrong.
pub fn read(format: Format, source: &Source) -> Option<Result<Sheet>> {
    match format {
        Format::Csv => Some(csv::read(source)),
        Format::Jsonl => Some(jsonl::read(source)),
        Format::TodoTxt => Some(Ok(todo_txt::read(source))),
        Format::Checkbox => Some(Ok(checkbox::read(source))),
        Format::Ics => None,
    }
}
