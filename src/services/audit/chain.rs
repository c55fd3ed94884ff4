//! Each line of the journal and its place among the others. Pure.
//!
//! ```text
//!  bytes ─▶ lines ─▶ ends as written? ─▶ hash right? ─▶ once only
//!             │            │ no              │ no          │
//!             │        unreadable/torn    altered      duplicate
//!             ▼
//!  graph: parents there? before it in the file? seq, month, time, id, token
//! ```

use crate::model::time::Timestamp;
use crate::services::audit::Finding;
use crate::services::doctor::Severity;
use crate::store::entry::sha256_hex;
use crate::store::graph::{Graph, Heads, Line};
use crate::store::journal::Journal;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How far a clock may be behind the one of the line before: commands follow a
/// journal's newest time where it is less than this ahead.
const CLOCK_SLACK_MS: i64 = 3_600_000;

/// File, line, column.
pub type Place = (String, usize, usize);

/// What a sound line says, as far as it is verified.
#[derive(Debug, Deserialize)]
pub struct Said<'j> {
    /// The command.
    #[serde(borrow)]
    pub command: Cow<'j, str>,
    /// The fencing token that was taken or used.
    #[serde(default)]
    pub token: Option<u64>,
    /// SHA-256 of each file before.
    #[serde(default)]
    pub sha_in: BTreeMap<String, Option<String>>,
    /// SHA-256 of each file after.
    #[serde(default)]
    pub sha_out: BTreeMap<String, String>,
    /// Files that were spelled otherwise in between, no cell changed.
    #[serde(default)]
    pub respelled: Vec<String>,
}

/// A line that is as it was written.
#[derive(Debug)]
pub struct Sound<'j> {
    /// Its place in the graph.
    pub line: Line<'j>,
    /// What it says.
    pub said: Said<'j>,
    /// Where it stands.
    pub place: Place,
    /// The month of its file.
    month: &'j str,
}

/// A line that another one follows and that is not there.
#[derive(Debug)]
pub struct Gap {
    /// The operation that follows it.
    pub operation: String,
    /// Its hash.
    pub parent: String,
    /// Where the operation stands.
    pub place: Place,
}

/// The journal, looked at line by line.
#[derive(Debug, Default)]
pub struct Chain<'j> {
    /// Sound lines, each once, parents first.
    pub lines: Vec<Sound<'j>>,
    /// What is wrong with lines.
    pub findings: Vec<Finding>,
    /// Parents that no line is.
    pub gaps: Vec<Gap>,
    /// How many sound lines stand there once more.
    pub duplicates: usize,
    /// Every hash that a line has or claims, altered ones included: what has
    /// one is not missing.
    pub known: HashSet<Cow<'j, str>>,
}

impl<'j> Chain<'j> {
    /// Looks at every line. `name` gives the path of a month's file.
    pub fn of(journal: &'j Journal, name: &dyn Fn(&str) -> String) -> Self {
        let mut chain = Self::default();
        let mut sound: HashMap<&str, Sound<'j>> = HashMap::new();
        for (month, bytes) in journal.files() {
            let file = name(month);
            let (mut rest, mut number) = (bytes, 0);
            // What could not be read right before a line, and its finding.
            let mut fragment: Option<(&[u8], usize)> = None;
            while !rest.is_empty() {
                number += 1;
                let end = memchr::memchr(b'\n', rest);
                let text = &rest[..end.unwrap_or(rest.len())];
                rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
                let text =
                    if end.is_some() { text.strip_suffix(b"\r") } else { None }.unwrap_or(text);
                // A line end too many is what a mended torn write leaves.
                if text.is_empty() {
                    continue;
                }
                let before = chain.findings.len();
                let place = (file.clone(), number, 1);
                if let Some(line) = chain.line(text, end.is_some(), month, place) {
                    if let Some((_, finding)) = fragment.filter(|(part, _)| text.starts_with(part))
                    {
                        chain.forgive(finding);
                    }
                    match sound.entry(line.line.hash) {
                        Entry::Occupied(_) => chain.duplicates += 1,
                        Entry::Vacant(free) => drop(free.insert(line)),
                    }
                    fragment = None;
                } else {
                    fragment = Some((text, before));
                }
            }
        }
        let order = Graph::of(sound.values().map(|sound| sound.line.bytes));
        let lines = order.lines().iter().filter_map(|line| sound.remove(line.hash));
        chain.lines = lines.collect();
        chain.places();
        chain
    }

    /// A line by itself; `None` where it is not as it was written.
    fn line(
        &mut self,
        text: &'j [u8],
        is_ended: bool,
        month: &'j str,
        place: Place,
    ) -> Option<Sound<'j>> {
        let Some(line) = Line::parse(text) else {
            if is_ended || holds_a_whole_line(text) {
                let column = not_json_at(text);
                let message = "this line is not as one is written: it was altered or cut";
                self.error("unreadable", message.into(), (place.0, place.1, column));
            } else {
                let message = "the last line is cut off, as a crash in the middle of a write \
                               leaves it; the next change ends it";
                self.say("torn", Severity::Warning, message.into(), place);
            }
            return None;
        };
        self.known.insert(Cow::Borrowed(line.hash));
        let hash = sha256_hex(&[line.hashed(), b"}"].concat());
        if hash != line.hash {
            self.known.insert(Cow::Owned(hash));
            let message = format!(
                "operation {} (`{}`) was altered: the hash of its line is another one",
                line.seq, line.id
            );
            self.error("altered", message, place);
            return None;
        }
        let said = match serde_json::from_slice::<Said<'j>>(text) {
            Ok(said) => said,
            Err(why) => {
                let message = format!("operation {} (`{}`) is no journal line", line.seq, line.id);
                self.error("unreadable", message, (place.0, place.1, why.column().max(1)));
                return None;
            }
        };
        if !is_ended {
            let message = "the last line has no line end; the next change ends it";
            self.say("torn", Severity::Note, message.into(), place.clone());
        }
        Some(Sound { line, said, place, month })
    }

    /// The beginning of the line that follows is what a write left that was cut
    /// off and then done again: nothing is lost.
    fn forgive(&mut self, finding: usize) {
        if let Some(finding) = self.findings.get_mut(finding).filter(|f| f.code == "unreadable") {
            finding.code = "torn";
            finding.severity = Severity::Note;
            finding.message = "a write was cut off here and done again in the next line".into();
        }
    }

    /// Each line among the others.
    fn places(&mut self) {
        let at: HashMap<&str, usize> =
            self.lines.iter().enumerate().map(|(n, sound)| (sound.line.hash, n)).collect();
        let mut ids: HashMap<&str, usize> = HashMap::new();
        // The largest token of each line and everything before it.
        let mut tokens: Vec<u64> = Vec::with_capacity(self.lines.len());
        let (mut found, mut gaps) = (Vec::new(), Vec::new());
        for (n, sound) in self.lines.iter().enumerate() {
            let Sound { line, said, place, .. } = sound;
            let mut say = |code, severity, message: String| {
                found.push(Finding { code, severity, message, place: Some(place.clone()) });
            };
            let name = format!("operation {} (`{}`)", line.seq, line.id);
            let parents: Vec<usize> = line.parents().filter_map(|p| at.get(p).copied()).collect();
            for parent in line.parents().filter(|parent| !self.known.contains(*parent)) {
                gaps.push(Gap {
                    operation: name.clone(),
                    parent: parent.to_owned(),
                    place: place.clone(),
                });
            }
            for parent in parents.iter().map(|parent| &self.lines[*parent]) {
                if parent.place.0 == place.0 && parent.place.1 > place.1 {
                    let (seq, line) = (parent.line.seq, parent.place.1);
                    let message =
                        format!("{name} stands before {seq}, which it follows, in line {line}");
                    say("reordered", Severity::Error, message);
                }
            }
            if line.ts.get(..7) != Some(sound.month) {
                let message =
                    format!("{name} of {} stands in the file of {}", line.ts, sound.month);
                say("reordered", Severity::Error, message);
            }
            if parents.len() == line.parents().count() {
                let largest = parents.iter().map(|p| self.lines[*p].line.seq).max().unwrap_or(0);
                if line.seq != largest.saturating_add(1) {
                    let message = format!("{name} should have the number {}", largest + 1);
                    say("sequence", Severity::Error, message);
                }
            }
            if let Some(other) = ids.insert(line.id, n) {
                let other = self.lines[other].place.1;
                say("duplicate-id", Severity::Error, format!("{name} has the id of line {other}"));
            }
            let newest = parents.iter().filter_map(|p| self.lines[*p].time()).max();
            if let (Some(time), Some(newest)) = (sound.time(), newest)
                && time.0 + CLOCK_SLACK_MS < newest.0
            {
                let message = format!("{name} is of {time}, before the one before it, of {newest}");
                say("clock", Severity::Note, message);
            }
            let before = parents.iter().map(|p| tokens[*p]).max().unwrap_or(0);
            let token = said.token.unwrap_or(0);
            if said.command == "claim" && said.token.is_some() && token <= before {
                let message =
                    format!("{name} took the token {token}, but {before} was given before");
                say("token", Severity::Error, message);
            }
            tokens.push(before.max(token));
        }
        self.findings.extend(found);
        self.gaps = gaps;
    }

    /// The heads, as `<seq>:<hash>`.
    pub fn heads(&self) -> Vec<String> {
        let heads = Heads::of(self.lines.iter().map(|sound| sound.line.bytes));
        heads.lines.iter().map(|line| format!("{}:{}", line.seq, line.hash)).collect()
    }

    fn error(&mut self, code: &'static str, message: String, place: Place) {
        self.say(code, Severity::Error, message, place);
    }

    fn say(&mut self, code: &'static str, severity: Severity, message: String, place: Place) {
        self.findings.push(Finding { code, severity, message, place: Some(place) });
    }
}

impl Sound<'_> {
    fn time(&self) -> Option<Timestamp> {
        Timestamp::parse_millis(self.line.ts)
    }
}

/// Whether a whole line stands at the beginning, with something behind it: that
/// is no torn write.
fn holds_a_whole_line(text: &[u8]) -> bool {
    memchr::memmem::find_iter(text, b",\"hash\":\"").any(|at| {
        // The member's name and colon, 64 digits, the end.
        let end = at + 9 + 64 + 2;
        text.get(..end).is_some_and(|line| Line::parse(line).is_some())
    })
}

/// The column, counted from 1, at which a line stops being JSON.
fn not_json_at(text: &[u8]) -> usize {
    match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
        Ok(_) => 1,
        Err(why) => why.column().max(1),
    }
}
