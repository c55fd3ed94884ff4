//! Who may take an operation back.
//!
//! Here: the right to the inverse move or, where the state machine has none, to
//! the move that is undone. Not here: the state machine (`model::task_state`)
//! and how a right is judged (`services::transition`).
//!
//! Invariant: an undo never leads where its caller could not have led by other
//! commands, but back to where the caller's own operation began.

use crate::error::{Error, Result};
use crate::ledger::change::{RowChange, RowChangeKind};
use crate::ledger::compare::value;
use crate::model::actor::Role;
use crate::model::field::TaskField;
use crate::model::task::Task;
use crate::model::task_state::{Command, Rule, State, Who, rule};
use crate::services::gates;
use crate::services::set::may_set;
use crate::services::transition::{self, Case, Request};
use crate::services::undo::inverse::{Plan, Turn, TurnKind, archive_year};
use crate::services::undo::{Asked, is_own};
use crate::store::entry::Entry;
use crate::store::journal::Journal;

/// Judges every row; gives the token of a lease that is given back.
///
/// # Errors
/// What the command of that move would say.
pub(super) fn check(
    asked: Asked<'_>,
    journal: &Journal,
    entry: &Entry,
    plan: &Plan,
    waivers: &mut Vec<String>,
) -> Result<Option<u64>> {
    if !is_own(asked.who, entry) {
        let whose = match entry.command.as_str() {
            "external" => "of a hand edit".to_owned(),
            _ => format!("of what `{}` did", entry.actor),
        };
        directs(asked, &whose, waivers)?;
    }
    if entry.command == "external" {
        return Ok(None);
    }
    let judge = Judge { asked, journal, entry };
    let mut token = None;
    for turn in &plan.turns {
        token = token.or(judge.turn(turn, plan, waivers)?);
    }
    Ok(token)
}

/// CMD only.
fn directs(asked: Asked<'_>, what: &str, waivers: &mut Vec<String>) -> Result<()> {
    let who = asked.who;
    if who.may(who.actor.role() == Role::Cmd, waivers) {
        return Ok(());
    }
    Err(Error::not_allowed(format!("an undo {what} needs CMD; you are `{}`", who.actor))
        .hint("orch log"))
}

struct Judge<'j> {
    asked: Asked<'j>,
    journal: &'j Journal,
    entry: &'j Entry,
}

impl Judge<'_> {
    fn turn(&self, turn: &Turn, plan: &Plan, waivers: &mut Vec<String>) -> Result<Option<u64>> {
        let is_it = |change: &&RowChange| {
            change.row == turn.id && archive_year(self.asked.ctx, &change.file).is_some()
        };
        let archived = plan.rows.iter().find(is_it);
        match &turn.kind {
            TurnKind::Goes | TurnKind::Comes => {
                self.whole_row(turn, archived, waivers)?;
                return Ok(None);
            }
            TurnKind::Restore { .. } => return Ok(None),
            TurnKind::Cells(_) | TurnKind::Move | TurnKind::Release => {}
        }
        if self.asked.snapshot.tasks.rows_of(&turn.id).is_empty() {
            return Ok(None);
        }
        let case = Case::of(self.asked.snapshot, &turn.id)?;
        match &turn.kind {
            TurnKind::Cells(cells) => self.cells(&case, cells, waivers)?,
            // What somebody moved on since is stale, whoever asks.
            _ if case.task.state.as_deref().unwrap_or_default() != turn.is => {}
            TurnKind::Release => return self.release(&case, waivers),
            _ => self.moved(&case, turn, waivers)?,
        }
        Ok(None)
    }

    /// What `set` and `note` ask.
    fn cells(&self, case: &Case<'_>, cells: &[String], waivers: &mut Vec<String>) -> Result<()> {
        let Asked { ctx, who, token, .. } = self.asked;
        if cells.iter().all(|column| column == TaskField::Notes.name()) {
            return Ok(());
        }
        if cells.iter().any(|column| column == TaskField::Owner.name()) {
            directs(self.asked, "of a change of `owner`", waivers)?;
        }
        may_set(ctx, who, case, token)
    }

    /// A lease is given back as `release` does.
    fn release(&self, case: &Case<'_>, waivers: &mut Vec<String>) -> Result<Option<u64>> {
        let Asked { ctx, snapshot, who, token, now, .. } = self.asked;
        let request = Request { token, ..Request::default() };
        let step = transition::step(ctx, snapshot, who, case, Command::Release, &request, now)?;
        waivers.extend(step.waivers);
        Ok(step.token)
    }

    fn moved(&self, case: &Case<'_>, turn: &Turn, waivers: &mut Vec<String>) -> Result<()> {
        let (from, to) = (State::parse(&turn.is), State::parse(&turn.was));
        let (Some(from), Some(to)) = (from, to) else {
            return directs(self.asked, "into or out of an unknown state", waivers);
        };
        let Some((command, whom)) = right(from, to, case.origin()) else { return Ok(()) };
        let Asked { ctx, who, now, .. } = self.asked;
        let expired = case.is_expired(ctx, now);
        transition::permit(who, case, command, whom, false, expired, waivers)?;
        if whom == Who::Reviewer {
            transition::separate(ctx, who, &self.with_its_round(case), waivers)?;
        }
        if to == State::Done {
            let revives = from != State::Review;
            self.may_be_done(&case.task, revives)?;
        }
        Ok(())
    }

    /// The case with the holders of the round that the operation ended, too.
    fn with_its_round<'s>(&self, case: &Case<'s>) -> Case<'s> {
        let mut history = case.history.clone();
        let before = self.journal.history_before(&case.task.id, &self.entry.id);
        history.holders.extend(before.holders);
        Case {
            row: case.row,
            task: case.task.clone(),
            state: case.state,
            history,
            standing: case.standing,
        }
    }

    /// A task is DONE again only where its approvals let it be.
    fn may_be_done(&self, task: &Task<'_>, revives: bool) -> Result<()> {
        let Asked { ctx, snapshot, now, .. } = self.asked;
        let history = if revives {
            self.journal.history_before(&task.id, &self.entry.id)
        } else {
            self.journal.history(&task.id)
        };
        gates::approvals(ctx, snapshot, task, &history, now)
    }

    /// Rows come back or go as `add`, `archive` and `reopen` let them.
    fn whole_row(
        &self,
        turn: &Turn,
        archived: Option<&RowChange>,
        waivers: &mut Vec<String>,
    ) -> Result<()> {
        let here = if turn.kind == TurnKind::Goes { &turn.is } else { &turn.was };
        let Some(archived) = archived else {
            // `add`, or its redo: into READY it is `ready` too.
            return match State::parse(here) {
                Some(State::Plan) => Ok(()),
                _ => directs(self.asked, "of a task beyond PLAN", waivers),
            };
        };
        let state = archived.cells.get(TaskField::State.name());
        let there = state.map_or("", |(before, after)| {
            value(if archived.kind == RowChangeKind::Remove { before } else { after })
        });
        if there == here {
            return Ok(());
        }
        directs(self.asked, "of a `reopen`", waivers)?;
        if there == State::Done.as_str() && turn.kind == TurnKind::Goes {
            let task = Task { id: turn.id.clone().into(), ..Task::default() };
            self.may_be_done(&task, true)?;
        }
        Ok(())
    }
}

/// Whose right it takes to go back: the command that leads there, else the one
/// that led here. None where only its own caller, or CMD, could have.
fn right(from: State, to: State, origin: State) -> Option<(Command, Who)> {
    let who = |command, from| match rule(command, from) {
        Rule::Move { who, .. } => Some((command, who)),
        Rule::Already | Rule::Lease | Rule::Repeat | Rule::Refused => None,
    };
    if to == State::Doing {
        // It goes where the claim came from instead.
        return match from {
            State::Plan => who(Command::Ready, from),
            State::Hold => who(Command::Resume, from),
            State::Drop => who(Command::Drop, to),
            State::Done => who(Command::Reopen, from),
            State::Ready | State::Fix | State::Doing | State::Review => None,
        };
    }
    let inverse = Command::between(from, to, origin).and_then(|command| who(command, from));
    let undone = || Command::between(to, from, origin).and_then(|command| who(command, to));
    let holds = |whom| matches!(whom, Who::Holder | Who::HolderOrDirector | Who::Claimant);
    inverse.or_else(undone).filter(|(_, whom)| !holds(*whom))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every move of the state machine, taken back: who may.
    #[test]
    fn the_right_to_go_back_is_decided_for_every_move() {
        use State::{Doing, Done, Drop, Fix, Hold, Plan, Ready, Review};
        let expect = |to, from, origin, expected: Option<(Command, Who)>| {
            assert_eq!(right(from, to, origin), expected, "back from {from} to {to}");
        };
        let cmd = |command| Some((command, Who::Director));
        expect(Plan, Ready, Ready, cmd(Command::Replan));
        expect(Ready, Plan, Ready, cmd(Command::Ready));
        expect(Fix, Plan, Ready, cmd(Command::Replan));
        expect(Doing, Review, Ready, None);
        expect(Doing, Plan, Ready, cmd(Command::Ready));
        expect(Doing, Hold, Fix, cmd(Command::Resume));
        expect(Doing, Drop, Ready, cmd(Command::Drop));
        expect(Review, Done, Ready, Some((Command::Done, Who::Reviewer)));
        expect(Review, Fix, Ready, Some((Command::Fix, Who::Reviewer)));
        expect(Done, Review, Ready, Some((Command::Done, Who::Reviewer)));
        for open in [Plan, Ready, Review, Fix] {
            expect(open, Hold, open, cmd(Command::Resume));
            expect(Hold, open, open, cmd(Command::Hold));
        }
        for open in [Ready, Review, Fix, Hold] {
            expect(open, Drop, Ready, cmd(Command::Drop));
        }
        expect(Plan, Drop, Ready, cmd(Command::Reopen));
        for closed in [Done, Drop] {
            let command = if closed == Done { Command::Reopen } else { Command::Drop };
            expect(closed, Plan, Ready, cmd(command));
        }
        // The redo of a submit: its own caller, or CMD.
        expect(Review, Ready, Ready, None);
    }
}
