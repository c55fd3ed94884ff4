//! A change rendered and checked, and what the journal will say of it.
//!
//! Here: new texts to journal lines, diff and audit lines. Not here: writing
//! any of it (`store::transaction`). Invariant: nothing here touches a file but
//! to read it.

use crate::error::Result;
use crate::ledger::compare;
use crate::ledger::document::{Document, Kind};
use crate::ledger::render::Rendered;
use crate::ledger::tasks::TaskLedger;
use crate::ledger::unified::unified;
use crate::model::operation::Operation;
use crate::model::time::Timestamp;
use crate::store::audit_line::AuditLine;
use crate::store::discover::repository_root;
use crate::store::entry::{Entry, RowChange, Subject, TextChange, sha256_hex};
use crate::store::journal::Journal;
use crate::store::mirror::MirrorChange;
use crate::store::named_locks::LockText;
use crate::store::seen::Seen;
use crate::store::snapshot::Snapshot;
use crate::store::transaction::{Meta, Transaction};
use crate::sys::{Stat, Sys};
use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

/// A change that is rendered and checked, and not yet written.
#[derive(Debug)]
pub struct Prepared {
    /// Lines that go before the operation's own: the genesis, a hand edit.
    pub before: Vec<Entry>,
    /// The operation's own journal line.
    pub entry: Entry,
    /// The diff of every file that people see.
    pub diff: String,
    /// The lease mirrors to write or remove.
    pub mirrors: Vec<MirrorChange>,
    /// Lines for the audit file of their day.
    pub audit: Vec<(String, String)>,
    pub(super) locks: Vec<LockText>,
    pub(super) files: Vec<FileChange>,
    pub(super) seen: Seen,
    pub(super) standing: usize,
    pub(super) journal_end: Option<u64>,
}

/// One file that gets new bytes.
#[derive(Debug, Clone)]
pub(super) struct FileChange {
    pub path: PathBuf,
    /// As the journal names it.
    pub name: String,
    /// What it was when it was read; none where that was not kept.
    pub expected: Option<Stat>,
    /// Whether a later write would have changed that.
    pub sure: bool,
    pub sha_in: Option<String>,
    pub sha_out: String,
    pub new: NewText,
}

/// Which of the new texts a file gets: they are not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewText {
    Tasks,
    Approvals,
    Archive(i32),
    Flags,
    Evidence,
}

impl FileChange {
    /// The text itself.
    pub fn text<'r>(&self, rendered: &'r Rendered) -> &'r str {
        match self.new {
            NewText::Tasks => rendered.tasks.as_deref(),
            NewText::Approvals => rendered.approvals.as_deref(),
            NewText::Archive(year) => rendered.archives.get(&year).map(String::as_str),
            NewText::Flags => rendered.flags.as_deref(),
            NewText::Evidence => rendered.evidence.get(&self.name).map(String::as_str),
        }
        .unwrap_or_default()
    }
}

/// What goes with a change besides its own operations.
#[derive(Debug, Default)]
pub struct Beside {
    /// How the files stand to the newest operation.
    pub seen: Seen,
    /// Hand edits that were noticed, as lines without a place in the chain.
    pub external: Vec<Entry>,
    /// Files that differ though no cell of theirs was edited.
    pub respelled: Vec<String>,
    /// The settings and flags that count from here on, where they changed.
    pub policy: Option<serde_json::Value>,
    /// How many hand edits stand that count for nothing.
    pub standing: usize,
    /// The operation that is taken back.
    pub undoes: Option<String>,
    /// Hand edits that are accepted.
    pub accepts: Vec<String>,
    /// What approvals that the operation touches are about.
    pub subjects: Vec<Subject>,
    /// What the approvals that stand at first use are about.
    pub first_seen: Vec<Subject>,
}

impl Prepared {
    /// The journal lines, the operation's own last.
    pub fn lines(&self) -> Vec<String> {
        self.before.iter().chain([&self.entry]).map(Entry::to_line).collect()
    }

    /// Number and hash of what will be the journal's newest line.
    pub fn heads(&self) -> Vec<(u64, String)> {
        vec![(self.entry.seq, self.entry.sealed_hash())]
    }
}

impl Transaction {
    /// Turns new texts into files, a diff and journal lines. `after` is the task
    /// ledger as it will be. Writes nothing.
    ///
    /// # Errors
    /// `failed` where journal or archives cannot be read.
    #[allow(clippy::too_many_arguments, reason = "each is asked for once, by one caller")]
    pub fn prepare(
        &self,
        snapshot: &Snapshot<'_>,
        after: &TaskLedger<'_>,
        rendered: &Rendered,
        operations: &[Operation],
        mirrors: Vec<MirrorChange>,
        meta: &Meta,
        beside: Beside,
        now: Timestamp,
    ) -> Result<Prepared> {
        let journal = snapshot.journal()?;
        let files = self.changed_files(snapshot, rendered, operations, &beside.seen)?;
        let mut entry = self.blank_entry(now);
        entry.actor.clone_from(&meta.actor);
        entry.command.clone_from(&meta.command);
        entry.note.clone_from(&meta.note);
        entry.token = meta.token;
        entry.waivers.clone_from(&meta.waivers);
        entry.run.clone_from(&meta.run);
        if let Some((key, args)) = &meta.op_id {
            entry.op_id = Some(key.clone());
            entry.args = Some(args.clone());
        }
        entry.undoes.clone_from(&beside.undoes);
        entry.accepts.clone_from(&beside.accepts);
        entry.respelled.clone_from(&beside.respelled);
        entry.policy.clone_from(&beside.policy);
        entry.subjects.clone_from(&beside.subjects);
        for file in &files {
            entry.sha_in.insert(file.name.clone(), file.sha_in.clone());
            entry.sha_out.insert(file.name.clone(), file.sha_out.clone());
        }
        (entry.changes, entry.texts) =
            self.changes(snapshot, after, rendered, operations, &files)?;
        self.name_rows(&mut entry);
        let (diff, evidence) = self.diff(snapshot, rendered, &files)?;
        if meta.command != "renew" {
            entry.diff = Some(diff.clone());
        }
        let diff = format!("{evidence}{diff}");
        let before = self.chain(journal, &mut entry, &beside, now);
        let month = entry.ts.get(..7).unwrap_or_default();
        Ok(Prepared {
            audit: AuditLine::of(&entry),
            journal_end: journal.whole_month(month),
            before,
            entry,
            diff,
            mirrors,
            locks: Vec::new(),
            files,
            seen: beside.seen,
            standing: beside.standing,
        })
    }

    /// The task and the approval that an operation is about, where there is one.
    fn name_rows(&self, entry: &mut Entry) {
        let approvals = self.layout.display(&self.layout.approvals());
        let rows = |of_approvals: bool| {
            let of = entry.changes.iter().filter(|c| (c.file == approvals) == of_approvals);
            of.map(|c| c.row.clone()).collect::<BTreeSet<String>>()
        };
        let one = |rows: BTreeSet<String>| rows.into_iter().next_back();
        let (tasks, apprs) = (rows(false), rows(true));
        entry.appr = Some(apprs).filter(|rows| rows.len() == 1).and_then(one);
        let tasks = if tasks.is_empty() {
            entry.subjects.iter().map(|subject| subject.task.clone()).collect()
        } else {
            tasks
        };
        entry.task = Some(tasks).filter(|rows| rows.len() == 1).and_then(one);
    }

    /// Puts the lines behind the journal's heads, or behind a genesis line.
    fn chain(
        &self,
        journal: &Journal,
        entry: &mut Entry,
        beside: &Beside,
        now: Timestamp,
    ) -> Vec<Entry> {
        let mut before = Vec::new();
        let tip = journal.tip();
        let (mut seq, mut parents) = match tip.seq - 1 {
            last if last > 0 => (last, tip.parents),
            _ => {
                let mut genesis = self.blank_entry(now);
                genesis.seq = 1;
                genesis.actor.clone_from(&entry.actor);
                "genesis".clone_into(&mut genesis.command);
                genesis.policy.clone_from(&beside.policy);
                genesis.subjects.clone_from(&beside.first_seen);
                // A journal that this machine saw and that is gone stays missing.
                if let Some(saw) = &beside.seen.checkpoint {
                    let last = saw.heads.iter().map(|(seq, _)| *seq).max().unwrap_or(0);
                    genesis.seq = last + 1;
                    genesis.parents = saw.heads.iter().map(|(_, hash)| hash.clone()).collect();
                }
                for file in &beside.seen.files {
                    if let Some(sha) = &file.sha {
                        genesis.sha_out.insert(file.name.clone(), sha.clone());
                    }
                }
                entry.policy = None;
                let parents = vec![genesis.sealed_hash()];
                let seq = genesis.seq;
                before.push(genesis);
                (seq, parents)
            }
        };
        for external in &beside.external {
            let mut line = external.clone();
            seq += 1;
            line.seq = seq;
            line.parents = parents;
            parents = vec![line.sealed_hash()];
            before.push(line);
        }
        entry.seq = seq + 1;
        entry.parents = parents;
        before
    }

    /// A line with the id, the time and the process.
    pub fn blank_entry(&self, now: Timestamp) -> Entry {
        let env = &self.sys.env;
        Entry {
            id: operation_id(&self.sys, now),
            ts: now.to_millis_string(),
            host: env.host(),
            pid: env.pid(),
            ..Entry::default()
        }
    }

    fn changed_files(
        &self,
        snapshot: &Snapshot<'_>,
        rendered: &Rendered,
        operations: &[Operation],
        seen: &Seen,
    ) -> Result<Vec<FileChange>> {
        let layout = &self.layout;
        let sha_of = |name: &str, bytes: &[u8]| {
            let seen = seen.file(name).and_then(|file| file.sha.clone());
            seen.unwrap_or_else(|| sha256_hex(bytes))
        };
        let sure =
            |name: &str| seen.file(name).is_some_and(crate::store::seen::SeenFile::is_marked);
        let mut files = Vec::new();
        let mut add = |path: PathBuf, old: Option<&[u8]>, expected: Option<&Stat>, new: NewText| {
            let name = layout.display(&path);
            let mut file = FileChange {
                expected: expected.cloned(),
                sure: sure(&name),
                sha_in: old.map(|bytes| sha_of(&name, bytes)),
                sha_out: String::new(),
                new,
                path,
                name,
            };
            file.sha_out = sha256_hex(file.text(rendered).as_bytes());
            files.push(file);
        };
        // What a row names stands before the row does.
        for name in rendered.evidence.keys() {
            add(layout.root.join(name), None, None, NewText::Evidence);
        }
        for year in rendered.archives.keys() {
            let old = snapshot.archives()?.get(year).map(String::as_bytes);
            add(layout.archive_tasks(*year), old, None, NewText::Archive(*year));
        }
        if rendered.tasks.is_some() {
            let file = &self.files.tasks;
            add(layout.tasks(), Some(&file.bytes), Some(&file.stat), NewText::Tasks);
        }
        if rendered.approvals.is_some() {
            let file = self.files.approvals.as_ref();
            let (old, stat) = (file.map(|f| &f.bytes[..]), file.map(|f| &f.stat));
            add(layout.approvals(), old, stat, NewText::Approvals);
        }
        if rendered.flags.is_some() {
            let file = self.files.flags.as_ref();
            let (old, stat) = (file.map(|f| &f.bytes[..]), file.map(|f| &f.stat));
            // Looked for once more where there was one: under which of its names.
            let path = match file {
                Some(_) => layout.flags(&*self.sys.fs),
                None => layout.new_flags(),
            };
            add(path, old, stat, NewText::Flags);
        }
        let shrinks = |(year, new): (&i32, &String)| {
            let old = snapshot.archives().ok().and_then(|archives| archives.get(year));
            old.is_some_and(|old| old.len() > new.len())
        };
        if operations.iter().any(|o| matches!(o, Operation::Unarchive { .. }))
            || (operations.is_empty() && rendered.archives.iter().any(shrinks))
        {
            // The ledger first: the file that a row leaves is always the last.
            files.rotate_left(rendered.archives.len());
        }
        Ok(files)
    }

    /// The diff of ledgers and flags, and that of evidence, which the journal
    /// has by its hash only.
    fn diff(
        &self,
        snapshot: &Snapshot<'_>,
        rendered: &Rendered,
        files: &[FileChange],
    ) -> Result<(String, String)> {
        let top = repository_root(&self.sys, &self.layout);
        let (mut out, mut evidence) = (String::new(), String::new());
        let archives = if files.iter().any(|f| f.name.contains("/archive/")) {
            Some(snapshot.archives()?)
        } else {
            None
        };
        for file in files.iter().filter(|file| !self.layout.is_log(&file.name)) {
            let was_there = file.sha_in.is_some();
            let old = match file.new {
                NewText::Tasks => Some(snapshot.tasks.grid().text()),
                NewText::Approvals => was_there.then(|| snapshot.approvals.grid().text()),
                NewText::Flags => was_there.then_some(&snapshot.flags_text[..]),
                NewText::Evidence => None,
                NewText::Archive(year) => {
                    archives.and_then(|archives| archives.get(&year)).map(String::as_str)
                }
            };
            let diff = unified(&diff_name(&top, &file.path), old, Some(file.text(rendered)));
            let out = if file.new == NewText::Evidence { &mut evidence } else { &mut out };
            out.push_str(&diff);
        }
        Ok((out, evidence))
    }

    /// The rows that operations name, and lines that are no rows. Where no
    /// operation says what changed, as in an undo, the texts do.
    fn changes(
        &self,
        snapshot: &Snapshot<'_>,
        after: &TaskLedger<'_>,
        rendered: &Rendered,
        operations: &[Operation],
        files: &[FileChange],
    ) -> Result<(Vec<RowChange>, Vec<TextChange>)> {
        let (mut rows, mut texts) = (Vec::new(), Vec::new());
        let ids = named(operations);
        let mut add = |before: &Document<'_>, later: &Document<'_>, file: &str, lines: Lines| {
            let changes = match lines {
                _ if operations.is_empty() => compare::spelling(before, later, file),
                Lines::Rows => (compare::of_ids(before, later, &ids, file), Vec::new()),
                Lines::Prose => (
                    compare::of_ids(before, later, &ids, file),
                    compare::texts(before, later, file, false),
                ),
                Lines::All => (Vec::new(), compare::texts(before, later, file, true)),
            };
            rows.extend(changes.0);
            texts.extend(changes.1);
        };
        if rendered.tasks.is_some() {
            let lines = operations.iter().map(|operation| match operation {
                Operation::FormatTasks => Lines::All,
                Operation::SetDetail { .. } | Operation::AddHandover { .. } => Lines::Prose,
                _ => Lines::Rows,
            });
            let before = Document::view(Kind::Tasks, snapshot.tasks.grid());
            let later = Document::view(Kind::Tasks, after.grid());
            let file = self.layout.display(&self.layout.tasks());
            add(&before, &later, &file, lines.max().unwrap_or(Lines::Rows));
        }
        if let Some(new) = &rendered.approvals {
            let before = Document::view(Kind::Approvals, snapshot.approvals.grid());
            let file = self.layout.display(&self.layout.approvals());
            let whole = operations.iter().any(|o| matches!(o, Operation::FormatApprovals));
            let lines = if whole { Lines::All } else { Lines::Rows };
            add(&before, &Document::parse(Kind::Approvals, new), &file, lines);
        }
        if let Some(new) = &rendered.flags {
            let before = Document::parse(Kind::Tasks, &snapshot.flags_text);
            let file = files.iter().find(|file| file.new == NewText::Flags);
            let file = file.map_or("", |file| &file.name);
            add(&before, &Document::parse(Kind::Tasks, new), file, Lines::Prose);
        }
        for (year, new) in &rendered.archives {
            let old = snapshot.archives()?.get(year);
            let before = Document::parse(Kind::Tasks, old.map_or("", String::as_str));
            let file = self.layout.display(&self.layout.archive_tasks(*year));
            // An archive that is new keeps its head though its rows leave.
            let lines = if old.is_some() { Lines::Prose } else { Lines::Rows };
            add(&before, &Document::parse(Kind::Tasks, new), &file, lines);
        }
        Ok((rows, texts))
    }
}

/// Which lines of a file an operation may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lines {
    /// The rows that it names.
    Rows,
    /// And lines that are no rows.
    Prose,
    /// Any, rows as lines like others.
    All,
}

/// A path as diffs spell it: from the top of the repository, with `/`.
pub fn diff_name(top: &std::path::Path, path: &std::path::Path) -> String {
    let path = path.strip_prefix(top).unwrap_or(path);
    path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

/// The rows that operations name, each once.
fn named(operations: &[Operation]) -> Vec<&str> {
    let mut seen: HashSet<&str> = HashSet::new();
    operations
        .iter()
        .filter_map(|operation| match operation {
            Operation::AddTask { id, .. }
            | Operation::SetTask { id, .. }
            | Operation::SetDetail { id, .. }
            | Operation::AddHandover { id, .. }
            | Operation::AddApproval { id, .. }
            | Operation::SetApproval { id, .. }
            | Operation::Archive { id, .. }
            | Operation::Unarchive { id, .. } => Some(id.as_str()),
            Operation::SetFlag(_)
            | Operation::AddEvidence { .. }
            | Operation::FormatTasks
            | Operation::FormatApprovals => None,
        })
        .filter(|id| seen.insert(id))
        .collect()
}

/// A new operation id: 48 bits of time and 32 of chance, in Crockford's
/// base 32, so that ids sort by time and do not collide between branches.
fn operation_id(sys: &Sys, now: Timestamp) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut chance = [0; 4];
    sys.entropy.fill(&mut chance);
    let ms = u128::from(now.0.max(0).cast_unsigned() & 0xffff_ffff_ffff);
    let bits = (ms << 32) | u128::from(u32::from_be_bytes(chance));
    (0..16)
        .rev()
        .map(|i| char::from(DIGITS[usize::try_from((bits >> (5 * i)) & 31).unwrap_or_default()]))
        .collect()
}
