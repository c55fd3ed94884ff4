//! A file system in which what is below one folder stays below it, whatever
//! links are put in the way and however quickly.
//!
//! Lives here: finding the folder of a name anew for each call, and holding on
//! to it until the call is made. Not here: which links are welcome
//! (`store::replace`, which looks before it leaps and says so in plain words;
//! here is only what must hold when somebody turns a link in between).
//! Invariant: no call makes, replaces, moves, removes or reads a name in a
//! folder that is not below the root, where the path is one below the root.
//! Other paths are the caller's own affair.
//!
//! ```text
//!   we: resolve STATE/TASKS.md: inside      somebody: STATE becomes a link out
//!   we: open root, ORCH, STATE one by one, following nothing: refused
//!   or: have them open, change a name in there; where the link leads is
//!       of no matter any more
//! ```

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

use crate::error::LeadsOut;

use super::fs::{FileKind, Fs, FsKind, Handle, LockFile, Stat};

/// As many as Linux follows in one path.
const MOST_LINKS: usize = 40;

/// Opened for what is behind it, not for reading, where the system can.
#[cfg(target_os = "linux")]
const ONLY_NAMED: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const ONLY_NAMED: OFlags = OFlags::RDONLY;

/// Another file system, confined.
pub(super) struct Within {
    inner: Arc<dyn Fs>,
    root: PathBuf,
}

/// A name, and its folder, or the file itself, held open as long as this lives.
struct Anchored {
    path: PathBuf,
    folder: Option<OwnedFd>,
}

impl Within {
    pub(super) fn new(inner: Arc<dyn Fs>, root: &Path) -> Self {
        Self { inner, root: root.to_owned() }
    }

    /// The path for one call that follows no link at the end of it.
    fn anchor(&self, path: &Path) -> io::Result<Anchored> {
        let below = match path.strip_prefix(&self.root) {
            Ok(below) if below != Path::new("") => below,
            _ => return Ok(Anchored { path: path.to_owned(), folder: None }),
        };
        let Some(Component::Normal(name)) = below.components().next_back() else {
            return Err(leads_out());
        };
        let folder = self.folder(below.parent().unwrap_or(Path::new("")))?;
        let there = reach(&folder).map_or_else(|| path.to_owned(), |dir| dir.join(name));
        Ok(Anchored { path: there, folder: Some(folder) })
    }

    /// The path for one call that follows a link at the end of it, if there is
    /// one that stays inside.
    fn follow(&self, path: &Path) -> io::Result<Anchored> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let there = self.anchor(&path)?;
            let (Some(folder), Some(name)) = (&there.folder, path.file_name()) else {
                return Ok(there);
            };
            let to = match readlinkat(folder, name, []) {
                Ok(to) => PathBuf::from(OsString::from_vec(to.into_bytes())),
                // No link.
                Err(Errno::INVAL) => return held(there, name),
                Err(e) => return Err(e.into()),
            };
            path = match self.inside(&to)? {
                Some(below) => self.root.join(below),
                None => path.parent().unwrap_or(&self.root).join(to),
            };
        }
        Err(Errno::LOOP.into())
    }

    /// Opens a folder below the root, one name after the other. What a name leads
    /// to is asked of the open folder that holds it, so that it is not there only
    /// where it truly is not, and links are followed by hand.
    fn folder(&self, below: &Path) -> io::Result<OwnedFd> {
        let flags = ONLY_NAMED | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folders = vec![openat(CWD, &self.root, flags, Mode::empty())?];
        let mut left = Vec::new();
        let onto = |left: &mut Vec<OsString>, path: &Path| {
            left.extend(path.iter().rev().map(OsStr::to_owned));
        };
        onto(&mut left, below);
        let mut links = 0;
        while let Some(part) = left.pop() {
            let Some(here) = folders.last() else { break };
            if part == "." {
                continue;
            }
            if part == ".." {
                folders.pop();
                continue;
            }
            match openat(here, &*part, flags | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(folder) => folders.push(folder),
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let to = readlinkat(here, &*part, []).map_err(|_| Errno::NOTDIR)?;
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let to = PathBuf::from(OsString::from_vec(to.into_bytes()));
                    if let Some(below) = self.inside(&to)? {
                        folders.truncate(1);
                        onto(&mut left, &below);
                    } else {
                        onto(&mut left, &to);
                    }
                }
                Err(e) => return Err(e.into()),
            }
        }
        // More `..` than folders: past the root.
        folders.pop().ok_or_else(leads_out)
    }

    /// Where below the root a link leads that begins at the top of all files;
    /// none for one that begins where it is.
    fn inside(&self, to: &Path) -> io::Result<Option<PathBuf>> {
        if !to.is_absolute() {
            return Ok(None);
        }
        if let Ok(below) = to.strip_prefix(&self.root) {
            return Ok(Some(below.to_owned()));
        }
        // By another name of the root, perhaps.
        let (root, to) = (self.inner.canonicalize(&self.root)?, self.inner.canonicalize(to));
        let below = to.ok().and_then(|to| to.strip_prefix(root).ok().map(Path::to_owned));
        below.map(Some).ok_or_else(leads_out)
    }
}

fn leads_out() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, LeadsOut)
}

/// Holds on to a file that was no link a moment ago, so that none that is put
/// there now is followed.
#[cfg(target_os = "linux")]
fn held(there: Anchored, name: &OsStr) -> io::Result<Anchored> {
    use rustix::fs::{FileType, fstat};

    let Some(folder) = &there.folder else { return Ok(there) };
    let flags = ONLY_NAMED | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty())?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::Symlink {
        return Err(leads_out());
    }
    Ok(reach(&file).map_or(there, |path| Anchored { path, folder: Some(file) }))
}

#[cfg(not(target_os = "linux"))]
fn held(there: Anchored, _: &OsStr) -> io::Result<Anchored> {
    Ok(there)
}

/// A path by which an open file or folder is reached without its name. None where the
/// system has no such: there the look was only a moment ago, and no more than
/// that can be said.
fn reach(open: &OwnedFd) -> Option<PathBuf> {
    let own = Path::new("/proc/self/fd");
    (cfg!(target_os = "linux") && own.is_dir()).then(|| own.join(open.as_raw_fd().to_string()))
}

impl Fs for Within {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let there = self.follow(path)?;
        // Reading a pipe that somebody put there would wait for ever.
        if there.folder.is_some() && self.inner.stat(&there.path)?.kind == FileKind::Other {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        self.inner.read(&there.path)
    }

    fn read_part(&self, path: &Path, from: u64, most: usize) -> io::Result<Vec<u8>> {
        self.inner.read_part(&self.anchor(path)?.path, from, most)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.inner.stat(&self.follow(path)?.path)
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        self.inner.lstat(&self.anchor(path)?.path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.inner.canonicalize(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.inner.read_link(&self.anchor(path)?.path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let Ok(below) = dir.strip_prefix(&self.root) else { return self.inner.list(dir) };
        let folder = self.folder(below)?;
        self.inner.list(&reach(&folder).unwrap_or_else(|| dir.to_owned()))
    }

    fn create_dir_all(&self, dir: &Path, like: Option<&Stat>) -> io::Result<()> {
        let below = dir != self.root && dir.starts_with(&self.root);
        let Some(parent) = dir.parent().filter(|_| below) else {
            return self.inner.create_dir_all(dir, like);
        };
        let made = match self.anchor(dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.create_dir_all(parent, like)?;
                self.anchor(dir)?
            }
            anchored => anchored?,
        };
        self.inner.create_dir_all(&made.path, like)
    }

    fn create_private_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.create_private_dir(&self.anchor(dir)?.path)
    }

    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        self.inner.remove_tree(&self.anchor(dir)?.path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        self.inner.create_new(&self.anchor(path)?.path)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        self.inner.append(&self.anchor(path)?.path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.anchor(from)?, self.anchor(to)?);
        self.inner.rename(&from.path, &to.path)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let (one, other) = (self.anchor(one)?, self.anchor(other)?);
        self.inner.exchange(&one.path, &other.path)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.anchor(from)?, self.anchor(to)?);
        self.inner.rename_new(&from.path, &to.path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(&self.anchor(path)?.path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }

    fn open_lock(&self, path: &Path) -> io::Result<Box<dyn LockFile>> {
        self.inner.open_lock(&self.anchor(path)?.path)
    }

    fn open_folder_lock(&self, dir: &Path) -> io::Result<Box<dyn LockFile>> {
        self.inner.open_folder_lock(dir)
    }

    fn fs_type(&self, path: &Path) -> io::Result<FsKind> {
        self.inner.fs_type(path)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests place files by hand")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sys::Disk;

    /// A root with a folder in it, a folder beside it, and links to both.
    fn place() -> (tempfile::TempDir, PathBuf, PathBuf, Within) {
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap();
        let (root, out) = (top.join("root"), top.join("out"));
        fs::create_dir_all(root.join("in")).unwrap();
        fs::create_dir(&out).unwrap();
        fs::write(out.join("theirs"), "theirs").unwrap();
        symlink(&out, root.join("away")).unwrap();
        symlink("../out", root.join("back")).unwrap();
        symlink("in", root.join("near")).unwrap();
        symlink(root.join("in"), root.join("far")).unwrap();
        symlink("round", root.join("round")).unwrap();
        let within = Within::new(Arc::new(Disk), &root);
        (dir, root, out, within)
    }

    #[test]
    fn nothing_is_changed_where_a_link_leads_out() {
        let (_dir, root, out, within) = place();
        fs::write(root.join("in/ours"), "ours").unwrap();
        for link in ["away", "back", "in/../away", "in/../../out", "round", "in/ours"] {
            let there = |name: &str| root.join(link).join(name);
            let ours = root.join("in/ours");
            let refused = |result: io::Result<()>, call: &str| {
                assert!(result.is_err(), "{call} through {link}");
            };
            refused(within.create_dir_all(&there("a/b"), None), "create_dir_all");
            refused(within.create_new(&there("new")).map(drop), "create_new");
            refused(within.append(&there("theirs")).map(drop), "append");
            refused(within.open_lock(&there("lock")).map(drop), "open_lock");
            refused(within.remove_file(&there("theirs")), "remove_file");
            refused(within.rename(&ours, &there("x")), "rename to");
            refused(within.rename(&there("theirs"), &root.join("x")), "rename from");
            refused(within.exchange(&ours, &there("theirs")), "exchange");
            refused(within.rename_new(&ours, &there("x")), "rename_new to");
            refused(within.read(&there("theirs")).map(drop), "read");
            refused(within.read_part(&there("theirs"), 0, 9).map(drop), "read_part");
            refused(within.stat(&there("theirs")).map(drop), "stat");
            refused(within.lstat(&there("theirs")).map(drop), "lstat");
            refused(within.list(&root.join(link)).map(drop), "list");
        }
        assert_eq!(Disk.list(&out).unwrap(), ["theirs"]);
        assert_eq!(fs::read(out.join("theirs")).unwrap(), b"theirs");
        assert_eq!(fs::read(root.join("in/ours")).unwrap(), b"ours");
    }

    #[test]
    fn a_file_that_is_a_link_is_read_where_it_stays_inside() {
        let (_dir, root, out, within) = place();
        fs::write(root.join("in/ours"), "ours").unwrap();
        symlink("in/ours", root.join("near-file")).unwrap();
        symlink(out.join("theirs"), root.join("away-file")).unwrap();
        assert_eq!(within.read(&root.join("near-file")).unwrap(), b"ours");
        assert_eq!(within.stat(&root.join("near-file")).unwrap().kind, FileKind::File);
        assert_eq!(within.lstat(&root.join("away-file")).unwrap().kind, FileKind::Symlink);
        let error = within.read(&root.join("away-file")).unwrap_err();
        assert!(LeadsOut::is_cause_of(&error), "{error}");
        assert!(within.stat(&root.join("away-file")).is_err());
        for nothing in ["in/nothing", "far/nothing", "near/nothing/deep"] {
            let error = within.stat(&root.join(nothing)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{nothing}");
        }
        // Not to be there is something else: whoever hears that makes a new one.
        for away in ["away/nothing", "back/nothing", "back/nothing/deep", "in/../.."] {
            let error = within.stat(&root.join(away)).unwrap_err();
            assert!(LeadsOut::is_cause_of(&error), "{away}: {error}");
        }
        assert_eq!(within.list(&root.join("near")).unwrap(), ["ours"]);
    }

    #[test]
    fn links_that_stay_inside_are_followed() {
        let (_dir, root, _, within) = place();
        for link in ["in", "near", "far", "far/../near"] {
            let there = |name: &str| root.join(link).join(name);
            within.create_dir_all(&there("a/b"), None).unwrap();
            within.create_new(&there("a/b/x")).unwrap().write_all(b"1").unwrap();
            within.append(&there("a/b/x")).unwrap().write_all(b"2").unwrap();
            within.rename(&there("a/b/x"), &there("y")).unwrap();
            assert_eq!(within.read(&root.join("in/y")).unwrap(), b"12");
            within.remove_file(&there("y")).unwrap();
        }
    }

    #[test]
    fn outside_names_and_the_root_itself_are_the_callers_affair() {
        let (_dir, root, out, within) = place();
        within.create_dir_all(&out.join("a/b"), None).unwrap();
        within.create_new(&out.join("a/b/x")).unwrap();
        fs::remove_dir_all(&root).unwrap();
        within.create_dir_all(&root, None).unwrap();
        assert!(root.is_dir());
        within.create_dir_all(&root.join("ORCH/STATE"), None).unwrap();
        assert!(root.join("ORCH/STATE").is_dir());
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let (_dir, root, _, within) = place();
        let path = root.join("pipe");
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(CWD, &path, kind, Mode::from_raw_mode(0o600), 0).unwrap();
        assert!(within.read(&path).is_err());
        assert!(within.append(&path).is_err());
    }
}
