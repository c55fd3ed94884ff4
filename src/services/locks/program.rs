//! A program under named locks: take them, run it, keep them, give them back.
//!
//! Here: what is done while the program lives. Not here: who may hold what
//! (`decide`), starting and ending programs (`sys::process`). Invariant: the
//! ledger's lock is never held while a program starts or runs, and a program
//! whose lock was lost is ended before we are.
//!
//! ```text
//!   acquire ──▶ spawn ──▶ every second: is the lock still ours? ──▶ it ends ──▶ release
//!                            │      every third of the TTL: renew
//!                            └─ no ──▶ SIGTERM ──▶ 5 s ──▶ SIGKILL ──▶ lease_lost
//! ```

use crate::error::{Error, ErrorKind, Result};
use crate::model::lock_name::LockName;
use crate::model::outcome::Grant;
use crate::model::time::Timestamp;
use crate::services::change::Change;
use crate::services::context::{Context, Identity};
use crate::services::locks::{self, Request, Verb};
use crate::store::named_locks;
use crate::sys::{Caught, Child, Ended, Signal};
use serde_json::Value;
use std::cell::RefCell;
use std::time::Duration;

/// How often the files of the locks are looked at: a lock that CMD releases or
/// somebody removes is noticed long before the next renewal.
const LOOK: Duration = Duration::from_secs(1);

/// How long a program has to end by itself.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// Locks that are held for a program.
#[derive(Debug)]
pub struct Guard<'g> {
    ctx: &'g Context,
    who: &'g Identity,
    request: Request,
    grant: Grant,
}

impl<'g> Guard<'g> {
    /// Takes the locks, waiting up to `wait`.
    ///
    /// # Errors
    /// As [`locks::run`]; `failed` where `is_stopped` says so meanwhile.
    pub fn acquire(
        ctx: &'g Context,
        who: &'g Identity,
        request: &Request,
        note: Option<&str>,
        wait: Duration,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let attempt = || act(ctx, who, Verb::Acquire, request, note);
        let grant = locks::waiting(ctx, who, request, wait, is_stopped, &attempt)?;
        let grant = grant.ok_or_else(|| Error::new(ErrorKind::Failed, "no lock was given"))?;
        Ok(Self { ctx, who, request: Request { token: grant.token, ..request.clone() }, grant })
    }

    /// The token of the hold.
    pub fn token(&self) -> u64 {
        self.grant.token.unwrap_or(0)
    }

    /// Keeps the locks while a program lives, and passes signals on to it.
    ///
    /// # Errors
    /// `lease_lost` where a lock was lost: the program has ended then.
    pub fn keep(
        &mut self,
        child: &mut dyn Child,
        leads: bool,
        caught: &dyn Caught,
    ) -> Result<Ended> {
        let clock = &self.ctx.sys.clock;
        let ttl = Duration::from_secs(self.grant.ttl_secs);
        let third = ttl / 3;
        let mut since = Duration::ZERO;
        loop {
            let before = clock.now_ms();
            let step = third.saturating_sub(since).min(LOOK).max(Duration::from_millis(1));
            let waited = child.wait(step);
            let failed =
                |e| Error::new(ErrorKind::Failed, format!("cannot wait for the program: {e}"));
            if let Some(ended) = waited.map_err(failed)? {
                return Ok(ended);
            }
            for signal in caught.take() {
                // Ctrl-C reached a program of our own group already.
                if leads || signal != Signal::Interrupt {
                    let _ = child.signal(signal);
                }
            }
            // A clock that stands still or jumps back must not keep us from
            // renewing.
            let passed = u64::try_from(clock.now_ms().saturating_sub(before)).unwrap_or(0);
            since += if passed == 0 { step } else { Duration::from_millis(passed) };
            let mut lost = self.lost();
            if lost.is_none() && since >= third {
                match act(self.ctx, self.who, Verb::Renew, &self.request, None) {
                    Ok(grant) => {
                        self.grant = grant.unwrap_or_else(|| self.grant.clone());
                        since = Duration::ZERO;
                    }
                    Err(error) if is_loss(&error) => lost = Some(error),
                    Err(error) if Timestamp(clock.now_ms()) >= self.grant.expires_at => {
                        // From here on it is only the grace that keeps others
                        // away; it is there for the program to end in.
                        let message = format!("the lock ran out, unrenewed: {}", error.message);
                        lost = Some(Error::new(ErrorKind::LeaseLost, message));
                    }
                    Err(_) => since = third.saturating_sub((third / 4).min(LOOK)),
                }
            }
            if let Some(error) = lost {
                end(child)?;
                return Err(error);
            }
        }
    }

    /// Gives the locks back; where one was lost, the others.
    ///
    /// # Errors
    /// `lease_lost` where one was lost before: the program may have run beside
    /// another holder's.
    pub fn release(&self) -> Result<()> {
        let give_back = |request: &Request| act(self.ctx, self.who, Verb::Release, request, None);
        let Err(error) = give_back(&self.request) else { return Ok(()) };
        if is_loss(&error) && self.request.names.len() > 1 {
            for name in &self.request.names {
                let names = vec![name.clone()];
                let _ = give_back(&Request { names, ..self.request.clone() });
            }
        }
        Err(error)
    }

    /// Whether a file says, or lacks, that a lock is ours. One that cannot be
    /// read is nobody else's: renewing tells what to do about it.
    fn lost(&self) -> Option<Error> {
        self.request.names.iter().find_map(|name| {
            let file = named_locks::read(&self.ctx.sys, &self.ctx.layout, name).ok()?;
            let token = file.map(|file| file.lock.map(|lock| lock.token));
            let is_ours = match token {
                None => false,
                Some(None) => true,
                Some(token) => token == self.grant.token,
            };
            (!is_ours).then(|| lost(name, self.token()))
        })
    }
}

fn lost(name: &LockName, token: u64) -> Error {
    let message = format!(
        "the hold of `{name}` with token {token} is gone: it was taken over, released or removed"
    );
    Error::new(ErrorKind::LeaseLost, message).hint("orch lock list")
}

/// Whether an error of a renewal or release says that the lock is not ours.
pub fn is_loss(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::LeaseLost | ErrorKind::Held | ErrorKind::NotAllowed)
}

/// Ends a program: asks, waits a little, and then does not ask.
fn end(child: &mut dyn Child) -> Result<()> {
    let failed = |e| Error::new(ErrorKind::Failed, format!("cannot end the program: {e}"));
    child.signal(Signal::Terminate).map_err(failed)?;
    let mut left = KILL_AFTER;
    let step = Duration::from_millis(100);
    while !left.is_zero() {
        if child.wait(step).map_err(failed)?.is_some() {
            return Ok(());
        }
        left = left.saturating_sub(step);
    }
    child.signal(Signal::Kill).map_err(failed)?;
    while child.wait(LOOK).map_err(failed)?.is_none() {}
    Ok(())
}

fn act(
    ctx: &Context,
    who: &Identity,
    verb: Verb,
    request: &Request,
    note: Option<&str>,
) -> Result<Option<Grant>> {
    let change = Change {
        command: verb.command(),
        who: who.clone(),
        note: note.map(str::to_owned),
        dry_run: false,
        op_id: None,
    };
    let grant = RefCell::new(None);
    locks::run(ctx, &change, verb, request, &|report| {
        grant.borrow_mut().clone_from(&report.lease);
        Value::Null
    })?;
    Ok(grant.into_inner())
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
