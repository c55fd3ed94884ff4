//! Both ledgers as of one moment, parsed; the past and the archives on demand.
//!
//! Readers take no lock and write nothing: they read, look whether anything
//! changed meanwhile, and read again. Invariant: the two ledgers of a snapshot
//! stood on the disk together.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::compare::value;
use crate::ledger::flags;
use crate::ledger::source;
use crate::ledger::tasks::TaskLedger;
use crate::model::flags::Flags;
use crate::store::entry::sha256_hex;
use crate::store::install::hashed;
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::store::redo::{Found, Redo};
use crate::store::replace::resolve;
use crate::store::seen::Suspended;
use crate::sys::{FileKind, Stat, Sys};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How often a reader tries before it says that the files keep changing.
const ATTEMPTS: u32 = 20;

/// Which files a reader needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// TASKS.md only.
    Tasks,
    /// Both ledgers and the flags.
    All,
}

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct FileRead {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the file system said of it.
    pub stat: Stat,
}

/// The bytes that a snapshot is parsed from.
#[derive(Debug)]
pub struct Files {
    /// TASKS.md
    pub tasks: FileRead,
    /// APPROVALS.md, where it is.
    pub approvals: Option<FileRead>,
    /// FLAGS.md, where it is.
    pub flags: Option<FileRead>,
    /// Whether a committed change was not in place yet.
    pub unfinished: bool,
}

impl Files {
    /// What was read of a path: `None` where the snapshot does not hold it,
    /// `Some(None)` where it is not there.
    #[allow(clippy::option_option, reason = "not asked for, not there, there")]
    pub fn named(&self, layout: &Layout, path: &Path) -> Option<Option<&FileRead>> {
        if path == layout.tasks() {
            Some(Some(&self.tasks))
        } else if path == layout.approvals() {
            self.approvals.as_ref().map(Some)
        } else if path.parent() == Some(&layout.state_dir()) {
            self.flags.as_ref().map(Some)
        } else {
            None
        }
    }

    /// Takes the new bytes of files that still are as the change found them;
    /// false where they came into their place while this looked.
    fn finish(&mut self, sys: &Sys, layout: &Layout, redo: &Redo) -> Result<bool> {
        self.unfinished = true;
        for file in &redo.files {
            let live = if file.name == layout.display(&layout.tasks()) {
                Some(&mut self.tasks)
            } else if file.name == layout.display(&layout.approvals()) {
                self.approvals.as_mut()
            } else {
                None
            };
            let Some(live) = live else { continue };
            if Some(sha256_hex(&live.bytes)) != file.sha_in {
                continue;
            }
            match hashed(sys, &file.copy(layout))? {
                Some((bytes, sha)) if sha == file.sha_out => live.bytes = bytes,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads the files as of one moment. A change that is committed and not yet
    /// in place is read from its copies.
    ///
    /// # Errors
    /// `failed` where a file cannot be read, `busy` where they keep changing.
    pub fn read(sys: &Sys, layout: &Layout, want: Want) -> Result<Self> {
        let mut pause = Duration::from_millis(1);
        for attempt in 0..ATTEMPTS {
            let redo = Redo::read(sys, layout)?;
            for path in [layout.tasks(), layout.approvals()] {
                // A link is followed inside the workspace only.
                if sys.fs.lstat(&path).is_ok_and(|stat| stat.kind == FileKind::Symlink) {
                    resolve(sys, layout, &path)?;
                }
            }
            let tasks = read_file(sys, &layout.tasks())?.ok_or_else(|| {
                Error::not_found(format!("no `{}`", layout.display(&layout.tasks())))
                    .hint("orch init")
            })?;
            let (approvals, flags) = match want {
                Want::Tasks => (None, None),
                Want::All => {
                    let flags = layout.flags(&*sys.fs);
                    (read_file(sys, &layout.approvals())?, read_file(sys, &flags)?)
                }
            };
            let same = |path: &Path, read: &Option<FileRead>| {
                sys.fs.stat(path).ok().as_ref() == read.as_ref().map(|r| &r.stat)
            };
            let tasks = Some(tasks);
            let still = same(&layout.tasks(), &tasks)
                && (want == Want::Tasks || same(&layout.approvals(), &approvals));
            if let (true, Some(tasks)) = (still, tasks)
                && Redo::read(sys, layout)? == redo
            {
                let mut files = Self { tasks, approvals, flags, unfinished: false };
                let whole = match redo {
                    Some(Found::Record(redo)) => files.finish(sys, layout, &redo)?,
                    Some(Found::Torn(_)) | None => true,
                };
                // A record whose copies are gone cannot be completed.
                if whole || attempt > ATTEMPTS / 2 {
                    return Ok(files);
                }
            }
            sys.clock.sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        Err(Error::new(ErrorKind::Busy, "the ledgers kept changing while they were read")
            .hint("orch status"))
    }
}

fn read_file(sys: &Sys, path: &Path) -> Result<Option<FileRead>> {
    let stat = match sys.fs.stat(path) {
        Ok(stat) => stat,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io("read", path, &e)),
    };
    if stat.kind != FileKind::File {
        return Err(Error::invalid(format!("`{}` is not a regular file", path.display()))
            .hint("orch doctor"));
    }
    if stat.len > source::MAX_BYTES as u64 {
        return Err(Error::invalid(format!(
            "`{}` has {} bytes, more than the {} that a ledger may have",
            path.display(),
            stat.len,
            source::MAX_BYTES
        ))
        .hint("orch doctor"));
    }
    match sys.fs.read(path) {
        Ok(bytes) => Ok(Some(FileRead { bytes, stat })),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path, &e)),
    }
}

/// What a command decides on.
#[derive(Debug)]
pub struct Snapshot<'f> {
    /// The tasks.
    pub tasks: TaskLedger<'f>,
    /// The approvals; empty where a reader did not ask for them.
    pub approvals: ApprovalLedger<'f>,
    /// The flags.
    pub flags: Flags,
    /// FLAGS.md; empty where there is none.
    pub flags_text: String,
    /// Hand edits that count for nothing.
    pub standing: Vec<Suspended>,
    past: Past,
}

/// What is read only when asked for.
struct Past {
    sys: Sys,
    layout: Layout,
    journal: OnceCell<Journal>,
    archives: OnceCell<BTreeMap<i32, String>>,
}

impl std::fmt::Debug for Past {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Past").finish_non_exhaustive()
    }
}

impl<'f> Snapshot<'f> {
    /// Parses what was read.
    ///
    /// # Errors
    /// `ledger_invalid` where a file cannot be used.
    pub fn parse(sys: &Sys, layout: &Layout, files: &'f Files) -> Result<Self> {
        let path = layout.display(&layout.tasks());
        let tasks = TaskLedger::parse(source::text(&files.tasks.bytes, &path)?, &path)?;
        Self::with(sys, layout, files, tasks)
    }

    /// The same where TASKS.md may have no ledger table: one that is yet to be
    /// migrated.
    ///
    /// # Errors
    /// `ledger_invalid` where a file cannot be used.
    pub fn parse_any(sys: &Sys, layout: &Layout, files: &'f Files) -> Result<Self> {
        let path = layout.display(&layout.tasks());
        let tasks = TaskLedger::parse_any(source::text(&files.tasks.bytes, &path)?, &path);
        Self::with(sys, layout, files, tasks)
    }

    fn with(sys: &Sys, layout: &Layout, files: &'f Files, tasks: TaskLedger<'f>) -> Result<Self> {
        let name = |path: &Path| layout.display(path);
        let path = name(&layout.approvals());
        let bytes = files.approvals.as_ref().map_or(&[][..], |f| &f.bytes);
        let approvals = ApprovalLedger::parse(source::text(bytes, &path)?, &path)?;
        let flags_text = match &files.flags {
            None => String::new(),
            Some(file) => String::from_utf8_lossy(&file.bytes).into_owned(),
        };
        let flags = flags::parse(&flags_text);
        let past = Past {
            sys: sys.clone(),
            layout: layout.clone(),
            journal: OnceCell::new(),
            archives: OnceCell::new(),
        };
        Ok(Self { tasks, approvals, flags, flags_text, standing: Vec::new(), past })
    }

    /// The hand edit of a task that counts for nothing, if there is one.
    pub fn standing_of(&self, task: &str) -> Option<&Suspended> {
        let is_it = |standing: &&Suspended| {
            standing.forbidden.row == task && standing.forbidden.file.ends_with("/STATE/TASKS.md")
        };
        self.standing.iter().find(is_it)
    }

    /// The hand edit of an approval of a task that counts for nothing.
    pub fn standing_approval_of(&self, task: &str) -> Option<&Suspended> {
        // A row that was cut out, or moved to another task, was one of its too.
        let was_of = |standing: &Suspended| {
            let cell = standing.change.cells.get("task_id");
            cell.is_some_and(|(before, after)| value(before) == task || value(after) == task)
        };
        self.standing.iter().find(|standing| {
            standing.forbidden.file.ends_with("/APPROVALS.md")
                && (was_of(standing)
                    || self
                        .approvals
                        .of_task(task)
                        .any(|a| a.id == standing.forbidden.row.as_str()))
        })
    }

    /// The journal, read when first asked for.
    pub fn journal(&self) -> Result<&Journal> {
        if let Some(journal) = self.past.journal.get() {
            return Ok(journal);
        }
        let journal = Journal::read(&self.past.sys, &self.past.layout)?;
        Ok(self.past.journal.get_or_init(|| journal))
    }

    /// The archives by year, read when first asked for.
    pub fn archives(&self) -> Result<&BTreeMap<i32, String>> {
        if let Some(archives) = self.past.archives.get() {
            return Ok(archives);
        }
        let archives = read_archives(&self.past.sys, &self.past.layout)?;
        Ok(self.past.archives.get_or_init(|| archives))
    }

    /// The id of every row in an archive.
    ///
    /// # Errors
    /// As reading them has.
    pub fn archived_ids(&self) -> Result<HashSet<String>> {
        let mut ids = HashSet::new();
        for text in self.archives()?.values() {
            let archive = TaskLedger::parse_any(text, "archive");
            ids.extend(archive.rows().map(|row| archive.id(row).into_owned()));
        }
        Ok(ids)
    }

    /// The year whose archive holds a task, if one does.
    pub fn archived(&self, id: &str) -> Result<Option<i32>> {
        for (year, text) in self.archives()? {
            if !TaskLedger::parse_any(text, "archive").rows_of(id).is_empty() {
                return Ok(Some(*year));
            }
        }
        Ok(None)
    }
}

/// The bytes that a committed change gives a file and has not put in place yet.
/// None where there is no such change: then the file itself is what counts, also
/// where the change came into its place while this looked.
///
/// # Errors
/// `failed` where the record or its copy cannot be read.
pub fn coming(sys: &Sys, layout: &Layout, path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(Found::Record(redo)) = Redo::read(sys, layout)? else { return Ok(None) };
    let name = layout.display(path);
    let Some(file) = redo.files.iter().find(|file| file.name == name) else { return Ok(None) };
    let copy = hashed(sys, &file.copy(layout))?;
    Ok(copy.filter(|(_, sha)| *sha == file.sha_out).map(|(bytes, _)| bytes))
}

/// An archive, with what is still to come into its place.
fn read_archive(sys: &Sys, layout: &Layout, path: &Path) -> Result<Option<Vec<u8>>> {
    match coming(sys, layout, path)? {
        Some(bytes) => Ok(Some(bytes)),
        None => Ok(read_file(sys, path)?.map(|file| file.bytes)),
    }
}

fn read_archives(sys: &Sys, layout: &Layout) -> Result<BTreeMap<i32, String>> {
    let mut archives = BTreeMap::new();
    for (year, bytes) in archives_now(sys, layout)? {
        let path = layout.archive_tasks(year);
        let text = source::text(&bytes, &layout.display(&path))?;
        archives.insert(year, text.to_owned());
    }
    Ok(archives)
}

/// The bytes of the archives by year, with what is still to come into its place.
///
/// # Errors
/// `failed` where one cannot be read.
pub fn archives_now(sys: &Sys, layout: &Layout) -> Result<BTreeMap<i32, Vec<u8>>> {
    let dir = layout.archive_dir();
    let mut names = match sys.fs.list(&dir) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(Error::io("read", &dir, &e)),
    };
    if let Some(Found::Record(redo)) = Redo::read(sys, layout)? {
        // The first row of a year goes to a file that is not in place yet.
        let folder = format!("{}/", layout.display(&dir));
        let coming = redo.files.iter().filter_map(|file| file.name.strip_prefix(&folder));
        names.extend(coming.map(str::to_owned));
    }
    let mut archives = BTreeMap::new();
    for name in names {
        let year = name.strip_prefix("TASKS-").and_then(|n| n.strip_suffix(".md"));
        let Some(year) = year.and_then(|y| y.parse::<i32>().ok()) else { continue };
        if let Some(bytes) = read_archive(sys, layout, &layout.archive_tasks(year))? {
            archives.insert(year, bytes);
        }
    }
    Ok(archives)
}
