//! Named locks: who holds one, and what became of the holders before.
//!
//! Not here: names and their conflicts (`lock_name`), the files
//! (`store::named_locks`), who may do what (`services::locks`).

use crate::model::actor::Actor;
use crate::model::task::same_actor;
use crate::model::time::Timestamp;
use std::time::Duration;

/// A lock that somebody took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The word, path or glob.
    pub name: String,
    /// Who holds it.
    pub owner: String,
    /// The fencing token.
    pub token: u64,
    /// Since when.
    pub acquired: Timestamp,
    /// Until when, without renewal.
    pub expires_at: Timestamp,
    /// From an acquisition or renewal to the end.
    pub ttl: Duration,
    /// The host that it was taken on.
    pub host: String,
    /// The process that took it.
    pub pid: u32,
}

/// How a lock is at some instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockStatus {
    /// Held.
    Live,
    /// Over, but nobody may take it yet.
    Grace,
    /// Anybody may take it.
    Expired,
    /// Nobody holds it.
    Free,
    /// Its file makes no sense, which robs nobody: it counts as held.
    Unreadable,
}

impl LockStatus {
    /// As answers spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Grace => "grace",
            Self::Expired => "expired",
            Self::Free => "free",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Lock {
    /// How it is now.
    pub fn status(&self, now: Timestamp, grace: Duration) -> LockStatus {
        if now < self.expires_at {
            LockStatus::Live
        } else if now < self.expires_at.plus(grace) {
            LockStatus::Grace
        } else {
            LockStatus::Expired
        }
    }

    /// Whether `actor` holds it: same role, same name without case.
    pub fn is_held_by(&self, actor: &Actor) -> bool {
        same_actor(&self.owner, actor)
    }
}

/// One line of a lock in answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRow {
    /// The name; `None` where a file's name says none.
    pub name: Option<String>,
    /// Its file, by its path from the workspace root.
    pub file: String,
    /// Who has it and until when; `None` where nobody does or nobody can tell.
    pub lock: Option<Lock>,
    /// How it is.
    pub status: LockStatus,
}

/// How somebody's hold of a name ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldEnd {
    /// The holder gave it back.
    ByHolder,
    /// It was taken over, or released by somebody else.
    Lost,
}

/// One hold of a name, as the journal tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// By whom.
    pub owner: String,
    /// The token given.
    pub token: Option<u64>,
    /// How it ended; `None` while nothing says that it has.
    pub end: Option<HoldEnd>,
}

/// What the journal tells of one name, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockPast(pub Vec<Hold>);

impl LockPast {
    /// The newest hold.
    pub fn last(&self) -> Option<&Hold> {
        self.0.last()
    }

    /// The newest hold of an actor.
    pub fn last_of(&self, actor: &Actor) -> Option<&Hold> {
        self.0.iter().rev().find(|hold| same_actor(&hold.owner, actor))
    }

    /// The hold that a token was given for.
    pub fn of_token(&self, token: u64) -> Option<&Hold> {
        self.0.iter().rev().find(|hold| hold.token == Some(token))
    }

    /// Whether an actor ever lost a hold of this name.
    pub fn has_lost(&self, actor: &Actor) -> bool {
        self.0.iter().any(|hold| hold.end == Some(HoldEnd::Lost) && same_actor(&hold.owner, actor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_live_then_in_grace_then_expired() {
        let lock = Lock {
            name: "x".into(),
            owner: "WORK@ada".into(),
            token: 1,
            acquired: Timestamp(0),
            expires_at: Timestamp(1_000),
            ttl: Duration::from_secs(1),
            host: String::new(),
            pid: 1,
        };
        let status = |ms| lock.status(Timestamp(ms), Duration::from_secs(2));
        assert_eq!([999, 1_000, 2_999, 3_000].map(status), {
            use LockStatus::{Expired, Grace, Live};
            [Live, Grace, Grace, Expired]
        });
    }
}
