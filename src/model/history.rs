//! What only the past of a task knows: who held it, where it came from.
//!
//! Here: a fold over the changes of one task, oldest first. Not here: where
//! those changes are written down (`store::journal`).

use crate::model::actor::Actor;
use crate::model::task_state::State;
use crate::model::time::Timestamp;

/// One past change of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastChange {
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
    /// When this round of work began, if it is not the first.
    pub round_since: Option<Timestamp>,
}

impl TaskHistory {
    /// Folds the changes of one task, oldest first.
    pub fn of(changes: impl IntoIterator<Item = PastChange>) -> Self {
        let mut history = Self::default();
        for change in changes {
            history.add(&change);
        }
        history
    }

    fn add(&mut self, change: &PastChange) {
        let states = change.state.as_ref().map(|(from, to)| (State::parse(from), State::parse(to)));
        if let Some((from, to)) = &change.holder {
            self.change_holder(change, from, to);
        }
        let Some((from, to)) = states else { return };
        if to == Some(State::Doing) && from != Some(State::Doing) {
            self.claimed_from = from.filter(|s| matches!(s, State::Ready | State::Fix));
        }
        if to == Some(State::Hold) {
            self.held_from = match from {
                Some(State::Doing) => Some(self.claimed_from.unwrap_or(State::Ready)),
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
        if ends_round {
            self.holders.clear();
            self.round_since = Some(change.at);
        }
        self.last_move = Some(LastMove { from, to, actor: change.actor.clone() });
    }

    fn change_holder(&mut self, change: &PastChange, from: &str, to: &str) {
        if !from.is_empty() {
            self.remember(from);
            let own = change.actor.eq_ignore_ascii_case(from)
                && matches!(change.command.as_str(), "submit" | "release" | "move" | "set");
            let end = if own { LeaseEnd::ByHolder } else { LeaseEnd::Lost };
            match self.leases.last_mut() {
                Some(lease) if lease.ended.is_none() => lease.ended = Some(end),
                _ => self.leases.push(PastLease {
                    holder: from.to_owned(),
                    token: None,
                    ended: Some(end),
                }),
            }
        }
        if !to.is_empty() {
            self.remember(to);
            self.leases.push(PastLease { holder: to.to_owned(), token: change.token, ended: None });
        }
    }

    fn remember(&mut self, holder: &str) {
        if !self.holders.iter().any(|h| h.eq_ignore_ascii_case(holder)) {
            self.holders.push(holder.to_owned());
        }
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
            at: Timestamp(at),
            actor: actor.into(),
            command: command.into(),
            token: Some(at.cast_unsigned()),
            state: state.map(own),
            holder: holder.map(own),
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
        assert_eq!(history.round_since, Some(Timestamp(4)));
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
}
