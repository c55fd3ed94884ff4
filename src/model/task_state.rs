//! The state machine: which command moves a task from where to where, and who
//! may give it.
//!
//! One table, [`rule`], without a wildcard arm: a new state or command does not
//! compile until every pair is decided. Unknown states are not in it: they are
//! kept and shown, and only `move` by CMD leaves them.

use crate::model::actor::Role;
use std::fmt;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Being planned.
    Plan,
    /// May be claimed.
    Ready,
    /// Somebody holds its lease.
    Doing,
    /// Waits for a reviewer.
    Review,
    /// Sent back; may be claimed.
    Fix,
    /// Finished.
    Done,
    /// Stopped for now.
    Hold,
    /// Given up.
    Drop,
}

impl State {
    /// Every state, in the order of a task's life.
    pub const ALL: [Self; 8] = [
        Self::Plan,
        Self::Ready,
        Self::Doing,
        Self::Review,
        Self::Fix,
        Self::Done,
        Self::Hold,
        Self::Drop,
    ];

    /// As the ledger spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "PLAN",
            Self::Ready => "READY",
            Self::Doing => "DOING",
            Self::Review => "REVIEW",
            Self::Fix => "FIX",
            Self::Done => "DONE",
            Self::Hold => "HOLD",
            Self::Drop => "DROP",
        }
    }

    /// Reads a ledger's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing more is to be done.
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Done | Self::Drop)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What moves a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    /// The plan stands.
    Ready,
    /// Back to planning, from where nobody works on it.
    Replan,
    /// Take the lease.
    Claim,
    /// Hand in.
    Submit,
    /// Give the lease back.
    Release,
    /// Give it back because somebody who directs must answer.
    NeedsInput,
    /// Take back an expired lease.
    Reap,
    /// A run's retries are used up.
    GiveUp,
    /// Accept.
    Done,
    /// Send back.
    Fix,
    /// Stop for now.
    Hold,
    /// Go on.
    Resume,
    /// Give up.
    Drop,
    /// Begin again.
    Reopen,
}

impl Command {
    /// Every command.
    pub const ALL: [Self; 14] = [
        Self::Ready,
        Self::Replan,
        Self::Claim,
        Self::Submit,
        Self::Release,
        Self::NeedsInput,
        Self::Reap,
        Self::GiveUp,
        Self::Done,
        Self::Fix,
        Self::Hold,
        Self::Resume,
        Self::Drop,
        Self::Reopen,
    ];

    /// The verb a person types for it.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Replan => "move",
            Self::Claim => "claim",
            Self::Submit => "submit",
            Self::Release | Self::NeedsInput => "release",
            Self::Reap => "reap",
            Self::GiveUp => "watch",
            Self::Done => "done",
            Self::Fix => "fix",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::Drop => "drop",
            Self::Reopen => "reopen",
        }
    }

    /// The command that brings a task from one state to another, as `move` and
    /// `set state=…` mean it. `origin` is where a claim or a hold came from.
    pub fn between(from: State, to: State, origin: State) -> Option<Self> {
        Self::ALL.into_iter().find(|command| match (command, rule(*command, from)) {
            (Self::Reap | Self::GiveUp, _) => false,
            (_, Rule::Move { to: Target::State(target), .. }) => target == to,
            (_, Rule::Move { to: Target::Origin, .. }) => origin == to,
            (_, Rule::Already | Rule::Lease | Rule::Repeat | Rule::Refused) => false,
        })
    }
}

/// Where a move ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// In this state.
    State(State),
    /// Where the claim or the hold came from.
    Origin,
}

/// Who may give a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Who {
    /// CMD.
    Director,
    /// WORK; CMD and AUDIT where their role or name owns the task.
    Claimant,
    /// Whoever holds the lease.
    Holder,
    /// The holder, CMD, or whoever once the lease has expired.
    HolderOrDirector,
    /// Whoever, once the lease has expired.
    OnceExpired,
    /// CMD or AUDIT, and no holder of this round.
    Reviewer,
}

/// What the table says of one command in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It moves the task.
    Move {
        /// Where to.
        to: Target,
        /// By whom.
        who: Who,
    },
    /// Its effect holds already.
    Already,
    /// The lease decides: a live one refuses, an expired one is taken over.
    Lease,
    /// Success for whoever gave this command last, else refused.
    Repeat,
    /// The state machine says no.
    Refused,
}

/// The state machine. CONTRACT: one table, no wildcard arm.
pub const fn rule(command: Command, from: State) -> Rule {
    use State::{Doing, Done, Drop, Fix, Hold, Plan, Ready, Review};
    const fn to(state: State, who: Who) -> Rule {
        Rule::Move { to: Target::State(state), who }
    }
    const fn back(who: Who) -> Rule {
        Rule::Move { to: Target::Origin, who }
    }
    match (command, from) {
        (Command::Ready, Plan) => to(Ready, Who::Director),
        (Command::Ready, Ready) => Rule::Already,
        (Command::Ready, Doing | Review | Fix | Done | Hold | Drop) => Rule::Refused,

        (Command::Replan, Ready | Fix) => to(Plan, Who::Director),
        (Command::Replan, Plan) => Rule::Already,
        (Command::Replan, Doing | Review | Done | Hold | Drop) => Rule::Refused,

        (Command::Claim, Ready | Fix) => to(Doing, Who::Claimant),
        (Command::Claim, Doing) => Rule::Lease,
        (Command::Claim, Plan | Review | Done | Hold | Drop) => Rule::Refused,

        (Command::Submit, Doing) => to(Review, Who::Holder),
        (Command::Submit, Review) => Rule::Repeat,
        (Command::Submit, Plan | Ready | Fix | Done | Hold | Drop) => Rule::Refused,

        (Command::Release, Doing) => back(Who::HolderOrDirector),
        (Command::Release, Ready | Fix) => Rule::Repeat,
        (Command::Release, Plan | Review | Done | Hold | Drop) => Rule::Refused,

        (Command::NeedsInput, Doing) => to(Plan, Who::Holder),
        (Command::NeedsInput, Plan) => Rule::Repeat,
        (Command::NeedsInput, Ready | Review | Fix | Done | Hold | Drop) => Rule::Refused,

        (Command::Reap, Doing) => back(Who::OnceExpired),
        (Command::Reap, Plan | Ready | Review | Fix | Done | Hold | Drop) => Rule::Refused,

        (Command::GiveUp, Doing) => to(Fix, Who::Holder),
        (Command::GiveUp, Plan | Ready | Review | Fix | Done | Hold | Drop) => Rule::Refused,

        (Command::Done, Review) => to(Done, Who::Reviewer),
        (Command::Done, Done) => Rule::Already,
        (Command::Done, Plan | Ready | Doing | Fix | Hold | Drop) => Rule::Refused,

        (Command::Fix, Review) => to(Fix, Who::Reviewer),
        (Command::Fix, Fix) => Rule::Already,
        (Command::Fix, Plan | Ready | Doing | Done | Hold | Drop) => Rule::Refused,

        (Command::Hold, Plan | Ready | Doing | Review | Fix) => to(Hold, Who::Director),
        (Command::Hold, Hold) => Rule::Already,
        (Command::Hold, Done | Drop) => Rule::Refused,

        (Command::Resume, Hold) => back(Who::Director),
        (Command::Resume, Plan | Ready | Review | Fix) => Rule::Repeat,
        (Command::Resume, Doing | Done | Drop) => Rule::Refused,

        (Command::Drop, Plan | Ready | Doing | Review | Fix | Hold) => to(Drop, Who::Director),
        (Command::Drop, Drop) => Rule::Already,
        (Command::Drop, Done) => Rule::Refused,

        (Command::Reopen, Done | Drop) => to(Plan, Who::Director),
        (Command::Reopen, Plan) => Rule::Repeat,
        (Command::Reopen, Ready | Doing | Review | Fix | Hold) => Rule::Refused,
    }
}

/// What is known of the caller when a rule asks who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The caller's role.
    pub role: Role,
    /// `solo` gives the default actor all three roles.
    pub all_roles: bool,
    /// Whether the task's owner cell names the caller's role or name.
    pub owns: bool,
    /// Whether the caller holds the lease.
    pub holds: bool,
    /// Whether the lease is past its end and grace.
    pub expired: bool,
}

impl Caller {
    /// Whether the caller has a role.
    pub fn is(&self, role: Role) -> bool {
        self.all_roles || self.role == role
    }
}

/// Why a caller may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// A role is missing.
    Role,
    /// The caller is not the holder.
    NotHolder,
}

impl Who {
    /// Whether the caller may. Separation of duties is judged apart
    /// (`model::actor`), where the holders are known.
    pub fn permits(self, caller: &Caller) -> Result<(), Denial> {
        let or = |allowed: bool, denial| if allowed { Ok(()) } else { Err(denial) };
        match self {
            Self::Director => or(caller.is(Role::Cmd), Denial::Role),
            Self::Claimant => or(caller.is(Role::Work) || caller.owns, Denial::Role),
            Self::Holder => or(caller.holds, Denial::NotHolder),
            Self::HolderOrDirector => {
                or(caller.holds || caller.is(Role::Cmd) || caller.expired, Denial::NotHolder)
            }
            Self::OnceExpired => or(caller.expired, Denial::NotHolder),
            Self::Reviewer => or(caller.is(Role::Cmd) || caller.is(Role::Audit), Denial::Role),
        }
    }

    /// For people: who that is.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Director => "CMD",
            Self::Claimant => "WORK, or the role or name that owns the task",
            Self::Holder => "the holder of the lease",
            Self::HolderOrDirector => "the holder of the lease or CMD",
            Self::OnceExpired => "anybody, once the lease has expired",
            Self::Reviewer => "CMD or AUDIT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole machine as CONTRACT §3 draws it, one line a command, a cell a
    /// state in the order of `State::ALL`: `.` refused, `=` already, `~` repeat,
    /// `?` the lease decides, `<x` back to the origin, else the state's first
    /// letters; after the blank, who.
    const TABLE: &str = "
        Ready       READY/C =       .        .        .       .      .       .
        Replan      =       PLAN/C  .        .        PLAN/C  .      .       .
        Claim       .       DOING/K ?        .        DOING/K .      .       .
        Submit      .       .       REVIEW/H ~        .       .      .       .
        Release     .       ~       <O/D     .        ~       .      .       .
        NeedsInput  ~       .       PLAN/H   .        .       .      .       .
        Reap        .       .       <O/X     .        .       .      .       .
        GiveUp      .       .       FIX/H    .        .       .      .       .
        Done        .       .       .        DONE/R   .       =      .       .
        Fix         .       .       .        FIX/R    =       .      .       .
        Hold        HOLD/C  HOLD/C  HOLD/C   HOLD/C   HOLD/C  .      =       .
        Resume      ~       ~       .        ~        ~       .      <O/C    .
        Drop        DROP/C  DROP/C  DROP/C   DROP/C   DROP/C  .      DROP/C  =
        Reopen      ~       .       .        .        .       PLAN/C .       PLAN/C";

    fn cell(rule: Rule) -> String {
        let who = |who| match who {
            Who::Director => "C",
            Who::Claimant => "K",
            Who::Holder => "H",
            Who::HolderOrDirector => "D",
            Who::OnceExpired => "X",
            Who::Reviewer => "R",
        };
        match rule {
            Rule::Move { to: Target::State(s), who: w } => format!("{s}/{}", who(w)),
            Rule::Move { to: Target::Origin, who: w } => format!("<O/{}", who(w)),
            Rule::Already => "=".into(),
            Rule::Lease => "?".into(),
            Rule::Repeat => "~".into(),
            Rule::Refused => ".".into(),
        }
    }

    #[test]
    fn the_machine_is_the_contracts() {
        let mut lines = TABLE.lines().filter(|l| !l.trim().is_empty());
        for command in Command::ALL {
            let line: Vec<_> = lines.next().unwrap().split_whitespace().collect();
            assert_eq!(line[0], format!("{command:?}"));
            for (state, expected) in State::ALL.into_iter().zip(&line[1..]) {
                assert_eq!(cell(rule(command, state)), *expected, "{command:?} in {state}");
            }
        }
        assert_eq!(lines.next(), None);
    }

    /// Every combination of what can be known of a caller.
    fn callers() -> impl Iterator<Item = Caller> {
        Role::ALL.into_iter().flat_map(|role| {
            (0..16u8).map(move |bits| Caller {
                role,
                all_roles: bits & 1 != 0,
                owns: bits & 2 != 0,
                holds: bits & 4 != 0,
                expired: bits & 8 != 0,
            })
        })
    }

    #[test]
    fn who_may_is_decided_for_every_caller() {
        for c in callers() {
            let cmd = c.role == Role::Cmd || c.all_roles;
            let audit = c.role == Role::Audit || c.all_roles;
            let work = c.role == Role::Work || c.all_roles;
            for (who, expected) in [
                (Who::Director, cmd),
                (Who::Claimant, work || c.owns),
                (Who::Holder, c.holds),
                (Who::HolderOrDirector, c.holds || cmd || c.expired),
                (Who::OnceExpired, c.expired),
                (Who::Reviewer, cmd || audit),
            ] {
                assert_eq!(who.permits(&c).is_ok(), expected, "{who:?} {c:?}");
            }
        }
    }

    #[test]
    fn move_finds_the_command_or_none() {
        use Command as C;
        use State::{Doing, Done, Drop, Fix, Hold, Plan, Ready, Review};
        let expect = |from, to, origin, command| {
            assert_eq!(C::between(from, to, origin), command, "{from} to {to} ({origin})");
        };
        expect(Plan, Ready, Ready, Some(C::Ready));
        expect(Ready, Plan, Ready, Some(C::Replan));
        expect(Fix, Plan, Ready, Some(C::Replan));
        expect(Ready, Doing, Ready, Some(C::Claim));
        expect(Doing, Review, Ready, Some(C::Submit));
        expect(Doing, Ready, Ready, Some(C::Release));
        expect(Doing, Fix, Fix, Some(C::Release));
        expect(Doing, Fix, Ready, None);
        expect(Doing, Plan, Ready, Some(C::NeedsInput));
        expect(Review, Done, Ready, Some(C::Done));
        expect(Review, Fix, Ready, Some(C::Fix));
        expect(Hold, Ready, Ready, Some(C::Resume));
        expect(Hold, Fix, Ready, None);
        expect(Hold, Drop, Ready, Some(C::Drop));
        expect(Done, Plan, Ready, Some(C::Reopen));
        expect(Drop, Plan, Ready, Some(C::Reopen));
        expect(Plan, Done, Ready, None);
        expect(Ready, Done, Ready, None);
        expect(Review, Ready, Ready, None);
        expect(Doing, Done, Ready, None);
    }

    #[test]
    fn no_command_leaves_a_task_where_nobody_can_move_it() {
        for state in State::ALL {
            let ways = Command::ALL
                .into_iter()
                .filter(|c| matches!(rule(*c, state), Rule::Move { .. }))
                .count();
            assert!(ways > 0, "{state} is a dead end");
        }
    }
}
