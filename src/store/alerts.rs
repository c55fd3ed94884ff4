//! What people were told of: `LOGS/YYYY-MM/alerts.jsonl`, a line for each change.
//!
//! Here: what fires as the files say, and telling what changed once, however
//! many watch. Not here: when something is wrong (`watch::monitor`), who hears of
//! it (`watch::notify`). Invariants: of everybody who sees a change exactly one
//! appends it; the files alone say what fires, so that it outlives restarts and
//! the ends of months; a line never holds a control character or a secret.
//!
//! # Concurrency
//! Lines are appended under `flock` on `LOCKS/alerts`, after another look at the
//! files, and never to an older month than the newest there is: so the lines of
//! all files, month after month, are in the order in which they were written,
//! also where two machines' clocks disagree about the month.
//!
//! # Durability
//! Nothing is synced: an alert that a power cut took is told again. A line that
//! it tore counts as none.

use crate::error::{Error, Result};
use crate::model::alert::{Condition, Kind, Urgency};
use crate::model::secrets;
use crate::model::time::Timestamp;
use crate::model::value::is_refused;
use crate::store::append::{End, Place};
use crate::store::graph;
use crate::store::journal::is_month;
use crate::store::layout::Layout;
use crate::store::lock::LedgerLock;
use crate::store::replace::{self, Durability, resolve};
use crate::sys::{FileKind, Stat, Sys};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

/// How long others may be at it. They need a millisecond, and who comes too late
/// looks again soon.
const WAIT: Duration = Duration::from_secs(1);

/// The most characters of a summary.
const LONGEST: usize = 500;

/// One line: something began to be wrong, or ceased to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// When it was noticed, UTC with milliseconds.
    pub ts: String,
    /// What, as [`Kind`] spells it; a later version may know more.
    pub kind: String,
    /// How bad, as [`Urgency`] spells it.
    pub severity: String,
    /// What it is about.
    pub key: String,
    /// In a sentence.
    pub summary: String,
    /// Whether it began or ceased.
    pub state: State,
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It does from here on.
    Firing,
    /// It does no longer.
    Resolved,
}

impl State {
    /// As files and messages have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// What a number of lines say.
#[derive(Debug, Clone, Default)]
struct Fold {
    /// By kind and key.
    firing: BTreeMap<(String, String), Alert>,
    /// How many began, by kind and severity.
    fired: BTreeMap<(String, String), u64>,
    /// The bytes of the last file, if it ends in a line end.
    whole: Option<u64>,
}

impl Fold {
    fn add(&mut self, bytes: &[u8]) {
        for line in graph::lines(bytes) {
            let Ok(alert) = serde_json::from_slice::<Alert>(line) else { continue };
            let id = (alert.kind.clone(), alert.key.clone());
            match alert.state {
                State::Firing => {
                    let kind = (alert.kind.clone(), alert.severity.clone());
                    *self.fired.entry(kind).or_default() += 1;
                    self.firing.insert(id, alert);
                }
                State::Resolved => drop(self.firing.remove(&id)),
            }
        }
        self.whole = (bytes.is_empty() || bytes.ends_with(b"\n")).then_some(bytes.len() as u64);
    }
}

/// The alerts of a workspace, as last read.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    /// The files of which the newest is not one, and what they say.
    earlier: (Vec<(String, Stat)>, Fold),
    /// The newest file.
    newest: Option<(String, Stat)>,
    /// What all of them say.
    now: Fold,
}

impl Alerts {
    /// Reads every month.
    ///
    /// # Errors
    /// `failed` where a file cannot be read.
    pub fn read(sys: &Sys, layout: &Layout) -> Result<Self> {
        let mut alerts = Self::default();
        alerts.look(sys, layout)?;
        Ok(alerts)
    }

    /// Looks whether there is more by now. Cost: a look at each month's name and
    /// file, and reading the newest file anew where it grew.
    ///
    /// # Errors
    /// `failed` where a file cannot be read.
    pub fn look(&mut self, sys: &Sys, layout: &Layout) -> Result<()> {
        let mut files = files(sys, layout)?;
        let newest = files.pop();
        if self.newest == newest && self.earlier.0 == files {
            return Ok(());
        }
        if self.earlier.0 != files {
            let mut fold = Fold::default();
            for (month, _) in &files {
                fold.add(&read(sys, layout, month)?);
            }
            self.earlier = (files, fold);
        }
        let mut now = self.earlier.1.clone();
        if let Some((month, _)) = &newest {
            now.add(&read(sys, layout, month)?);
        }
        (self.newest, self.now) = (newest, now);
        Ok(())
    }

    /// What fires, as last read.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.now.firing.values()
    }

    /// Whether something of a kind fires, as last read.
    pub fn is_firing(&self, kind: Kind) -> bool {
        self.firing().any(|alert| alert.kind == kind.as_str())
    }

    /// Whether anything fires that keeps work from going on, as last read.
    pub fn has_error(&self) -> bool {
        self.firing().any(|alert| alert.severity == Urgency::Error.as_str())
    }

    /// How often something began to fire, by kind and severity, as last read.
    pub const fn fired(&self) -> &BTreeMap<(String, String), u64> {
        &self.now.fired
    }

    /// Appends what is new, and what is gone of the kinds that were looked for,
    /// and gives what was appended: of several who see a change exactly one gets
    /// it. Cost: where nothing changed that of [`Alerts::look`].
    ///
    /// # Errors
    /// `busy` where others are at it for a second, `failed` where it cannot be
    /// written. Either way the next call tries again.
    pub fn sync(
        &mut self,
        sys: &Sys,
        layout: &Layout,
        now: Timestamp,
        found: &[Condition],
        evaluated: &[Kind],
    ) -> Result<Vec<Alert>> {
        let found: Vec<Condition> = found.iter().map(clean).collect();
        self.look(sys, layout)?;
        if self.changes(now, &found, evaluated).is_empty() {
            return Ok(Vec::new());
        }
        let _lock = LedgerLock::of_alerts(sys, layout, WAIT)?;
        self.look(sys, layout)?;
        let changes = self.changes(now, &found, evaluated);
        if !changes.is_empty() {
            self.append(sys, layout, now, &changes)?;
            // They stand: what cannot be read now is read the next time.
            let _ = self.look(sys, layout);
        }
        Ok(changes)
    }

    fn changes(&self, now: Timestamp, found: &[Condition], evaluated: &[Kind]) -> Vec<Alert> {
        let mut named: HashSet<(&str, &str)> = HashSet::new();
        let mut changes = Vec::new();
        for condition in found {
            let (kind, key) = (condition.kind.as_str(), condition.key.as_str());
            let is_new = named.insert((kind, key))
                && !self.now.firing.contains_key(&(kind.to_owned(), key.to_owned()));
            if is_new {
                changes.push(Alert {
                    ts: now.to_millis_string(),
                    kind: kind.to_owned(),
                    severity: condition.kind.urgency().as_str().to_owned(),
                    key: key.to_owned(),
                    summary: condition.summary.clone(),
                    state: State::Firing,
                });
            }
        }
        let was_looked_for = |kind: &str| evaluated.iter().any(|known| known.as_str() == kind);
        for alert in self.firing() {
            if was_looked_for(&alert.kind) && !named.contains(&(&*alert.kind, &*alert.key)) {
                let ts = now.to_millis_string();
                changes.push(Alert { ts, state: State::Resolved, ..alert.clone() });
            }
        }
        changes
    }

    fn append(&self, sys: &Sys, layout: &Layout, now: Timestamp, alerts: &[Alert]) -> Result<()> {
        let newest = self.newest.as_ref().map(|(month, _)| month.as_str());
        let month = newest.map_or_else(|| now.month(), |newest| now.month().max(newest.into()));
        let end = match self.now.whole {
            Some(len) if newest == Some(&*month) => End::Whole(len),
            _ => End::Unknown,
        };
        let lines: Vec<String> =
            alerts.iter().filter_map(|alert| serde_json::to_string(alert).ok()).collect();
        let place = Place::make(sys, layout, layout.alerts_month(&month))?;
        ignore(sys, layout)?;
        place.append(sys, &lines, end, false)
    }
}

/// The files there are, oldest first.
fn files(sys: &Sys, layout: &Layout) -> Result<Vec<(String, Stat)>> {
    let logs = layout.logs_dir();
    let names = match sys.fs.list(&logs) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("read", &logs, &e)),
    };
    let mut files = Vec::new();
    for month in names.into_iter().filter(|name| is_month(name)) {
        let path = layout.alerts_month(&month);
        match sys.fs.stat(&path) {
            // Reading a pipe would wait for ever.
            Ok(stat) if stat.kind == FileKind::File => files.push((month, stat)),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("read", &path, &e)),
        }
    }
    Ok(files)
}

fn read(sys: &Sys, layout: &Layout, month: &str) -> Result<Vec<u8>> {
    let path = layout.alerts_month(month);
    match sys.fs.read(&path) {
        Ok(bytes) => Ok(bytes),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::io("read", &path, &e)),
    }
}

/// Makes `LOGS/.gitignore` with the first alert. The other files of LOGS are
/// history; one that is there stays as it is.
fn ignore(sys: &Sys, layout: &Layout) -> Result<()> {
    let path = layout.logs_gitignore();
    if sys.fs.lstat(&path).is_ok() {
        return Ok(());
    }
    let target = resolve(sys, layout, &path)?;
    replace::replace(sys, &target, None, b"alerts.jsonl\n", Durability::Fast)
}

fn clean(condition: &Condition) -> Condition {
    let key = text(&condition.key);
    Condition { kind: condition.kind, key, summary: text(&condition.summary) }
}

/// One line that can be shown anywhere: no secret, no control character, not
/// too long. The same text always becomes the same.
fn text(text: &str) -> String {
    let redacted = secrets::redact(text);
    let mut out = String::with_capacity(redacted.len());
    for (n, c) in redacted.chars().enumerate() {
        if n == LONGEST {
            out.push('…');
            break;
        }
        if is_refused(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
