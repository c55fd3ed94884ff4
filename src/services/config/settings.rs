//! The settings in force, typed, with their defaults.
//!
//! Not here: what works without people (`automation`), the shape of the file
//! (`file`), its reading (`load`), and the printing of settings (`entries`). Invariant: a `Settings` holds no value that
//! `load` would refuse, and `Settings::default()` is what an empty file means.

use std::collections::BTreeMap;
use std::time::Duration;

use super::automation::{AutoDecide, Watch};
use super::zone::Zone;
use crate::model::id::IdFormat;
use crate::model::time::Timestamp;

/// Everything that orch.yaml can say.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The default actor, `ROLE` or `ROLE@name`.
    pub actor: Option<String>,
    /// One person works alone: the default actor has all roles.
    pub solo: bool,
    /// People and the names they go by.
    pub principals: BTreeMap<String, Vec<String>>,
    /// How new ids are spelled.
    pub ids: Ids,
    /// The zone in which a `due` date ends; a name of the tz database.
    pub timezone: Option<String>,
    /// Whether linked git worktrees share one ledger.
    pub worktrees: Worktrees,
    /// Whether a commit waits for the disk.
    pub durability: Durability,
    /// How long a writer waits for the lock.
    pub lock_wait: Duration,
    /// How far edits made outside `orch` count.
    pub hand_edits: HandEdits,
    /// Claims and their time limits.
    pub leases: Leases,
    /// What needs an approval, and for how long one may be pending.
    pub approvals: Approvals,
    /// How evidence paths are written.
    pub evidence: Evidence,
    /// When an approval is decided without a person.
    pub auto_decide: AutoDecide,
    /// What `watch` runs and reports.
    pub watch: Watch,
}

/// How new ids are spelled; without a format they continue the last row's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ids {
    /// For tasks.
    pub tasks: Option<IdFormat>,
    /// For approvals.
    pub approvals: Option<IdFormat>,
    /// Counted, or drawn so that branches never collide.
    pub style: IdStyle,
}

/// Where the varying part of a new id comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdStyle {
    /// The next number.
    #[default]
    Sequential,
    /// A hash.
    Hash,
}

/// Which ledger a linked git worktree uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Worktrees {
    /// The main worktree's.
    #[default]
    Shared,
    /// Its own.
    Own,
}

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// It survives a power cut.
    #[default]
    Full,
    /// It survives a crash of the process only.
    Fast,
}

/// How far edits made outside `orch` count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HandEdits {
    /// They count, save those that must never be made by hand.
    #[default]
    Trust,
    /// State moves that need a role wait for CMD as well.
    Review,
}

/// Claims and their time limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Leases {
    /// How long a claim lasts without renewal; more than zero.
    pub ttl: Duration,
    /// How long an expired lease is still respected.
    pub grace: Duration,
    /// The most tasks one actor may hold; 0 is no limit.
    pub max_doing_per_actor: u32,
}

/// What needs an approval, and for how long one may be pending.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Approvals {
    /// Globs over the ids of tasks that cannot be done without an approval.
    pub required: Vec<String>,
    /// When a pending approval expires; `None` is never.
    pub expire_after: Option<Duration>,
}

impl Approvals {
    /// The instant before which a request that is still pending has expired.
    pub fn expired_before(&self, now: Timestamp) -> Option<Timestamp> {
        let after = i64::try_from(self.expire_after?.as_millis()).unwrap_or(i64::MAX);
        Some(Timestamp(now.0.saturating_sub(after)))
    }
}

/// How evidence paths are written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// Relative, or Windows absolute.
    pub path_style: PathStyle,
    /// The folder that absolute evidence paths begin with.
    pub root: Option<String>,
}

/// The spelling of evidence paths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathStyle {
    /// Relative, with `/`.
    #[default]
    Relative,
    /// Absolute under `evidence.root`, with `\`.
    Windows,
}

impl Settings {
    /// The zone in which a `due` date ends.
    pub fn zone(&self) -> Zone {
        self.timezone.as_deref().and_then(|name| Zone::parse(name).ok()).unwrap_or(Zone::Local)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            actor: None,
            solo: false,
            principals: BTreeMap::new(),
            ids: Ids::default(),
            timezone: None,
            worktrees: Worktrees::default(),
            durability: Durability::default(),
            lock_wait: Duration::from_secs(10),
            hand_edits: HandEdits::default(),
            leases: Leases::default(),
            approvals: Approvals::default(),
            evidence: Evidence::default(),
            auto_decide: AutoDecide::default(),
            watch: Watch::default(),
        }
    }
}

impl Default for Leases {
    fn default() -> Self {
        Self { ttl: Duration::from_mins(30), grace: Duration::from_mins(5), max_doing_per_actor: 0 }
    }
}
