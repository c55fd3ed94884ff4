//! What a watch tells of itself: one event, one line.
//!
//! Not here: how it looks (`cli`). Invariant: an event is told after it happened,
//! never before.

use crate::model::time::Timestamp;

/// One thing that happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// When; milliseconds.
    pub at: Option<Timestamp>,
    /// Which kind.
    pub kind: Kind,
    /// The task, or the schedule.
    pub task: Option<String>,
    /// The runner.
    pub runner: Option<String>,
    /// Which attempt, and how many there may be.
    pub attempt: Option<(u32, u32)>,
    /// How a run ended.
    pub result: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: Option<u64>,
    /// The rest, in words.
    pub message: String,
}

/// The kinds of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// The watch began.
    #[default]
    Watching,
    /// A command was started.
    Started,
    /// A run ended, and this is what that did to its task.
    Ended,
    /// A run is being ended.
    Ending,
    /// A run that another watch had left was taken over, or its rests were ended.
    Recovered,
    /// Expired leases were taken back.
    Reaped,
    /// An alert fires, or is resolved.
    Alert,
    /// A schedule's time came while nobody watched.
    Missed,
    /// A runner is not used for a while.
    Paused,
    /// The settings were read anew.
    Reloaded,
    /// Something is in the way; it is tried again.
    Trouble,
    /// No new runs are begun.
    Draining,
    /// The watch ended.
    Stopped,
}

impl Kind {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Watching => "watching",
            Self::Started => "started",
            Self::Ended => "ended",
            Self::Ending => "ending",
            Self::Recovered => "recovered",
            Self::Reaped => "reaped",
            Self::Alert => "alert",
            Self::Missed => "missed",
            Self::Paused => "paused",
            Self::Reloaded => "reloaded",
            Self::Trouble => "trouble",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}
