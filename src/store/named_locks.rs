//! Named locks on the disk: `LOCKS/names/<name>.lock`, one file a lock.
//!
//! Here: reading and writing the files, and what the journal tells of a name.
//! Not here: names (`model::lock_name`), who may take which (`services::locks`).
//! Invariant: unlike the mirrors of leases these files are the truth; a name
//! without a file is held by nobody.
//!
//! # Durability
//! A change goes through the redo record as one of a ledger does: once the
//! record is durable the files follow, then the journal line, and recovery
//! finishes both. So no line speaks of a lock that has no file, and tokens grow
//! wherever the process died.

use crate::error::{Error, Result};
use crate::ledger::render::Rendered;
use crate::model::lock::{Hold, HoldEnd, Lock, LockPast};
use crate::model::lock_name::LockName;
use crate::model::time::Timestamp;
use crate::store::entry::sha256_hex;
use crate::store::journal::Journal;
use crate::store::layout::{Layout, encode_id};
use crate::store::prepare::Prepared;
use crate::store::replace::{self, Durability, resolve};
use crate::store::transaction::{Stopped, Transaction, make_dir};
use crate::sys::{FileKind, Stat, Sys};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The longest file that is read as a lock.
const LARGEST: u64 = 64 * 1024;

/// The longest encoded name that is a file's name; a longer one is hashed.
const LONGEST: usize = 200;

/// What a hashed name begins with.
const HASHED: &str = "#sha256:";

/// What a file holds: the members of a lease mirror with `name` in the place of
/// `task_id`, and the end, which a mirror leaves to the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    owner: String,
    name: String,
    ts_acquired: String,
    ttl_sec: u64,
    status: String,
    token: u64,
    host: String,
    pid: u32,
    expires_at: String,
}

/// A file in the folder of named locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockFile {
    /// Its path from the workspace root.
    pub file: String,
    /// The name that it is for; `None` where its own name says none.
    pub name: Option<LockName>,
    /// What it says; `None` where it cannot be read as a lock.
    pub lock: Option<Lock>,
    path: PathBuf,
}

impl LockFile {
    /// Whether it is the file of this very name.
    pub fn is_of(&self, name: &LockName) -> bool {
        self.path.file_name() == path_of(&Layout::new(""), name.as_str()).file_name()
    }

    /// Whether its lock, once held, keeps others from this name. A hashed name
    /// that the file does not tell may be that of any path. A file whose own
    /// name is not that of a lock is in nobody's way: `orch` never made it.
    pub fn is_in_the_way_of(&self, name: &LockName) -> bool {
        if let Some(other) = &self.name {
            return other.conflicts(name);
        }
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let is_hashed = decode(&stem).is_some_and(|name| name.starts_with(HASHED));
        self.is_of(name) || (is_hashed && name.is_path())
    }
}

/// What a commit does to the file of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockWrite {
    /// It was taken or renewed.
    Put(Lock),
    /// It was given back.
    Remove(String),
}

/// Where the file of a name stands.
pub fn path_of(layout: &Layout, name: &str) -> PathBuf {
    if encode_id(name).len() <= LONGEST {
        layout.named_lock(name)
    } else {
        layout.named_lock(&format!("{HASHED}{}", sha256_hex(name.as_bytes())))
    }
}

fn folder(layout: &Layout) -> PathBuf {
    let mut path = layout.named_lock("x");
    path.pop();
    path
}

/// Reads the file of a name; `None` where there is none.
///
/// # Errors
/// `failed` where it cannot be looked at.
pub fn read(sys: &Sys, layout: &Layout, name: &LockName) -> Result<Option<LockFile>> {
    read_path(sys, layout, path_of(layout, name.as_str()), Some(name.clone()))
}

/// Reads every file, in the order of their names.
///
/// # Errors
/// `failed` where the folder or a file cannot be looked at.
pub fn read_all(sys: &Sys, layout: &Layout) -> Result<Vec<LockFile>> {
    let dir = folder(layout);
    let names = match sys.fs.list(&dir) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("list", &dir, &e)),
    };
    let mut found = Vec::new();
    for file in names {
        // The copies that writers stage end otherwise.
        let Some(stem) = file.strip_suffix(".lock") else { continue };
        let name = decode(stem).filter(|name| !name.starts_with(HASHED));
        let name = name.and_then(|name| LockName::canonical(&name));
        let name = name.filter(|name| path_of(layout, name.as_str()).ends_with(&file));
        found.extend(read_path(sys, layout, dir.join(&file), name)?);
    }
    Ok(found)
}

fn read_path(
    sys: &Sys,
    layout: &Layout,
    path: PathBuf,
    name: Option<LockName>,
) -> Result<Option<LockFile>> {
    let file = layout.display(&path);
    let bytes = match sys.fs.lstat(&path) {
        Ok(Stat { kind: FileKind::File, len, .. }) if len <= LARGEST => match sys.fs.read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path, &e)),
        },
        // A link, a folder or a flood: what it says is not looked at.
        Ok(_) => return Ok(Some(LockFile { file, name, lock: None, path })),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io("read", &path, &e)),
    };
    let lock = parse(&bytes).filter(|lock| path_of(layout, &lock.name) == path);
    // A hashed file name tells its lock's name only by what is in it.
    let name = name.or_else(|| LockName::canonical(&lock.as_ref()?.name));
    let lock = lock.filter(|_| name.is_some());
    Ok(Some(LockFile { file, name, lock, path }))
}

fn parse(bytes: &[u8]) -> Option<Lock> {
    let content: Content = serde_json::from_slice(bytes).ok()?;
    Some(Lock {
        acquired: Timestamp::parse(&content.ts_acquired)?,
        expires_at: Timestamp::parse(&content.expires_at)?,
        ttl: Duration::from_secs(content.ttl_sec),
        name: content.name,
        owner: content.owner,
        token: content.token,
        host: content.host,
        pid: content.pid,
    })
}

fn print(lock: &Lock) -> String {
    let content = Content {
        owner: lock.owner.clone(),
        name: lock.name.clone(),
        ts_acquired: lock.acquired.to_string(),
        ttl_sec: lock.ttl.as_secs(),
        status: "active".to_owned(),
        token: lock.token,
        host: lock.host.clone(),
        pid: lock.pid,
        expires_at: lock.expires_at.to_string(),
    };
    let mut json = serde_json::to_string(&content).unwrap_or_default();
    json.push('\n');
    json
}

/// The id that a file's name encodes, where it is the encoding of one.
fn decode(stem: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(stem.len());
    let mut rest = stem.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        if *first == b'%' {
            let hex = std::str::from_utf8(more.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &more[2..];
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    String::from_utf8(bytes).ok().filter(|id| encode_id(id) == stem)
}

/// The largest token that files know, of leases or named locks; 0 for none.
pub fn largest_token(sys: &Sys, layout: &Layout, locks: &[LockFile]) -> u64 {
    #[derive(Deserialize)]
    struct Token {
        token: u64,
    }
    let dir = layout.locks_dir();
    let mirrored = sys.fs.list(&dir).unwrap_or_default().into_iter().filter_map(|name| {
        let path = dir.join(name.strip_suffix(".lock").map(|_| &name)?);
        let stat = sys.fs.lstat(&path).ok()?;
        let is_small = stat.kind == FileKind::File && stat.len <= LARGEST;
        let bytes = is_small.then(|| sys.fs.read(&path).ok())??;
        Some(serde_json::from_slice::<Token>(&bytes).ok()?.token)
    });
    let named = locks.iter().filter_map(|file| Some(file.lock.as_ref()?.token));
    mirrored.chain(named).max().unwrap_or(0)
}

impl Journal {
    /// What became of a named lock.
    pub fn lock_past(&self, name: &str) -> LockPast {
        let needle = format!("\"name\":{}", serde_json::to_string(name).unwrap_or_default());
        let mut holds: Vec<Hold> = Vec::new();
        for entry in self.entries_with(needle.as_bytes()) {
            let acquired = entry.command == "lock acquire";
            for change in entry.locks.iter().filter(|change| change.name == name) {
                if change.owner.is_some() && !acquired {
                    continue;
                }
                if let Some(last) = holds.last_mut().filter(|last| last.end.is_none()) {
                    let own = last.owner.eq_ignore_ascii_case(&entry.actor) && !acquired;
                    last.end = Some(if own { HoldEnd::ByHolder } else { HoldEnd::Lost });
                }
                if let Some(owner) = &change.owner {
                    holds.push(Hold { owner: owner.clone(), token: entry.token, end: None });
                }
            }
        }
        LockPast(holds)
    }
}

impl Transaction {
    /// Commits an operation that changes named locks and no ledger.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub fn commit_locks(
        self,
        mut prepared: Prepared,
        writes: &[LockWrite],
        durability: Durability,
    ) -> std::result::Result<(), Stopped> {
        let dir = folder(&self.layout);
        make_dir(&self.sys, &dir, &self.layout)?;
        replace::resolve_dir(&self.sys, &self.layout, &dir)?;
        // An expired lock that a new one takes over goes first: in between
        // nobody holds either, and never two holders both.
        let removed = writes.iter().filter_map(|write| match write {
            LockWrite::Remove(name) => Some(LockText { name: name.clone(), text: None }),
            LockWrite::Put(_) => None,
        });
        let put = writes.iter().filter_map(|write| match write {
            LockWrite::Put(lock) => {
                Some(LockText { name: lock.name.clone(), text: Some(print(lock)) })
            }
            LockWrite::Remove(_) => None,
        });
        prepared.locks = removed.chain(put).collect();
        self.commit(prepared, &Rendered::default(), durability)
    }
}

/// What becomes of a lock's file, as the redo record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockText {
    /// The lock's name.
    pub name: String,
    /// The file's text; none where it goes.
    pub text: Option<String>,
}

/// Makes the files of named locks what they shall be. Doing it again changes
/// nothing.
///
/// # Errors
/// `failed`; some may be done.
pub fn apply(sys: &Sys, layout: &Layout, locks: &[LockText], durability: Durability) -> Result<()> {
    for lock in locks {
        let path = path_of(layout, &lock.name);
        match &lock.text {
            Some(text) => {
                let target = resolve(sys, layout, &path)?;
                let expected = target.stat.as_ref();
                replace::replace(sys, &target, expected, text.as_bytes(), durability)?;
            }
            None => match sys.fs.remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path, &e));
                }
                _ => {}
            },
        }
    }
    if !locks.is_empty() && durability == Durability::Full {
        let dir = folder(layout);
        sys.fs.sync_dir(&dir).map_err(|e| Error::io("sync", &dir, &e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_was_written_and_nothing_else_is_a_lock() {
        let lock = Lock {
            name: "src/**".into(),
            owner: "WORK@ada".into(),
            token: 7,
            acquired: Timestamp(1_000),
            expires_at: Timestamp(61_000),
            ttl: Duration::from_mins(1),
            host: "desk".into(),
            pid: 4242,
        };
        let text = print(&lock);
        assert_eq!(
            text,
            "{\"owner\":\"WORK@ada\",\"name\":\"src/**\",\"ts_acquired\":\"1970-01-01T00:00:01Z\",\
             \"ttl_sec\":60,\"status\":\"active\",\"token\":7,\"host\":\"desk\",\"pid\":4242,\
             \"expires_at\":\"1970-01-01T00:01:01Z\"}\n"
        );
        assert_eq!(parse(text.as_bytes()), Some(lock));
        for garbage in [
            &b""[..],
            b"\xff\xfe",
            b"{}",
            b"[1]",
            text.replace("01:01Z", "61:01Z").as_bytes(),
            text.replace(":7,", ":-7,").as_bytes(),
            text.replace(":7,", ":99999999999999999999999,").as_bytes(),
            &text.as_bytes()[..40],
        ] {
            assert_eq!(parse(garbage), None);
        }
    }

    #[test]
    fn file_names_lead_back_to_names() {
        for name in ["deploy", "src/**", "名前", "a b%"] {
            assert_eq!(decode(&encode_id(name)).as_deref(), Some(name));
        }
        for stem in ["%2", "%zz", "%41", "%ff", "a b"] {
            assert_eq!(decode(stem), None, "{stem}");
        }
        let layout = Layout::new("/w");
        let long = path_of(&layout, &"名".repeat(100));
        assert!(long.file_name().unwrap().len() < 120);
        assert_ne!(long, path_of(&layout, &"名".repeat(101)));
    }
}
