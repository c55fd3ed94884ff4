//! The life of a lease, and the steps after it: claim, renew, submit, release,
//! done, fix; and the short way of every change from a request to its answer.

use crate::answer::change::{self, Asked, Options, Verb};
use crate::answer::{Caller, Reply};
use crate::error::{Error, Result};
use crate::model::duration;
use crate::model::task_state::Command;
use crate::services::change::Decision;
use crate::services::context::Mode;
use crate::services::{claim, transition};
use std::time::Duration;

/// `claim`
pub const CLAIM: Verb = Verb { command: "claim", kind: "task.claim" };
/// `renew`
pub const RENEW: Verb = Verb { command: "renew", kind: "task.renew" };
/// `submit`
pub const SUBMIT: Verb = Verb { command: "submit", kind: "task.submit" };
/// `release`
pub const RELEASE: Verb = Verb { command: "release", kind: "task.release" };

/// A step that ends a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// `done`
    Done,
    /// `fix`
    Fix,
}

/// A lease's time.
///
/// # Errors
/// `usage` for what is no time, and for less than a second.
pub fn ttl(text: Option<&str>) -> Result<Option<Duration>> {
    let ttl = text.map(duration::parse).transpose()?;
    if ttl.is_some_and(|ttl| ttl < Duration::from_secs(1)) {
        return Err(Error::usage("`--ttl` must be a second or more"));
    }
    Ok(ttl)
}

/// Runs a change from a request to its answer. `request` is what was asked, for
/// `--op-id`.
///
/// # Errors
/// What `decide` says, and those of the transaction.
pub fn answer<R: std::fmt::Debug>(
    caller: &Caller<'_>,
    verb: &Verb,
    options: Options,
    request: &R,
    decide: &dyn Fn(&Asked<'_>) -> Result<Decision>,
) -> Result<Reply> {
    let ctx = caller.context(Mode::Change)?;
    let change = change::asked(caller, &ctx, verb.command, options, request)?;
    change::run(caller, &ctx, verb, &change, decide)
}

/// Decides who gets which task; the best free one where none is named.
///
/// # Errors
/// As `services::claim`.
pub fn decide_claim(asked: &Asked<'_>, request: &claim::Request) -> Result<Decision> {
    let request = claim::Request { note: asked.note.map(str::to_owned), ..request.clone() };
    if request.ids.is_empty() {
        claim::claim_next(asked.ctx, asked.snapshot, asked.who, &request, asked.now)
    } else {
        claim::claim(asked.ctx, asked.snapshot, asked.who, &request, asked.now)
    }
}

/// Decides about a renewal.
///
/// # Errors
/// As `services::claim`.
pub fn decide_renew(asked: &Asked<'_>, request: &claim::Request) -> Result<Decision> {
    let request = claim::Request { note: asked.note.map(str::to_owned), ..request.clone() };
    claim::renew(asked.ctx, asked.snapshot, asked.who, &request, asked.now)
}

/// Decides about a step of the state machine.
///
/// # Errors
/// As `services::transition`.
pub fn decide_step(
    asked: &Asked<'_>,
    command: Command,
    request: &transition::Request,
) -> Result<Decision> {
    let request = transition::Request { note: asked.note.map(str::to_owned), ..request.clone() };
    transition::decide(asked.ctx, asked.snapshot, asked.who, command, &request, asked.now)
}

/// Decides about a submit with the next claim in the same operation.
///
/// # Errors
/// As `services::claim`.
pub fn decide_submit_and_claim(
    asked: &Asked<'_>,
    request: &transition::Request,
) -> Result<Decision> {
    let request = transition::Request { note: asked.note.map(str::to_owned), ..request.clone() };
    claim::submit_and_claim(asked.ctx, asked.snapshot, asked.who, &request, asked.now)
}

/// Which step a release is.
///
/// # Errors
/// `usage` where what must be answered is empty.
pub fn release_by(request: &transition::Request) -> Result<Command> {
    match request.needs_input.as_deref() {
        Some(text) if text.trim().is_empty() => {
            Err(Error::usage("`--needs-input` needs a text: what must be answered"))
        }
        Some(_) => Ok(Command::NeedsInput),
        None => Ok(Command::Release),
    }
}

/// `claim`
///
/// # Errors
/// As the command.
pub fn claim(caller: &Caller<'_>, options: Options, request: &claim::Request) -> Result<Reply> {
    answer(caller, &CLAIM, options, request, &|asked| decide_claim(asked, request))
}

/// `renew`
///
/// # Errors
/// As the command.
pub fn renew(caller: &Caller<'_>, options: Options, request: &claim::Request) -> Result<Reply> {
    answer(caller, &RENEW, options, request, &|asked| decide_renew(asked, request))
}

/// `submit`, with or without `--claim-next`
///
/// # Errors
/// As the command.
pub fn submit(
    caller: &Caller<'_>,
    options: Options,
    request: &transition::Request,
    claim_next: bool,
) -> Result<Reply> {
    if claim_next {
        return answer(caller, &SUBMIT, options, &("claim-next", request), &|asked| {
            decide_submit_and_claim(asked, request)
        });
    }
    answer(caller, &SUBMIT, options, request, &|asked| decide_step(asked, Command::Submit, request))
}

/// `release`
///
/// # Errors
/// As the command.
pub fn release(
    caller: &Caller<'_>,
    options: Options,
    request: &transition::Request,
) -> Result<Reply> {
    let command = release_by(request)?;
    answer(caller, &RELEASE, options, request, &|asked| decide_step(asked, command, request))
}

/// `done` and `fix`
///
/// # Errors
/// As the commands.
pub fn step(
    caller: &Caller<'_>,
    options: Options,
    request: &transition::Request,
    to: Move,
) -> Result<Reply> {
    let (verb, command) = match to {
        Move::Done => (Verb { command: "done", kind: "task.done" }, Command::Done),
        Move::Fix => (Verb { command: "fix", kind: "task.fix" }, Command::Fix),
    };
    answer(caller, &verb, options, request, &|asked| decide_step(asked, command, request))
}
