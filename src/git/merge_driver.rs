//! What git runs where two branches changed a ledger.
//!
//! Here: the three files, which ledger they are, writing the result. Not here:
//! the merge (`ledger::merge`), words and numbers for git (`cli`). Invariant:
//! our file is replaced as a whole or not at all; no workspace, lock or journal
//! is looked at, since git may run this anywhere and in any state.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::document::{Document, Kind};
use crate::ledger::merge::{self, Conflict, Labels, Sides};
use crate::ledger::source;
use crate::sys::Sys;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

/// What git asks for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The file of the common ancestor; empty where there was none.
    pub base: PathBuf,
    /// Our file, which takes the result.
    pub ours: PathBuf,
    /// Their file.
    pub theirs: PathBuf,
    /// How long the marks of a conflict are.
    pub marker_size: usize,
    /// Where the file is in the repository; it says which ledger it is.
    pub path: Option<&'a str>,
    /// What the marks say.
    pub labels: Labels<'a>,
}

/// The label that git gives our side where it merges two common ancestors.
const ANCESTORS: &str = "Temporary merge branch";

impl Request<'_> {
    /// Whether git merges two common ancestors, to have one.
    pub fn is_of_ancestors(&self) -> bool {
        self.labels.ours.starts_with(ANCESTORS)
    }
}

/// Merges three files into ours and tells what needs a person.
///
/// # Errors
/// Where a file cannot be read or is no text, where it holds an unresolved
/// merge, and where nothing says that it is a ledger. Our file is as it was.
pub fn run(sys: &Sys, request: &Request<'_>) -> Result<Vec<Conflict>> {
    let [base, ours, theirs] = [&request.base, &request.ours, &request.theirs]
        .map(|path| sys.fs.read(path).map_err(|e| Error::io("read", path, &e)));
    let (base, ours, theirs) = (base?, ours?, theirs?);
    let name = request.path.unwrap_or("the file");
    let among = |which: &str| format!("{name} ({which})");
    // Git makes one of several common ancestors by merging them; marks in that
    // are nobody's mistake.
    let base_text = plain(&base, &among("base"))?;
    let (ours_text, theirs_text) = if request.is_of_ancestors() {
        (plain(&ours, &among("ours"))?, plain(&theirs, &among("theirs"))?)
    } else {
        (source::text(&ours, &among("ours"))?, source::text(&theirs, &among("theirs"))?)
    };
    let sides = Sides { base: base_text, ours: ours_text, theirs: theirs_text };
    let kind = kind(request.path, &sides)?;
    let merged = panic::catch_unwind(AssertUnwindSafe(|| {
        merge::merge(kind, &sides, &request.labels, request.marker_size)
    }));
    let merged = merged.map_err(|_| {
        Error::new(ErrorKind::Failed, format!("`{name}` could not be merged; this is a bug"))
    })?;
    if merged.text != ours_text {
        replace(sys, &request.ours, merged.text.as_bytes())?;
    }
    Ok(merged.conflicts)
}

/// A text, whatever marks it has.
fn plain<'a>(bytes: &'a [u8], name: &str) -> Result<&'a str> {
    match source::text(bytes, name) {
        Err(error) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') && bytes.len() <= source::MAX_BYTES => Ok(text),
            _ => Err(error),
        },
        text => text,
    }
}

/// Which ledger it is: by name, else by the tables in it.
fn kind(path: Option<&str>, sides: &Sides<'_>) -> Result<Kind> {
    let name = path.and_then(|path| Path::new(path).file_name()?.to_str()).unwrap_or_default();
    let folder = path.and_then(|path| Path::new(path).parent()?.file_name()?.to_str());
    if name == "APPROVALS.md" {
        return Ok(Kind::Approvals);
    }
    if name == "TASKS.md" || (folder == Some("archive") && name.starts_with("TASKS-")) {
        return Ok(Kind::Tasks);
    }
    let has = |kind: Kind| {
        let has_table = |text| !Document::parse(kind, text).grid().tables.is_empty();
        [sides.ours, sides.theirs, sides.base].into_iter().any(has_table)
    };
    match (has(Kind::Tasks), has(Kind::Approvals)) {
        (true, false) => Ok(Kind::Tasks),
        (false, true) => Ok(Kind::Approvals),
        (both, _) => Err(Error::invalid(format!(
            "`{}` is no ledger that can be merged by rows: {}",
            path.unwrap_or("the file"),
            if both {
                "it has tables of both kinds"
            } else {
                "it has no table of tasks or approvals"
            }
        ))
        .hint("git check-attr merge -- .")),
    }
}

/// Puts bytes in a file's place. Git reads it by name, and is the only one who
/// knows it: a rename is enough.
fn replace(sys: &Sys, path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".orch-{}", sys.random_hex()));
    let beside = PathBuf::from(name);
    let written = sys.fs.create_new(&beside).and_then(|mut file| file.write_all(bytes));
    let placed = written.and_then(|()| sys.fs.rename(&beside, path));
    placed.map_err(|e| {
        let _ = sys.fs.remove_file(&beside);
        Error::io("write", path, &e)
    })
}
