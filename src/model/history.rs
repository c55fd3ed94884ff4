//! What only the past of a task knows: who held it, where it came from.
//!
//! Here: a fold over the changes of one task, oldest first. Not here: where
//! those changes are written down (`store::journal`).

use crate::model::actor::Actor;
use crate::model::run::PastRun;
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use std::collections::BTreeSet;

/// One past change of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastChange {
    /// The operation's id.
    pub id: String,
    /// The operation that it takes back, where it is an `undo` or `redo`.
    pub undoes: Option<String>,
    /// Whether it counts: a forbidden hand edit that nobody accepted does not.
    pub counts: bool,
    /// When.
    pub at: Timestamp,
    /// By whom, as it was written.
    pub actor: String,
    /// The command that did it.
    pub command: String,
    /// The fencing token of the lease it took or used.
    pub token: Option<u64>,
    /// State before and after, where it changed.
    pub state: Option<(String, String)>,
    /// `lock_owner` before and after, where it changed; empty is empty.
    pub holder: Option<(String, String)>,
    /// `lock` after it, where it changed and is not empty.
    pub lock: Option<String>,
    /// `lock_expires_at` after it, likewise.
    pub end: Option<String>,
    /// The run that did it, where one did.
    pub run: Option<PastRun>,
    /// Whether git brought it: a merge, a checkout.
    pub via_git: bool,
}

impl PastChange {
    /// Whether somebody touched the task, as opposed to a run, the dispatcher, a
    /// lease that was taken back, or git.
    pub fn is_a_persons(&self) -> bool {
        let reaped_on_the_way = matches!(self.command.as_str(), "claim" | "submit")
            && self.holder.as_ref().is_some_and(|(before, after)| {
                after.is_empty() && !before.eq_ignore_ascii_case(&self.actor)
            });
        self.run.is_none()
            && !self.via_git
            && !reaped_on_the_way
            && !matches!(self.command.as_str(), "reap" | "renew" | "watch")
    }
}

/// A lease of the past, or the one that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastLease {
    /// Who held it.
    pub holder: String,
    /// Its token; `None` for one that was typed by hand.
    pub token: Option<u64>,
    /// What it wrote into `lock`.
    pub lock: Option<String>,
    /// Every end that it ever had, as `lock_expires_at` said.
    pub ends: Vec<String>,
    /// How it ended; `None` while it runs.
    pub ended: Option<LeaseEnd>,
}

/// How a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// By its holder's own `submit` or `release`.
    ByHolder,
    /// Taken over, reaped or removed.
    Lost,
}

impl LeaseEnd {
    /// How a change ends the lease of a holder. To undo one's claim is to
    /// release it.
    fn of(change: &PastChange, holder: &str) -> Self {
        let own = change.actor.eq_ignore_ascii_case(holder)
            && matches!(change.command.as_str(), "submit" | "release" | "move" | "set" | "undo");
        if own { Self::ByHolder } else { Self::Lost }
    }
}

/// The newest change of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastMove {
    /// Out of which state, if the tool knows it.
    pub from: Option<State>,
    /// Into which state.
    pub to: Option<State>,
    /// By whom.
    pub actor: String,
}

/// What the past says of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskHistory {
    /// Everybody who held it in this round of work, as written, each once.
    pub holders: Vec<String>,
    /// Every lease, oldest first.
    pub leases: Vec<PastLease>,
    /// The state that the running or newest claim came from.
    pub claimed_from: Option<State>,
    /// The state that the newest hold came from.
    pub held_from: Option<State>,
    /// The newest change of state.
    pub last_move: Option<LastMove>,
    /// The operation that this round of work began with, if it is not the first.
    pub round_by: Option<String>,
    /// Whether two branches worked on it: the changes do not follow each other,
    /// and only the ledger says which lease runs.
    pub is_forked: bool,
    /// Whether its row ever left the ledger: an archive may have it still.
    pub was_away: bool,
}

/// A round of work as it was before an operation ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EndedRound {
    by: String,
    holders: Vec<String>,
    since_by: Option<String>,
    /// The state that the operation came from, as it was written.
    state: String,
}

/// A history in the making.
#[derive(Debug, Default)]
struct Fold {
    so_far: TaskHistory,
    /// Rounds that an operation ended, for whoever takes it back.
    ended: Vec<EndedRound>,
    /// Operations that brought a round back.
    revived: BTreeSet<String>,
    /// The state of the row when it left the ledger, as it was written.
    left_as: Option<String>,
}

impl TaskHistory {
    /// Folds the changes of one task, oldest first.
    pub fn of(changes: impl IntoIterator<Item = PastChange>) -> Self {
        let mut fold = Fold::default();
        for change in changes.into_iter().filter(|change| change.counts) {
            fold.add(&change);
        }
        fold.so_far
    }

    /// What the ledger makes of a task that two branches worked on: the lease of
    /// its holder runs, and any other ended when the branches met.
    #[must_use]
    pub fn settled(mut self, holder: Option<&str>, lock: Option<&str>) -> Self {
        if !self.is_forked {
            return self;
        }
        let runs = |lease: &PastLease| {
            lease.ended.is_none()
                && holder.is_some_and(|holder| lease.holder.eq_ignore_ascii_case(holder))
        };
        let same =
            |lease: &PastLease| runs(lease) && lock.is_some() && lease.lock.as_deref() == lock;
        let at = self.leases.iter().rposition(same).or_else(|| self.leases.iter().rposition(runs));
        let running = at.map(|at| self.leases.remove(at));
        for lease in self.leases.iter_mut().filter(|lease| lease.ended.is_none()) {
            lease.ended = Some(LeaseEnd::Lost);
        }
        self.leases.extend(running);
        self
    }

    /// The lease that runs, if this tool gave it.
    pub fn running(&self) -> Option<&PastLease> {
        self.leases.last().filter(|lease| lease.ended.is_none())
    }

    /// Whether some earlier lease of this actor ended otherwise than by its
    /// own `submit` or `release`: from then on it must give its token.
    pub fn has_lost(&self, actor: &Actor) -> bool {
        self.of_actor(actor).any(|lease| lease.ended == Some(LeaseEnd::Lost))
    }

    /// Whether the newest lease of this actor was lost and not taken again.
    pub fn lost_last(&self, actor: &Actor) -> bool {
        self.of_actor(actor).last().is_some_and(|lease| lease.ended == Some(LeaseEnd::Lost))
    }

    /// Whether a token once belonged to a lease that was lost.
    pub fn is_lost_token(&self, token: u64) -> bool {
        self.leases
            .iter()
            .any(|lease| lease.token == Some(token) && lease.ended == Some(LeaseEnd::Lost))
    }

    fn of_actor<'s>(&'s self, actor: &'s Actor) -> impl Iterator<Item = &'s PastLease> {
        self.leases.iter().filter(|lease| lease.holder.eq_ignore_ascii_case(actor.as_str()))
    }
}

impl Fold {
    fn add(&mut self, change: &PastChange) {
        if let Some((from, to)) = &change.holder {
            self.change_holder(change, from, to);
        } else if let (None, Some(end)) = (&change.state, &change.end) {
            self.lengthen(change, end);
        } else if let Some((_, to)) = &change.state
            && to != State::Doing.as_str()
        {
            self.end_without_cells(change);
        }
        let Some((from, to)) = &change.state else { return };
        let revived = self.revive(change);
        if to.is_empty() {
            // Archived, or cut out: no move, and it may come back.
            self.so_far.was_away = true;
            self.left_as = Some(revived.unwrap_or_else(|| from.clone()));
            return;
        }
        let came_back = self.left_as.take().filter(|_| from.is_empty());
        let from = came_back.as_ref().unwrap_or(from);
        if came_back.is_some() && from == to {
            return;
        }
        let was = from.clone();
        let (from, to) = (State::parse(from), State::parse(to));
        let last = self.so_far.last_move.as_ref().and_then(|last| last.to);
        self.so_far.is_forked |= last.is_some() && from.is_some() && last != from;
        if to == Some(State::Doing) && from != Some(State::Doing) {
            self.so_far.claimed_from = from.filter(|s| matches!(s, State::Ready | State::Fix));
        }
        if to == Some(State::Hold) {
            self.so_far.held_from = match from {
                Some(State::Doing) => Some(self.so_far.claimed_from.unwrap_or(State::Ready)),
                other => other,
            };
        }
        if from == Some(State::Doing) && to == Some(State::Review) {
            // Who submits did the work, lock cells or not.
            self.remember(&change.actor);
        }
        let ends_round = matches!(
            (from, to),
            (Some(State::Review), Some(State::Fix))
                | (Some(State::Done | State::Drop), Some(State::Plan))
        );
        if ends_round && revived.is_none() && self.may_end_a_round(change) {
            self.ended.push(EndedRound {
                by: change.id.clone(),
                holders: std::mem::take(&mut self.so_far.holders),
                since_by: self.so_far.round_by.take(),
                state: was,
            });
            self.so_far.round_by = Some(change.id.clone());
        }
        self.so_far.last_move = Some(LastMove { from, to, actor: change.actor.clone() });
    }

    /// Brings a round back where its end is taken back, and gives the state that
    /// the end came from. Who held the task since is one of its holders too.
    fn revive(&mut self, change: &PastChange) -> Option<String> {
        let undone = change.undoes.as_ref()?;
        let round = self.ended.iter().rfind(|round| round.by == *undone)?.clone();
        let since = std::mem::replace(&mut self.so_far.holders, round.holders);
        for holder in &since {
            self.remember(holder);
        }
        self.so_far.round_by = round.since_by;
        self.revived.insert(change.id.clone());
        Some(round.state)
    }

    /// `fix` and `reopen` end a round, in whatever words; to take something
    /// else back does not, such as a `drop` of a planned task.
    fn may_end_a_round(&self, change: &PastChange) -> bool {
        change.undoes.as_ref().is_none_or(|id| self.revived.contains(id))
    }

    /// A task that leaves DOING though its lock cells were gone already: they
    /// had been taken by hand, and its holder may still hand it in.
    fn end_without_cells(&mut self, change: &PastChange) {
        let was_doing =
            self.so_far.last_move.as_ref().is_some_and(|last| last.to == Some(State::Doing));
        let running = self.so_far.leases.last_mut().filter(|lease| lease.ended.is_none());
        if let Some(lease) = running.filter(|_| was_doing) {
            lease.ended = Some(LeaseEnd::of(change, &lease.holder));
        }
    }

    /// The open lease that a change of a holder's is about: the one of its token,
    /// else the newest of the holder, else the newest.
    fn open(&mut self, holder: &str, token: Option<u64>) -> Option<&mut PastLease> {
        let leases = &mut self.so_far.leases;
        let is_open = |lease: &PastLease| lease.ended.is_none();
        let is_of = |lease: &PastLease| lease.holder.eq_ignore_ascii_case(holder);
        let by_token = |lease: &PastLease| token.is_some() && lease.token == token;
        let at = leases
            .iter()
            .rposition(|lease| is_open(lease) && is_of(lease) && by_token(lease))
            .or_else(|| leases.iter().rposition(|lease| is_open(lease) && is_of(lease)))
            .or_else(|| leases.len().checked_sub(1).filter(|last| is_open(&leases[*last])))?;
        leases.get_mut(at)
    }

    /// A renewal, or whatever else moves the end alone.
    fn lengthen(&mut self, change: &PastChange, end: &str) {
        if let Some(lease) = self.open(&change.actor, change.token) {
            lease.ends.push(end.to_owned());
        }
    }

    fn change_holder(&mut self, change: &PastChange, from: &str, to: &str) {
        if !from.is_empty() {
            self.remember(from);
            let end = LeaseEnd::of(change, from);
            match self.open(from, change.token) {
                Some(lease) => lease.ended = Some(end),
                None => self.so_far.leases.push(PastLease {
                    holder: from.to_owned(),
                    token: None,
                    lock: None,
                    ends: Vec::new(),
                    ended: Some(end),
                }),
            }
        }
        if !to.is_empty() {
            self.remember(to);
            // Whoever takes a task from nobody while somebody has it did not see that.
            let has_it = |lease: &PastLease| lease.ended.is_none();
            self.so_far.is_forked |= from.is_empty() && self.so_far.leases.iter().any(has_it);
            self.so_far.leases.push(PastLease {
                holder: to.to_owned(),
                token: change.token,
                lock: change.lock.clone(),
                ends: change.end.iter().cloned().collect(),
                ended: None,
            });
        }
    }

    fn remember(&mut self, holder: &str) {
        if !self.so_far.holders.iter().any(|h| h.eq_ignore_ascii_case(holder)) {
            self.so_far.holders.push(holder.to_owned());
        }
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
