//! A task, as its row means it.
//!
//! Here: the typed view of one row and what follows from its cells alone. Not
//! here: where the cells stand in the text (`ledger`), and what only history
//! knows (`store::journal`).

use crate::model::actor::Actor;
use crate::model::task_state::State;
use crate::model::time::{Due, Timestamp};
use crate::model::value::{Priority, attribute, depends};
use std::borrow::Cow;
use std::time::Duration;

/// The cells of one task; `None` where a cell is empty or its column missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Task<'a> {
    /// `task_id`
    pub id: Cow<'a, str>,
    /// `title`
    pub title: Option<Cow<'a, str>>,
    /// `state`, as it is spelled.
    pub state: Option<Cow<'a, str>>,
    /// `owner`
    pub owner: Option<Cow<'a, str>>,
    /// `lock`
    pub lock: Option<Cow<'a, str>>,
    /// `lock_owner`
    pub lock_owner: Option<Cow<'a, str>>,
    /// `lock_expires_at`
    pub lock_expires_at: Option<Cow<'a, str>>,
    /// `due`
    pub due: Option<Cow<'a, str>>,
    /// `artifact`
    pub artifact: Option<Cow<'a, str>>,
    /// `notes`
    pub notes: Option<Cow<'a, str>>,
    /// Unknown columns, by their header.
    pub extra: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

impl Task<'_> {
    /// Its state; `None` where the ledger holds one the tool does not know.
    pub fn known_state(&self) -> Option<State> {
        State::parse(self.state.as_deref()?)
    }

    /// Whether it is neither DONE nor DROP.
    pub fn is_open(&self) -> bool {
        !self.known_state().is_some_and(State::is_closed)
    }

    /// Whether its notes or columns can hold a word such as a priority at all.
    pub fn may_have_attributes(&self) -> bool {
        !self.extra.is_empty()
            || self.notes.as_deref().is_some_and(|n| memchr::memchr(b'=', n.as_bytes()).is_some())
    }

    /// A word of a task: the column of that name where there is one and it is
    /// filled, else the attribute in notes.
    pub fn word(&self, name: &str) -> Option<&str> {
        let column = self.extra.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        let cell = column.and_then(|(_, value)| value.as_deref());
        cell.or_else(|| attribute(self.notes.as_deref()?, name))
    }

    /// Its priority; `None` where it has none, or one the tool does not know.
    pub fn priority(&self) -> Option<Priority> {
        Priority::parse(self.word("priority")?)
    }

    /// The ids it depends on.
    pub fn depends(&self) -> impl Iterator<Item = &str> {
        depends(self.word("depends").unwrap_or(""))
    }

    /// When it is due, if the cell holds a date or a time.
    pub fn due_at(&self) -> Option<Due> {
        Due::parse(self.due.as_deref()?)
    }

    /// The lease its cells speak of, whatever the state.
    pub fn lease(&self) -> Option<Lease<'_>> {
        let doing = self.known_state() == Some(State::Doing);
        if self.lock_owner.is_none() && self.lock_expires_at.is_none() && !doing {
            return None;
        }
        let holder = self.lock_owner.as_deref().or_else(|| {
            // DOING without lock cells is an expired lease of its owner.
            doing.then(|| self.owner.as_deref().unwrap_or("WORK"))
        });
        Some(Lease {
            holder,
            expiry: match self.lock_expires_at.as_deref() {
                None => Expiry::Missing,
                Some(text) => Timestamp::parse(text).map_or(Expiry::Malformed(text), Expiry::At),
            },
        })
    }
}

/// A lease, as the lock cells of a row say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease<'a> {
    /// Who holds it.
    pub holder: Option<&'a str>,
    /// When it ends.
    pub expiry: Expiry<'a>,
}

/// The end of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry<'a> {
    /// At this instant.
    At(Timestamp),
    /// The cell is empty: it counts as expired.
    Missing,
    /// The cell holds something else: it can be neither trusted nor ignored.
    Malformed(&'a str),
}

impl Lease<'_> {
    /// Whether nobody else can claim: until its end plus `grace`. A lease
    /// whose end cannot be read counts as live, so that nobody is robbed.
    pub fn is_live(&self, now: Timestamp, grace: Duration) -> bool {
        match self.expiry {
            Expiry::At(end) => now < end.plus(grace),
            Expiry::Missing => false,
            Expiry::Malformed(_) => true,
        }
    }

    /// Whether `actor` is the holder: same role, same name without case.
    pub fn is_held_by(&self, actor: &Actor) -> bool {
        self.holder.is_some_and(|holder| same_actor(holder, actor))
    }
}

/// Whether a cell's text names this very actor.
pub fn same_actor(text: &str, actor: &Actor) -> bool {
    text.eq_ignore_ascii_case(actor.as_str())
}

/// Whether an owner cell names the caller's role or name.
pub fn owns(owner: Option<&str>, actor: &Actor) -> bool {
    let Some(owner) = owner else { return actor.role().as_str() == "WORK" };
    if owner == actor.role().as_str() {
        return true;
    }
    match (Actor::parse(owner), actor.name()) {
        (Some(owner), Some(name)) => owner.name().is_some_and(|n| n.eq_ignore_ascii_case(name)),
        (None, Some(name)) => owner.eq_ignore_ascii_case(name),
        (_, None) => false,
    }
}

/// Whether `claim --next` by `actor` may take a task of this owner: empty is
/// WORK's, else the actor's bare role or the actor.
pub fn is_offered_to(owner: Option<&str>, actor: &Actor) -> bool {
    match owner {
        None => actor.role().as_str() == "WORK",
        Some(owner) => owner == actor.role().as_str() || same_actor(owner, actor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(
        state: &'static str,
        holder: Option<&'static str>,
        end: Option<&'static str>,
    ) -> Task<'static> {
        Task {
            id: "T-1".into(),
            state: Some(state.into()),
            owner: Some("WORK@ada".into()),
            lock_owner: holder.map(Into::into),
            lock_expires_at: end.map(Into::into),
            ..Task::default()
        }
    }

    #[test]
    fn a_lease_lives_until_its_end_and_grace() {
        let t = task("DOING", Some("WORK@ada"), Some("2026-01-01T00:00:00Z"));
        let end = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let grace = Duration::from_mins(5);
        let lease = t.lease().unwrap();
        assert!(lease.is_live(end, grace));
        assert!(lease.is_live(Timestamp(end.0 + 299_999), grace));
        assert!(!lease.is_live(Timestamp(end.0 + 300_000), grace));
    }

    #[test]
    fn doing_without_lock_cells_is_an_expired_lease_of_the_owner() {
        let t = task("DOING", None, None);
        let lease = t.lease().unwrap();
        assert_eq!(lease.holder, Some("WORK@ada"));
        assert!(!lease.is_live(Timestamp(0), Duration::ZERO));
        assert_eq!(task("READY", None, None).lease(), None);
    }

    #[test]
    fn an_unreadable_end_robs_nobody() {
        let t = task("DOING", Some("WORK@ada"), Some("tomorrow"));
        assert!(t.lease().unwrap().is_live(Timestamp(i64::MAX), Duration::ZERO));
    }

    #[test]
    fn owning_and_being_offered() {
        let ada = Actor::parse("WORK@ada").unwrap();
        let cmd = Actor::parse("CMD@ada").unwrap();
        assert!(owns(None, &ada) && !owns(None, &cmd));
        assert!(owns(Some("CMD"), &cmd) && owns(Some("WORK@Ada"), &cmd));
        assert!(!owns(Some("WORK@bob"), &cmd));
        assert!(is_offered_to(None, &ada) && is_offered_to(Some("WORK"), &ada));
        assert!(is_offered_to(Some("WORK@ada"), &ada));
        assert!(!is_offered_to(Some("WORK@bob"), &ada) && !is_offered_to(None, &cmd));
        assert!(!is_offered_to(Some("WORK@ada"), &cmd));
    }
}
