//! Telling clients that what they subscribed to has another answer now.
//!
//! ```text
//!   files ─▶ wake ─▶ settle ─▶ look ─▶ compare marks ─▶ tell whom it concerns
//!            ▲ one permit: what comes meanwhile makes one more round
//! ```
//!
//! Invariants: whoever changed the ledger, and however, the last change is told;
//! nobody is told where the answer is the same; however much happens, there is no
//! more than one round in [`APART`].

use crate::mcp::desk::{Desk, Door};
use crate::mcp::resources::{self, Place};
use crate::model::time::Timestamp;
use crate::sys::{Heard, Listening, Sys};
use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::{Peer, RoleServer, SubscriptionSink};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long the rest of a save is waited for: editors write in several steps.
const SETTLE: Duration = Duration::from_millis(10);
/// How far rounds are apart.
const APART: Duration = Duration::from_millis(50);
/// The most that a session subscribes to: each is looked at in every round.
const MOST: usize = 256;

/// Whom to tell.
#[derive(Debug, Clone)]
pub(super) enum Listener {
    /// The session, as clients until 2025-11-25 ask for it.
    Session(Peer<RoleServer>),
    /// One stream of it, as later ones do.
    Stream(SubscriptionSink),
}

impl Listener {
    /// Whether both are the same session, or the same stream.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Session(_), Self::Session(_)) => true,
            (Self::Stream(one), Self::Stream(other)) => one.id() == other.id(),
            _ => false,
        }
    }

    async fn tell(&self, uri: String) {
        // A client that went away is noticed where it is read from.
        match self {
            Self::Session(peer) => {
                let param = ResourceUpdatedNotificationParam::new(uri);
                let _ = peer.notify_resource_updated(param).await;
            }
            Self::Stream(sink) => {
                let _ = sink.notify_resource_updated(uri).await;
            }
        }
    }
}

struct Entry {
    uri: String,
    place: Place,
    mark: String,
    listener: Listener,
}

/// What a session subscribed to.
pub(super) struct Subscriptions {
    desk: Arc<Desk>,
    entries: Mutex<Vec<Entry>>,
    /// Marks of what streams are about to be told of, from before they were told
    /// that they will be.
    before: Mutex<BTreeMap<String, String>>,
    wake: Arc<Notify>,
    /// Something may have changed since the last look.
    heard: Arc<AtomicBool>,
    is_running: AtomicBool,
}

impl std::fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriptions").field("desk", &self.desk).finish_non_exhaustive()
    }
}

impl Subscriptions {
    /// None yet.
    pub(super) fn new(desk: Arc<Desk>) -> Arc<Self> {
        Arc::new(Self {
            desk,
            entries: Mutex::default(),
            before: Mutex::default(),
            wake: Arc::default(),
            heard: Arc::default(),
            is_running: AtomicBool::new(false),
        })
    }

    /// Marks what a stream is about to be told of. The SDK tells the client so
    /// before it tells us, and what changes in between is news.
    pub(super) fn expect(&self, uris: &[String]) {
        for uri in uris.iter().take(MOST) {
            let Ok(place) = Place::parse(uri) else { continue };
            let mark = place.mark(&self.desk);
            self.before.lock().unwrap_or_else(PoisonError::into_inner).insert(uri.clone(), mark);
        }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a listener of changes from here on.
    ///
    /// # Errors
    /// In words, where there are too many.
    pub(super) async fn add(
        self: &Arc<Self>,
        uri: String,
        place: Place,
        listener: Listener,
    ) -> Result<(), String> {
        if self.entries().len() >= MOST {
            return Err(format!("a session subscribes to {MOST} resources at most"));
        }
        if !self.is_running.swap(true, Ordering::SeqCst) {
            // Listens before the first mark is made, so that nothing falls between.
            let ear = Ear::open(self).await;
            tokio::spawn(self.clone().run(ear));
        }
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).remove(&uri);
        let looked = place.clone();
        let call = move |desk: &Desk| Ok(looked.mark(desk).into());
        let mark = self.desk.work(Door::Read, "orch doctor", std::future::pending(), call).await;
        let mark = mark.map_err(|refused| refused.message())?;
        let mark = before.unwrap_or_else(|| mark.as_str().unwrap_or_default().to_owned());
        let mut entries = self.entries();
        entries.retain(|entry| !(entry.uri == uri && entry.listener.is(&listener)));
        entries.push(Entry { uri, place, mark, listener });
        drop(entries);
        // What came between the mark and now has no round of its own.
        self.heard.store(true, Ordering::SeqCst);
        self.wake.notify_one();
        Ok(())
    }

    /// No longer.
    pub(super) fn remove(&self, uri: &str, listener: &Listener) {
        self.entries().retain(|entry| !(entry.uri == uri && entry.listener.is(listener)));
    }

    async fn run(self: Arc<Self>, mut ear: Ear) {
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(ear.poll) => {}
                () = self.desk.over.happened() => return,
            }
            tokio::time::sleep(SETTLE).await;
            ear = self.round(ear).await;
            tokio::time::sleep(APART.saturating_sub(SETTLE)).await;
        }
    }

    /// Looks at everything once, and tells of what is otherwise.
    async fn round(&self, mut ear: Ear) -> Ear {
        let places: BTreeMap<String, Place> = {
            let entries = self.entries();
            entries.iter().map(|entry| (entry.uri.clone(), entry.place.clone())).collect()
        };
        let desk = self.desk.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let is_news = ear.look(&desk);
            let marks = if is_news { ear.marks(&desk, places) } else { BTreeMap::new() };
            (ear, marks)
        });
        let Ok((ear, marks)) = looked.await else {
            // A bug met while looking: begin again, as at first.
            return Ear::open(self).await;
        };
        let mut told = Vec::new();
        for entry in self.entries().iter_mut() {
            let Some(mark) = marks.get(&entry.uri).filter(|mark| **mark != entry.mark) else {
                continue;
            };
            entry.mark.clone_from(mark);
            told.push((entry.listener.clone(), entry.uri.clone()));
        }
        for (listener, uri) in told {
            listener.tell(uri).await;
        }
        ear
    }
}

/// How changes of files are heard of.
struct Ear {
    sys: Sys,
    poll: Duration,
    wake: Arc<Notify>,
    heard: Arc<AtomicBool>,
    /// What we listen to is not what has the names any more.
    is_deaf: Arc<AtomicBool>,
    dirs: Vec<PathBuf>,
    listening: Option<Box<dyn Listening>>,
    stats: String,
    /// What the ledgers said of each task.
    rows: BTreeMap<String, String>,
}

impl Ear {
    async fn open(subscriptions: &Subscriptions) -> Self {
        let desk = subscriptions.desk.clone();
        let (wake, heard) = (subscriptions.wake.clone(), subscriptions.heard.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let mut ear = Self::deaf(desk.caller().sys.clone(), desk.poll(), wake, heard);
            ear.look(&desk);
            ear
        });
        match opened.await {
            Ok(ear) => ear,
            // The runtime is ending.
            Err(_) => std::future::pending().await,
        }
    }

    fn deaf(sys: Sys, poll: Duration, wake: Arc<Notify>, heard: Arc<AtomicBool>) -> Self {
        Self {
            sys,
            poll,
            wake,
            heard,
            is_deaf: Arc::new(AtomicBool::new(true)),
            dirs: Vec::new(),
            listening: None,
            stats: String::new(),
            rows: BTreeMap::new(),
        }
    }

    /// Listens to what is there now, and says whether anything may have changed.
    fn look(&mut self, desk: &Desk) -> bool {
        let layout = desk.layout();
        let month = Timestamp(self.sys.clock.now_ms()).month();
        let journal = layout.journal_month(&month);
        let mut dirs = vec![layout.orch_dir(), layout.state_dir(), layout.archive_dir()];
        dirs.push(layout.logs_dir());
        dirs.extend(journal.parent().map(std::path::Path::to_path_buf));
        dirs.retain(|dir| self.sys.fs.stat(dir).is_ok());
        let was_deaf = self.is_deaf.swap(false, Ordering::SeqCst);
        if was_deaf || dirs != self.dirs {
            self.listen(&dirs);
            self.dirs = dirs;
        }
        let files = [
            layout.tasks(),
            layout.approvals(),
            layout.settings(),
            layout.flags(&*self.sys.fs),
            layout.redo(),
            journal,
        ];
        // Also where events are heard: some file systems tell of ours alone.
        let stats = files.map(|file| format!("{:?}", self.sys.fs.stat(&file).ok())).concat();
        let is_other = std::mem::replace(&mut self.stats, stats) != self.stats;
        let heard = self.heard.swap(false, Ordering::SeqCst);
        was_deaf || heard || is_other
    }

    /// The marks of whatever may have another one than at the last look.
    fn marks(&mut self, desk: &Desk, places: BTreeMap<String, Place>) -> BTreeMap<String, String> {
        let ids = places.values().filter_map(|place| match place {
            Place::Task(id) => Some(id.as_str()),
            Place::Tasks | Place::Approvals | Place::Journal => None,
        });
        // Before the marks: a change in between makes these others next time.
        let rows = resources::rows(desk, ids).unwrap_or_default();
        let is_same = |place: &Place| match place {
            Place::Task(id) => rows.get(id).is_some_and(|row| self.rows.get(id) == Some(row)),
            Place::Tasks | Place::Approvals | Place::Journal => false,
        };
        let others = places.into_iter().filter(|(_, place)| !is_same(place));
        let marks = others.map(|(uri, place)| (uri, place.mark(desk))).collect();
        self.rows = rows;
        marks
    }

    fn listen(&mut self, dirs: &[PathBuf]) {
        self.listening = None;
        let (wake, heard) = (self.wake.clone(), self.heard.clone());
        let is_deaf = self.is_deaf.clone();
        let hears = self.sys.events.watch(
            dirs,
            Box::new(move |what| {
                if what == Heard::Lost {
                    is_deaf.store(true, Ordering::SeqCst);
                }
                heard.store(true, Ordering::SeqCst);
                wake.notify_one();
            }),
        );
        // Where there is no room for listeners, looking from time to time is left.
        self.listening = hears.ok();
    }
}
