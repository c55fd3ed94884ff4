//! orch.yaml: reading it, and saying where every setting came from.
//!
//! Lives here: `load` and its findings. Beside it: `settings` and `automation`
//! (types and defaults), `file` (the shape of the file), `scalar` (rules over one value),
//! `resolve` (defaults and rules over several), `keys` (names and positions),
//! `entries` and `flow` (the list of `orch config`), `zone`, `cron`, `placeholders`. Not here:
//! finding the file, and who may loosen what by hand. Invariant: one misspelled key never
//! hides a setting from a reader; it gets the others and a finding.

mod automation;
pub mod cron;
mod entries;
mod file;
mod flow;
mod keys;
pub mod placeholders;
mod resolve;
mod scalar;
mod settings;
pub mod zone;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use automation::{
    Alerts, AutoDecide, Canary, GateCommand, Metrics, Notify, OnFailure, Retries, Runner,
    RunnerMatch, Schedule, Watch,
};
pub use entries::{Entry, Source};
pub use settings::{
    Approvals, Durability, Evidence, HandEdits, IdStyle, Ids, Leases, PathStyle, Settings,
    Worktrees,
};

use crate::error::{Error, Result};
use crate::model::secrets;
use file::FileSettings;
use keys::Path;

/// What a settings file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The settings in force: the file's, and the defaults for the rest.
    pub settings: Settings,
    /// The keys that nothing reads, in the order of the file.
    pub unknown: Vec<UnknownKey>,
    text: String,
    path: String,
}

/// A key that nothing reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// Its dotted path, `leases.tttl` or `watch.runners[0].nam`.
    pub path: String,
    /// 1-based line; 0 if unknown.
    pub line: usize,
    /// 1-based column in characters; 0 if unknown.
    pub column: usize,
    /// The key that was probably meant.
    pub nearest: Option<String>,
}

/// Which settings a file gives, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// The file, as a person would name it.
    pub path: String,
    /// The dotted keys of `Settings::entries` with their 1-based lines.
    pub lines: BTreeMap<String, usize>,
}

/// Reads the text of orch.yaml; `display_path` names it in messages.
///
/// An empty text, or one of comments only, means the defaults, and so does an
/// empty value. A byte order mark and CRLF are fine.
///
/// # Errors
/// `Usage` with file, line and column, for text that is not YAML and for the
/// first value of a wrong type or out of range. Unknown keys are no error here:
/// see `Loaded::strict`.
pub fn load(text: &str, display_path: &str) -> Result<Loaded> {
    // The YAML reader counts the mark as a column, and would take the second
    // key for the start of another document.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    bounded(text, display_path)?;
    let mut ignored = Vec::new();
    let file = if says_nothing(text) {
        None
    } else {
        let mut read = |text| {
            ignored.clear();
            let reader = serde_yaml::Deserializer::from_str(text);
            serde_ignored::deserialize::<_, _, Option<FileSettings>>(reader, |path| {
                ignored.push(Path::of_ignored(&path));
            })
        };
        // The reader takes 150 instructions for each byte of the comments that
        // `init` writes. Where it finds fault, it shall find it in the whole.
        read(without_last_comments(text))
            .or_else(|_| read(text))
            .map_err(|error| reader_error(&error, display_path))?
    };
    let settings = resolve::resolve(file.unwrap_or_default()).map_err(|fault| {
        let (line, column) = fault.path.locate(text).unwrap_or_default();
        let message = format!("`{}`: {}", fault.path, fault.message);
        Error::usage(secrets::redact(&message)).at(display_path, line, column)
    })?;
    let unknown = ignored.iter().map(|path| unknown_key(path, text)).collect();
    Ok(Loaded { settings, unknown, text: text.to_owned(), path: display_path.to_owned() })
}

/// The most bytes of a settings file, its comments left out.
const MAX_BYTES: usize = 1 << 18;
/// The deepest nesting, in brackets or by indentation.
const MAX_DEPTH: usize = 32;
/// The most lines that are not comments.
const MAX_LINES: usize = 5_000;

/// Refuses what no person writes: the reader's time grows with the square of
/// depth and of keys.
fn bounded(text: &str, path: &str) -> Result<()> {
    let too = |what: String, line: usize| Err(Error::usage(what).at(path, line, 1));
    let (mut brackets, mut lines, mut bytes): (usize, usize, usize) = (0, 0, 0);
    let mut indents: Vec<usize> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let content = line.trim_start_matches([' ', '-', '\t']);
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        lines += 1;
        bytes += line.len();
        if bytes > MAX_BYTES {
            return too(format!("the settings have more than {MAX_BYTES} bytes"), number + 1);
        }
        let indent = line.len() - content.len();
        while indents.last().is_some_and(|last| *last >= indent) {
            indents.pop();
        }
        indents.push(indent);
        let dashes = line.len() - line.trim_start_matches(['-', ' ']).len();
        let nested = line[..dashes].matches('-').count();
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => brackets += 1,
                b']' | b'}' => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            if brackets + indents.len() + nested > MAX_DEPTH {
                return too(format!("the settings nest deeper than {MAX_DEPTH}"), number + 1);
            }
        }
        if lines > MAX_LINES {
            return too(format!("the settings have more than {MAX_LINES} lines"), number + 1);
        }
    }
    Ok(())
}

/// The text without the comment lines at its end. They begin at the margin, so
/// they are in no block scalar.
fn without_last_comments(text: &str) -> &str {
    let mut end = text.len();
    let mut at = text.len();
    for line in text.split_inclusive('\n').rev() {
        at -= line.len();
        if line.starts_with('#') {
            end = at;
        } else if !line.trim().is_empty() {
            break;
        }
    }
    &text[..end]
}

impl Loaded {
    /// The settings, if every key is known; for commands that change something.
    ///
    /// # Errors
    /// `Usage` at the first unknown key, naming the nearest known one.
    pub fn strict(self, path: &str) -> Result<Settings> {
        match self.unknown.first() {
            None => Ok(self.settings),
            Some(key) => Err(Error::usage(key.to_string())
                .at(path, key.line, key.column)
                .hint("orch config")),
        }
    }

    /// Which settings the file gives, and on which lines. Costs one parse for
    /// each, so it is for `orch config` only.
    pub fn present(&self) -> Present {
        let whole = serde_yaml::from_str::<serde_yaml::Value>(&self.text).ok();
        let is_empty = |key: &str| {
            let value = whole
                .as_ref()
                .map(|whole| key.split('.').try_fold(whole, |value, part| value.get(part)));
            value.flatten().is_some_and(serde_yaml::Value::is_null)
        };
        let keys = keys::KNOWN.iter().filter(|key| !key.contains("[]") && !is_empty(key));
        let lines = keys.filter_map(|key| {
            let parts: Vec<_> = key.split('.').collect();
            let (line, _) = Path::of(&parts).locate(&self.text)?;
            Some(((*key).to_owned(), line))
        });
        Present { path: self.path.clone(), lines: lines.collect() }
    }
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown key `{}`", self.path)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// Whether a text has no document at all, which the YAML reader calls an error.
fn says_nothing(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

fn unknown_key(path: &Path, text: &str) -> UnknownKey {
    let (line, column) = path.locate(text).unwrap_or_default();
    UnknownKey { path: path.to_string(), line, column, nearest: path.nearest() }
}

/// The reader's words without its "at line 1 column 2", and with the path that
/// it puts in front set in backticks. It quotes values: secrets among them are
/// not handed on.
fn reader_error(error: &serde_yaml::Error, display_path: &str) -> Error {
    let words = error.to_string();
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let words = words.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&words);
    let message = match words.split_once(": ") {
        Some((path, rest)) if !path.contains([' ', '`']) => format!("`{path}`: {rest}"),
        _ => words.to_owned(),
    };
    Error::usage(secrets::redact(&message)).at(display_path, line, column)
}
