//! What changes in folders, told by the system.
//!
//! Lives here: the trait and the real one. Not here: what a change means and
//! how many make one look (`watch`). Invariant: reading is never heard, so that
//! whoever looks because of a change does not wake itself up; and what could
//! not be heard is told as [`Heard::Lost`].
//!
//! Folders are listened to, never files: a file that is replaced by a rename is
//! another file, and one that is listened to by itself is then silent.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::event::{EventKind, ModifyKind};
use notify::{ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher as _};

/// What a listener is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Something was made, written, renamed or removed at these paths, or their
    /// mode or times were set.
    Changed(Vec<PathBuf>),
    /// Something may have gone unheard: too much happened at once, a folder
    /// went away, or the system gave up. Look at everything, and listen anew.
    Lost,
}

/// Tells what changes.
pub trait Events: Send + Sync {
    /// Calls back, from a thread of its own, at each change of these folders
    /// and of what stands in them; not of what stands in folders within. One
    /// change may be told several times. A folder that moves together with one
    /// above it is not noticed: listen there too. `heard` must not panic.
    ///
    /// # Errors
    /// Where the system has no more room for listeners: then look from time to
    /// time. A folder that is not there is no error, see [`Listening::missing`].
    fn watch(
        &self,
        dirs: &[PathBuf],
        heard: Box<dyn Fn(Heard) + Send>,
    ) -> io::Result<Box<dyn Listening>>;
}

/// A listener. After its drop no call begins; one that had begun may still end.
pub trait Listening: Send {
    /// The folders that are not listened to, since they are not there.
    fn missing(&self) -> &[PathBuf];
}

/// The machine's own events.
pub(super) struct Kernel;

impl Events for Kernel {
    fn watch(
        &self,
        dirs: &[PathBuf],
        heard: Box<dyn Fn(Heard) + Send>,
    ) -> io::Result<Box<dyn Listening>> {
        let over = Arc::new(AtomicBool::new(false));
        let ear = Ear { dirs: dirs.iter().cloned().collect(), over: over.clone(), heard };
        let watcher = notify::recommended_watcher(ear).map_err(cause)?;
        let mut listener = Listener { watcher, missing: Vec::new(), over };
        for dir in dirs.iter().collect::<BTreeSet<_>>() {
            if !dir.is_dir() {
                listener.missing.push(dir.clone());
                continue;
            }
            match listener.watcher.watch(dir, RecursiveMode::NonRecursive).map_err(cause) {
                Ok(()) => {}
                // It went away since it was looked at.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    listener.missing.push(dir.clone());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Box::new(listener))
    }
}

struct Listener {
    watcher: RecommendedWatcher,
    missing: Vec<PathBuf>,
    over: Arc<AtomicBool>,
}

impl Listening for Listener {
    fn missing(&self) -> &[PathBuf] {
        &self.missing
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// Turns the system's events into ours.
struct Ear {
    dirs: BTreeSet<PathBuf>,
    over: Arc<AtomicBool>,
    heard: Box<dyn Fn(Heard) + Send>,
}

impl notify::EventHandler for Ear {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        let heard = match event {
            Ok(event) => self.understand(event),
            Err(_) => Some(Heard::Lost),
        };
        if let Some(heard) = heard.filter(|_| !self.over.load(Ordering::SeqCst)) {
            (self.heard)(heard);
        }
    }
}

impl Ear {
    fn understand(&self, event: Event) -> Option<Heard> {
        if event.need_rescan() {
            return Some(Heard::Lost);
        }
        let is_ours = |path: &PathBuf| self.dirs.contains(path);
        match event.kind {
            EventKind::Access(_) => None,
            // A folder itself, or another one in its place: what the system
            // still watches is not what has the name.
            EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_))
                if event.paths.iter().any(is_ours) =>
            {
                Some(Heard::Lost)
            }
            _ if event.paths.is_empty() => Some(Heard::Lost),
            _ => Some(Heard::Changed(event.paths)),
        }
    }
}

/// The system's own error, where there is one behind it.
fn cause(error: notify::Error) -> io::Error {
    match error.kind {
        ErrorKind::Io(error) => error,
        ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
        ErrorKind::MaxFilesWatch => {
            io::Error::new(io::ErrorKind::QuotaExceeded, "no more folders can be listened to")
        }
        _ => io::Error::other(error.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests play the editors")]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;
    use crate::sys::{Disk, Fs as _};

    const LONG: Duration = Duration::from_mins(2);

    struct Place {
        listening: Option<Box<dyn Listening>>,
        told: Receiver<Heard>,
        root: PathBuf,
        _dir: tempfile::TempDir,
    }

    impl Place {
        /// A folder with `old` and a folder `inner` in it, listened to with
        /// whatever else.
        fn new(also: &[&str]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().canonicalize().unwrap().join("watched");
            fs::create_dir_all(root.join("inner")).unwrap();
            fs::write(root.join("old"), "old").unwrap();
            let (tell, told) = channel();
            let all: Vec<_> = [""].iter().chain(also).map(|name| root.join(name)).collect();
            let all: Vec<_> = all.iter().map(|path| path.components().collect()).collect();
            let heard = Box::new(move |heard| tell.send(heard).unwrap_or_default());
            let listening = Some(Kernel.watch(&all, heard).unwrap());
            Self { listening, told, root, _dir: dir }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.root.join(name)
        }

        /// Everything that is told up to a first sign of this.
        fn until(&self, is_it: impl Fn(&Heard) -> bool) -> Vec<Heard> {
            let mut all = Vec::new();
            loop {
                let heard = self.told.recv_timeout(LONG).unwrap_or_else(|_| panic!("{all:?}"));
                all.push(heard);
                if all.last().is_some_and(&is_it) {
                    return all;
                }
            }
        }

        /// Waits until a path is named.
        fn hears(&self, name: &str) -> Vec<Heard> {
            let path = self.path(name);
            self.until(|heard| matches!(heard, Heard::Changed(paths) if paths.contains(&path)))
        }

        /// Everything told so far: a new file is told after what was before it.
        fn so_far(&self) -> Vec<Heard> {
            fs::write(self.path("sign"), "").unwrap();
            let mut all = self.hears("sign");
            all.pop();
            fs::remove_file(self.path("sign")).unwrap();
            all
        }
    }

    #[test]
    fn every_way_to_save_a_file_is_heard() {
        let place = Place::new(&[]);
        fs::write(place.path("new"), "1").unwrap();
        place.hears("new");
        fs::rename(place.path("new"), place.path("old")).unwrap();
        place.hears("old");
        place.so_far();
        fs::write(place.path("old"), "in place").unwrap();
        place.hears("old");
        place.so_far();
        fs::OpenOptions::new()
            .append(true)
            .open(place.path("old"))
            .and_then(|mut file| file.write_all(b"more"))
            .unwrap();
        place.hears("old");
        place.so_far();
        fs::remove_file(place.path("old")).unwrap();
        place.hears("old");
    }

    #[test]
    fn names_that_change_places_and_names_from_elsewhere_are_heard() {
        let place = Place::new(&[]);
        fs::write(place.path("inner/other"), "2").unwrap();
        assert_eq!(place.so_far(), [], "a folder within is not listened to");
        Disk.exchange(&place.path("inner/other"), &place.path("old")).unwrap();
        place.hears("old");
        place.so_far();
        fs::rename(place.path("inner/other"), place.path("old")).unwrap();
        place.hears("old");
        place.so_far();
        fs::rename(place.path("old"), place.path("inner/gone")).unwrap();
        place.hears("old");
    }

    #[test]
    fn reading_is_not_heard() {
        let place = Place::new(&["inner"]);
        assert!(place.listening.as_ref().unwrap().missing().is_empty());
        for _ in 0..3 {
            assert_eq!(fs::read(place.path("old")).unwrap(), b"old");
            assert_eq!(Disk.list(&place.root).unwrap().len(), 2);
            Disk.lstat(&place.path("old")).unwrap();
            drop(Disk.open_lock(&place.path("old")).unwrap());
        }
        assert_eq!(place.so_far(), []);
    }

    #[test]
    fn a_folder_that_goes_away_is_told_and_one_made_anew_can_be_listened_to() {
        let mut place = Place::new(&["inner", "no"]);
        assert_eq!(place.listening.as_ref().unwrap().missing(), [place.path("no")]);
        fs::remove_dir(place.path("inner")).unwrap();
        place.until(|heard| *heard == Heard::Lost);
        fs::create_dir(place.path("inner")).unwrap();
        place.until(|heard| *heard == Heard::Lost);
        let (tell, told) = channel();
        let heard = Box::new(move |heard| tell.send(heard).unwrap_or_default());
        place.listening = Some(Kernel.watch(&[place.path("inner")], heard).unwrap());
        place.told = told;
        fs::write(place.path("inner/x"), "").unwrap();
        place.hears("inner/x");
    }

    #[test]
    fn a_folder_that_is_moved_or_replaced_is_told() {
        let place = Place::new(&[]);
        let aside = place.root.with_file_name("aside");
        fs::rename(&place.root, &aside).unwrap();
        place.until(|heard| *heard == Heard::Lost);
        let place = Place::new(&["inner"]);
        fs::create_dir(place.path("other")).unwrap();
        Disk.exchange(&place.path("other"), &place.path("inner")).unwrap();
        place.until(|heard| *heard == Heard::Lost);
    }

    #[test]
    fn nothing_is_told_once_it_is_over() {
        let mut place = Place::new(&[]);
        fs::write(place.path("new"), "").unwrap();
        place.hears("new");
        place.listening = None;
        fs::write(place.path("newer"), "").unwrap();
        // The other end is dropped with the listener.
        while let Ok(heard) = place.told.recv_timeout(LONG) {
            assert_ne!(heard, Heard::Changed(vec![place.path("newer")]));
        }
    }

    #[test]
    fn what_cannot_be_understood_is_lost() {
        let ear = Ear {
            dirs: BTreeSet::from([PathBuf::from("/d")]),
            over: Arc::default(),
            heard: Box::new(|_| {}),
        };
        let event = |kind| Event::new(kind).add_path(PathBuf::from("/d/f"));
        let overflow = event(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert_eq!(ear.understand(overflow), Some(Heard::Lost));
        assert_eq!(ear.understand(Event::new(EventKind::Any)), Some(Heard::Lost));
        let changed = Some(Heard::Changed(vec![PathBuf::from("/d/f")]));
        assert_eq!(ear.understand(event(EventKind::Any)), changed);
        let read = EventKind::Access(notify::event::AccessKind::Any);
        assert_eq!(ear.understand(event(read)), None);
    }

    #[test]
    fn a_file_is_no_folder() {
        let place = Place::new(&["old"]);
        let missing = place.listening.as_ref().unwrap().missing();
        assert_eq!(missing, [place.path("old")]);
        assert!(missing[0].is_file());
    }
}
