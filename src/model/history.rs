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
        } else if let Some((_, to)) = &change.state
            && to != State::Doing.as_str()
        {
            self.end_without_cells(change);
        }
        let Some((from, to)) = &change.state else { return };
        let revived = self.revive(change);
        if to.is_empty() {
            // Archived, or cut out: no move, and it may come back.
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

    fn change_holder(&mut self, change: &PastChange, from: &str, to: &str) {
        if !from.is_empty() {
            self.remember(from);
            let end = LeaseEnd::of(change, from);
            match self.so_far.leases.last_mut() {
                Some(lease) if lease.ended.is_none() => lease.ended = Some(end),
                _ => self.so_far.leases.push(PastLease {
                    holder: from.to_owned(),
                    token: None,
                    ended: Some(end),
                }),
            }
        }
        if !to.is_empty() {
            self.remember(to);
            self.so_far.leases.push(PastLease {
                holder: to.to_owned(),
                token: change.token,
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
mod tests {
    use super::*;

    fn change(
        at: i64,
        actor: &str,
        command: &str,
        state: Option<(&str, &str)>,
        holder: Option<(&str, &str)>,
    ) -> PastChange {
        let own = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
        PastChange {
            id: at.to_string(),
            undoes: None,
            counts: true,
            at: Timestamp(at),
            actor: actor.into(),
            command: command.into(),
            token: Some(at.cast_unsigned()),
            state: state.map(own),
            holder: holder.map(own),
            run: None,
            via_git: false,
        }
    }

    fn actor(text: &str) -> Actor {
        Actor::parse(text).unwrap()
    }

    #[test]
    fn a_round_remembers_its_holders_until_it_is_sent_back() {
        let mut changes = vec![
            change(1, "WORK@ada", "claim", Some(("READY", "DOING")), Some(("", "WORK@ada"))),
            change(2, "WORK@bob", "claim", None, Some(("WORK@ada", "WORK@bob"))),
            change(3, "WORK@bob", "submit", Some(("DOING", "REVIEW")), Some(("WORK@bob", ""))),
        ];
        let history = TaskHistory::of(changes.clone());
        assert_eq!(history.holders, ["WORK@ada", "WORK@bob"]);
        assert!(history.has_lost(&actor("WORK@ada")) && history.lost_last(&actor("WORK@ada")));
        assert!(!history.has_lost(&actor("WORK@bob")));
        assert!(history.is_lost_token(1) && !history.is_lost_token(2));
        changes.push(change(4, "CMD@eve", "fix", Some(("REVIEW", "FIX")), None));
        let history = TaskHistory::of(changes);
        assert!(history.holders.is_empty());
        assert_eq!(history.round_by.as_deref(), Some("4"));
    }

    #[test]
    fn origins_survive_a_takeover_and_a_hold() {
        let history = TaskHistory::of([
            change(1, "WORK@ada", "claim", Some(("FIX", "DOING")), Some(("", "WORK@ada"))),
            change(2, "WORK@bob", "claim", None, Some(("WORK@ada", "WORK@bob"))),
            change(3, "CMD@eve", "hold", Some(("DOING", "HOLD")), Some(("WORK@bob", ""))),
        ]);
        assert_eq!(history.claimed_from, Some(State::Fix));
        assert_eq!(history.held_from, Some(State::Fix));
        assert!(history.lost_last(&actor("WORK@bob")));
    }

    #[test]
    fn the_same_actor_claiming_anew_loses_the_old_lease() {
        let history = TaskHistory::of([
            change(1, "WORK@ada", "claim", Some(("READY", "DOING")), Some(("", "WORK@ada"))),
            change(2, "WORK@ada", "claim", None, Some(("WORK@ada", "WORK@ada"))),
        ]);
        assert_eq!(history.running().and_then(|lease| lease.token), Some(2));
        assert!(history.is_lost_token(1) && history.has_lost(&actor("WORK@ada")));
    }

    #[test]
    fn a_lease_typed_by_hand_has_no_token() {
        let history = TaskHistory::of([change(
            1,
            "WORK",
            "submit",
            Some(("DOING", "REVIEW")),
            Some(("WORK", "")),
        )]);
        assert_eq!(history.leases[0].token, None);
        assert_eq!(history.leases[0].ended, Some(LeaseEnd::ByHolder));
        assert_eq!(history.last_move.unwrap().to, Some(State::Review));
    }

    /// The same for an `undo` or `redo` of an operation.
    fn takes_back(at: i64, command: &str, undone: i64, state: (&str, &str)) -> PastChange {
        let change = change(at, "CMD@eve", command, Some(state), None);
        PastChange { undoes: Some(undone.to_string()), ..change }
    }

    fn sent_back() -> Vec<PastChange> {
        vec![
            change(1, "WORK@ada", "claim", Some(("READY", "DOING")), Some(("", "WORK@ada"))),
            change(2, "WORK@ada", "submit", Some(("DOING", "REVIEW")), Some(("WORK@ada", ""))),
            change(3, "CMD@eve", "fix", Some(("REVIEW", "FIX")), None),
        ]
    }

    #[test]
    fn undo_of_a_fix_revives_its_round() {
        let mut changes = sent_back();
        changes.push(takes_back(4, "undo", 3, ("FIX", "REVIEW")));
        let history = TaskHistory::of(changes.clone());
        assert_eq!((&history.holders[..], history.round_by), (&["WORK@ada".into()][..], None));
        changes.push(takes_back(5, "redo", 4, ("REVIEW", "FIX")));
        let history = TaskHistory::of(changes.clone());
        assert_eq!((history.holders.len(), history.round_by.as_deref()), (0, Some("5")));
        changes.push(takes_back(6, "undo", 3, ("FIX", "REVIEW")));
        let history = TaskHistory::of(changes);
        assert_eq!((&history.holders[..], history.round_by), (&["WORK@ada".into()][..], None));
    }

    #[test]
    fn who_held_it_before_the_undo_stays_a_holder() {
        let mut changes = sent_back();
        changes.extend([
            change(4, "WORK@bob", "claim", Some(("FIX", "DOING")), Some(("", "WORK@bob"))),
            change(5, "WORK@bob", "release", Some(("DOING", "FIX")), Some(("WORK@bob", ""))),
            takes_back(6, "undo", 3, ("FIX", "REVIEW")),
        ]);
        assert_eq!(TaskHistory::of(changes).holders, ["WORK@ada", "WORK@bob"]);
    }

    #[test]
    fn undo_of_a_reopen_revives_its_round_and_undo_of_a_drop_ends_none() {
        let mut changes = sent_back();
        changes[2] = change(3, "CMD@eve", "done", Some(("REVIEW", "DONE")), None);
        changes.push(change(4, "CMD@eve", "reopen", Some(("DONE", "PLAN")), None));
        assert_eq!(TaskHistory::of(changes.clone()).round_by.as_deref(), Some("4"));
        changes.push(takes_back(5, "undo", 4, ("PLAN", "DONE")));
        let history = TaskHistory::of(changes);
        assert_eq!((&history.holders[..], history.round_by), (&["WORK@ada".into()][..], None));

        let mut changes = sent_back();
        changes[2] = change(3, "CMD@eve", "drop", Some(("PLAN", "DROP")), None);
        changes.push(takes_back(4, "undo", 3, ("DROP", "PLAN")));
        let history = TaskHistory::of(changes);
        assert_eq!((&history.holders[..], history.round_by), (&["WORK@ada".into()][..], None));
    }

    #[test]
    fn an_archived_row_comes_back_where_it_left() {
        let mut changes = sent_back();
        changes[2] = change(3, "CMD@eve", "done", Some(("REVIEW", "DONE")), None);
        changes.push(change(4, "CMD@eve", "archive", Some(("DONE", "")), None));
        let done = TaskHistory::of(changes.clone());
        assert_eq!(done.last_move.unwrap().to, Some(State::Done), "moving a row is no move");
        let mut undone = changes.clone();
        undone.push(takes_back(5, "undo", 4, ("", "DONE")));
        assert_eq!(TaskHistory::of(undone).holders, ["WORK@ada"]);
        changes.push(change(5, "CMD@eve", "reopen", Some(("", "PLAN")), None));
        let history = TaskHistory::of(changes.clone());
        assert_eq!((history.holders.len(), history.round_by.as_deref()), (0, Some("5")));
        assert_eq!(history.last_move.unwrap().from, Some(State::Done));
        changes.push(takes_back(6, "undo", 5, ("PLAN", "")));
        let history = TaskHistory::of(changes.clone());
        assert_eq!((&history.holders[..], history.round_by), (&["WORK@ada".into()][..], None));
        changes.push(change(7, "CMD@eve", "reopen", Some(("", "PLAN")), None));
        assert_eq!(TaskHistory::of(changes).last_move.unwrap().from, Some(State::Done));
    }

    #[test]
    fn what_does_not_count_ends_neither_lease_nor_round() {
        let by_hand = |state, holder| PastChange {
            counts: false,
            ..change(2, "external", "external", Some(state), Some(holder))
        };
        let claim =
            change(1, "WORK@ada", "claim", Some(("READY", "DOING")), Some(("", "WORK@ada")));
        let mut changes = vec![claim, by_hand(("DOING", "READY"), ("WORK@ada", ""))];
        let history = TaskHistory::of(changes.clone());
        assert_eq!(history.running().and_then(|lease| lease.token), Some(1));
        assert_eq!(history.last_move.unwrap().to, Some(State::Doing));
        let mut accepted = changes.clone();
        accepted[1].counts = true;
        assert!(TaskHistory::of(accepted).lost_last(&actor("WORK@ada")));
        // Its holder hands it in all the same: the cells are empty already.
        changes.push(change(3, "WORK@ada", "submit", Some(("READY", "REVIEW")), None));
        let history = TaskHistory::of(changes);
        assert_eq!(history.leases[0].ended, Some(LeaseEnd::ByHolder));
        assert_eq!(history.leases.len(), 1);
    }
}
