//! The real file system.
//!
//! Lives here: the Unix calls behind [`Fs`]. Not here: any order of them
//! (`store`). Invariant: every handle closes on exec (std's default), so no
//! child keeps a lock; an interrupted call is repeated, a failed fsync never.
#![allow(clippy::disallowed_methods, reason = "this is where files are touched")]

use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, OFlags, RenameFlags};

use super::fs::{FileKind, Fs, FsKind, Handle, LockFile, Stat};

/// The machine's own files.
pub struct Disk;

impl Fs for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // std reserves the file's exact size once and then only probes for the
        // end with a small buffer on the stack: no doubling at any size.
        fs::read(path)
    }

    fn read_part(&self, path: &Path, from: u64, most: usize) -> io::Result<Vec<u8>> {
        let extra = flags(OFlags::NOFOLLOW | OFlags::NONBLOCK);
        let mut file = OpenOptions::new().read(true).custom_flags(extra).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn open_folder_lock(&self, dir: &Path) -> io::Result<Box<dyn LockFile>> {
        Ok(Box::new(Locked(open_dir(dir, OFlags::empty())?)))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        fs::metadata(path).map(|meta| stat_of(&meta))
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        fs::symlink_metadata(path).map(|meta| stat_of(&meta))
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = fs::read_dir(dir)?
            .map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir_all(&self, dir: &Path, like: Option<&Stat>) -> io::Result<()> {
        match make_dir(dir, like) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(parent) = dir.parent() else { return Err(error) };
                self.create_dir_all(parent, like)?;
                make_dir(dir, like)
            }
            made => made,
        }
    }

    fn create_private_dir(&self, dir: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(dir)
    }

    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                open_up(dir);
                fs::remove_dir_all(dir)
            }
            result => result,
        }
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        // O_EXCL already refuses a link at the name; O_NOFOLLOW says it twice.
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(flags(OFlags::NOFOLLOW))
            .open(path)?;
        Ok(Box::new(Written(file)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        // Callers have followed links and seen a regular file; neither a link nor
        // a pipe that somebody put there since is written to or waited for.
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK))
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Box::new(Written(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        uninterrupted(|| fs::rename(from, to))
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        renamed_with(one, other, RenameFlags::EXCHANGE)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        renamed_with(from, to, RenameFlags::NOREPLACE)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        uninterrupted(|| fs::remove_file(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match open_dir(dir, OFlags::empty())?.sync_all() {
            // Some file systems know no fsync of a folder and say so with
            // EINVAL; there is nothing more that could be asked of them.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
            result => result,
        }
    }

    fn open_lock(&self, path: &Path) -> io::Result<Box<dyn LockFile>> {
        // Every writer comes by here, and no reader.
        outlive_size_limits();
        // O_NONBLOCK: a pipe at this name must not hang us before it is refused.
        let extra = flags(OFlags::NOFOLLOW | OFlags::NONBLOCK);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(extra)
            .open(path)
            .or_else(|error| match error.kind() {
                // flock needs no right to write, and the lock of a colleague's
                // file is worth as much as one's own.
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    OpenOptions::new().read(true).custom_flags(extra).open(path).map_err(|_| error)
                }
                _ => Err(error),
            })?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Box::new(Locked(file)))
    }

    fn fs_type(&self, path: &Path) -> io::Result<FsKind> {
        #[cfg(target_os = "linux")]
        {
            let magic = i128::from(rustix::fs::statfs(path)?.f_type) & 0xffff_ffff;
            let known = NETWORK.iter().find(|(number, _)| i128::from(*number) == magic);
            Ok(known.map_or(FsKind::Local, |(_, name)| FsKind::Network(name)))
        }
        #[cfg(not(target_os = "linux"))]
        fs::metadata(path).map(|_| FsKind::Local)
    }
}

/// `f_type` of statfs(2) for what is elsewhere, shared, or in user space
/// (sshfs and cloud folders are FUSE; the drives of WSL are 9p).
#[cfg(target_os = "linux")]
const NETWORK: [(u32, &str); 12] = [
    (0x0000_6969, "nfs"),
    (0x0000_517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "fuse"),
    (0x00c3_6400, "ceph"),
    (0x5346_414f, "afs"),
    (0x0bd0_0bd0, "lustre"),
    (0x7461_636f, "ocfs2"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
];

/// A write past the limit of the file's size (`ulimit -f`) kills a process that
/// does not handle the signal; with a handler the write fails instead.
fn outlive_size_limits() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        // Where it cannot be handled the process ends as any other would.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag);
    });
}

/// A file being written.
struct Written(File);

impl Handle for Written {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn set_attributes(&mut self, like: &Stat) -> io::Result<()> {
        give_attributes(&self.0, like)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn stamp(&mut self, mtime_ns: i128) -> io::Result<()> {
        let since = u64::try_from(mtime_ns).map_err(|_| ErrorKind::InvalidInput)?;
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(since);
        self.0.set_times(FileTimes::new().set_modified(time))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// A file that can be locked.
struct Locked(File);

impl LockFile for Locked {
    fn try_exclusive(&mut self) -> io::Result<bool> {
        // Fully qualified: std's own `File::try_lock` would win otherwise.
        uninterrupted(|| match fs2::FileExt::try_lock(&self.0) {
            Ok(()) => Ok(true),
            Err(fs2::TryLockError::WouldBlock) => Ok(false),
            Err(fs2::TryLockError::Error(error)) => Err(error),
        })
    }

    fn same_file_as(&self, path: &Path) -> io::Result<bool> {
        let mine = stat_of(&self.0.metadata()?);
        match fs::symlink_metadata(path) {
            Ok(meta) => Ok(mine.is_same_file(&stat_of(&meta))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read_note(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.0.seek(SeekFrom::Start(0))?;
        (&self.0).take(4096).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn write_note(&mut self, note: &str) -> io::Result<()> {
        // Under another name it is somebody else's file, or a copy of ours that
        // somebody keeps; neither is a place for notes.
        if self.0.metadata()?.nlink() > 1 {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the file has other names"));
        }
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(note.as_bytes())?;
        self.0.set_len(note.len() as u64)
    }
}

/// Closing alone is not enough: another thread may be starting a child just now,
/// which has a copy of every open file until it runs its program, and the lock
/// would last as long. Unlocking frees it whoever has copies.
impl Drop for Locked {
    fn drop(&mut self) {
        let _ = fs2::FileExt::unlock(&self.0);
    }
}

/// Lets us into every folder below one that is ours, as far as that works.
fn open_up(dir: &Path) {
    let _ = fs::set_permissions(dir, Permissions::from_mode(0o700));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

/// Owner first: a change of owner clears the set-id bits that the mode may have.
fn give_attributes(file: &File, like: &Stat) -> io::Result<()> {
    let mine = file.metadata()?;
    // One by one: only root gives files away, but members may choose the group.
    if mine.uid() != like.uid {
        where_allowed(fchown(file, Some(like.uid), None))?;
    }
    if mine.gid() != like.gid {
        where_allowed(fchown(file, None, Some(like.gid)))?;
    }
    file.set_permissions(Permissions::from_mode(like.mode))
}

/// Not being allowed to is no error; neither is a file system or a user
/// namespace that knows no such owner.
fn where_allowed(result: io::Result<()>) -> io::Result<()> {
    match result.map_err(|error| (error.kind(), error)) {
        Ok(())
        | Err((
            ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported,
            _,
        )) => Ok(()),
        Err((_, error)) => Err(error),
    }
}

/// renameat2(2); on systems without it every caller takes its other way.
#[cfg(target_os = "linux")]
fn renamed_with(from: &Path, to: &Path, flags: RenameFlags) -> io::Result<()> {
    uninterrupted(|| Ok(rustix::fs::renameat_with(CWD, from, CWD, to, flags)?))
}

#[cfg(not(target_os = "linux"))]
fn renamed_with(_from: &Path, _to: &Path, _flags: RenameFlags) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Makes one folder, or finds it there.
fn make_dir(dir: &Path, like: Option<&Stat>) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o777).create(dir) {
        Ok(()) => match like {
            // Opened rather than named again: what gets the mode is a folder, and
            // not one that a link put there meanwhile leads to.
            Some(like) => give_attributes(&open_dir(dir, OFlags::NOFOLLOW)?, like),
            None => Ok(()),
        },
        // Another process may make the same folder at the same time.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if fs::metadata(dir)?.is_dir() {
                Ok(())
            } else {
                Err(error)
            }
        }
        Err(error) => Err(error),
    }
}

fn open_dir(dir: &Path, more: OFlags) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags(OFlags::DIRECTORY | more)).open(dir)
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

/// std repeats interrupted opens, reads and writes, but not these.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn stat_of(meta: &fs::Metadata) -> Stat {
    let kind = if meta.is_file() {
        FileKind::File
    } else if meta.is_dir() {
        FileKind::Dir
    } else if meta.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    };
    Stat {
        len: meta.len(),
        mtime_ns: i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()),
        dev: meta.dev(),
        ino: meta.ino(),
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        nlink: meta.nlink(),
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_private_and_never_follows_or_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut file = Disk.create_new(&path).unwrap();
        assert_eq!(Disk.stat(&path).unwrap().mode, 0o600);
        let like = Stat { mode: 0o640, ..Disk.stat(dir.path()).unwrap() };
        file.set_attributes(&like).unwrap();
        file.write_all(b"abc").unwrap();
        file.sync().unwrap();
        Disk.sync_dir(dir.path()).unwrap();
        assert_eq!(Disk.read(&path).unwrap(), b"abc");
        assert_eq!(Disk.stat(&path).unwrap().mode, 0o640);
        let taken = Disk.create_new(&path).err().map(|e| e.kind());
        assert_eq!(taken, Some(ErrorKind::AlreadyExists));
        std::os::unix::fs::symlink(dir.path().join("b"), dir.path().join("link")).unwrap();
        assert!(Disk.create_new(&dir.path().join("link")).is_err());
        assert_eq!(Disk.list(dir.path()).unwrap(), ["a", "link"]);
    }

    #[test]
    fn names_change_places_and_free_names_stay_free() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        Disk.append(&a).unwrap().write_all(b"1").unwrap();
        assert_eq!(Disk.exchange(&a, &b).unwrap_err().kind(), ErrorKind::NotFound);
        Disk.append(&b).unwrap().write_all(b"2").unwrap();
        Disk.exchange(&a, &b).unwrap();
        assert_eq!((Disk.read(&a).unwrap(), Disk.read(&b).unwrap()), (b"2".into(), b"1".into()));
        assert_eq!(Disk.rename_new(&a, &b).unwrap_err().kind(), ErrorKind::AlreadyExists);
        Disk.rename_new(&a, &dir.path().join("c")).unwrap();
        assert_eq!(Disk.list(dir.path()).unwrap(), ["b", "c"]);
    }

    #[test]
    fn a_private_folder_is_removed_with_all_that_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let (private, other) = (dir.path().join("p"), dir.path().join("other"));
        Disk.create_private_dir(&private).unwrap();
        assert_eq!(Disk.stat(&private).unwrap().mode, 0o700);
        assert!(Disk.create_private_dir(&private).is_err());
        fs::create_dir(&other).unwrap();
        Disk.append(&other.join("kept")).unwrap();
        fs::create_dir_all(private.join("a/b")).unwrap();
        std::os::unix::fs::symlink(&other, private.join("a/b/link")).unwrap();
        for closed in ["a/b", "a"] {
            fs::set_permissions(private.join(closed), Permissions::from_mode(0o000)).unwrap();
        }
        Disk.remove_tree(&private).unwrap();
        assert_eq!(Disk.list(dir.path()).unwrap(), ["other"]);
        assert_eq!(Disk.list(&other).unwrap(), ["kept"]);
    }

    #[test]
    fn reading_takes_the_memory_of_the_file_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        Disk.append(&path).unwrap().write_all(&vec![b'x'; 3_000_001]).unwrap();
        let bytes = Disk.read(&path).unwrap();
        assert_eq!((bytes.len(), bytes.capacity()), (3_000_001, 3_000_001));
    }

    #[test]
    fn a_part_is_read_of_a_regular_file_only() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a"), dir.path().join("link"));
        Disk.append(&path).unwrap().write_all(b"abcdef").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let part = |from, most| Disk.read_part(&path, from, most).unwrap();
        assert_eq!((part(2, 3), part(4, 9), part(9, 9)), (b"cde".into(), b"ef".into(), vec![]));
        assert!(Disk.read_part(&link, 0, 9).is_err() && Disk.read_part(dir.path(), 0, 9).is_err());
    }

    #[test]
    fn new_folders_get_the_mode_of_their_model() {
        let dir = tempfile::tempdir().unwrap();
        let like = Stat { mode: 0o2770, ..Disk.stat(dir.path()).unwrap() };
        let deep = dir.path().join("x/y");
        Disk.create_dir_all(&deep, Some(&like)).unwrap();
        Disk.create_dir_all(&deep, Some(&like)).unwrap();
        for made in [deep.parent().unwrap(), &deep] {
            assert_eq!(Disk.stat(made).unwrap().mode, 0o2770);
        }
        Disk.append(&dir.path().join("f")).unwrap();
        assert!(Disk.create_dir_all(&dir.path().join("f"), None).is_err());
    }

    #[test]
    fn two_opens_exclude_each_other_and_dropping_unlocks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mut first = Disk.open_lock(&path).unwrap();
        let mut second = Disk.open_lock(&path).unwrap();
        assert!(first.try_exclusive().unwrap());
        assert!(!second.try_exclusive().unwrap());
        first.write_note("a long note").unwrap();
        first.write_note("pid 7").unwrap();
        assert_eq!(second.read_note().unwrap(), "pid 7");
        drop(first);
        assert!(second.try_exclusive().unwrap());
        assert!(second.same_file_as(&path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!second.same_file_as(&path).unwrap());
    }

    #[test]
    fn a_copy_of_the_file_in_a_child_to_be_does_not_keep_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let copy = file.try_clone().unwrap();
        let mut first = Locked(file);
        assert!(first.try_exclusive().unwrap());
        let mut second = Disk.open_lock(&path).unwrap();
        assert!(!second.try_exclusive().unwrap());
        drop(first);
        assert!(second.try_exclusive().unwrap());
        drop(copy);
    }

    #[test]
    fn only_a_regular_file_is_a_lock() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path().join("target"), dir.path().join("link")).unwrap();
        assert!(Disk.open_lock(&dir.path().join("link")).is_err());
        assert!(Disk.open_lock(dir.path()).is_err());
        assert!(!dir.path().join("target").exists());
    }

    #[test]
    fn the_scratch_folder_is_a_file_system() {
        Disk.fs_type(tempfile::tempdir().unwrap().path()).unwrap();
    }
}
