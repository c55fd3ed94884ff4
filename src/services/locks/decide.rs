//! What a caller may do to named locks.
//!
//! Pure: files as read, pasts, a request and the present in, writes out. The
//! order of the questions is CONTRACT's: a file that cannot be used, not
//! allowed, held, lost.

use crate::error::{Error, ErrorKind, Result};
use crate::model::actor::Role;
use crate::model::lock::{Hold, HoldEnd, Lock, LockPast, LockRow, LockStatus};
use crate::model::lock_name::LockName;
use crate::model::time::Timestamp;
use crate::services::context::Identity;
use crate::store::entry::LockChange;
use crate::store::named_locks::{LockFile, LockWrite};
use std::time::Duration;

/// What is done to locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Take them, all or none.
    Acquire,
    /// Keep them.
    Renew,
    /// Give them back.
    Release,
}

impl Verb {
    /// As the journal spells it.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Acquire => "lock acquire",
            Self::Renew => "lock renew",
            Self::Release => "lock release",
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which names; each counts once.
    pub names: Vec<LockName>,
    /// `--ttl`
    pub ttl: Option<Duration>,
    /// `--token`
    pub token: Option<u64>,
}

/// What a decision looks at.
pub struct Facts<'f> {
    /// The caller.
    pub who: &'f Identity,
    /// Every file of a lock.
    pub files: &'f [LockFile],
    /// What the journal tells of a name.
    pub past: &'f dyn Fn(&LockName) -> LockPast,
    /// The largest token known here.
    pub largest_token: u64,
    /// `leases.ttl`
    pub ttl: Duration,
    /// `leases.grace`
    pub grace: Duration,
    /// The host and process that ask.
    pub from: (String, u32),
    /// The present.
    pub now: Timestamp,
}

impl std::fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// What happens to files; empty where the effect holds already.
    pub writes: Vec<LockWrite>,
    /// The same for the journal.
    pub changes: Vec<LockChange>,
    /// The token given or used.
    pub token: Option<u64>,
    /// The locks asked for, as they then are.
    pub rows: Vec<LockRow>,
}

/// Decides.
///
/// # Errors
/// The first of `ledger_invalid`, `not_allowed`, `held`, `lease_lost` that
/// applies.
pub fn decide(facts: &Facts<'_>, verb: Verb, request: &Request) -> Result<Decision> {
    let mut decision = Decision::default();
    match verb {
        Verb::Acquire => acquire(facts, request, &mut decision)?,
        Verb::Renew => {
            for name in &request.names {
                renew(facts, name, request, &mut decision)?;
            }
        }
        Verb::Release => {
            for name in &request.names {
                release(facts, name, request.token, &mut decision)?;
            }
        }
    }
    Ok(decision)
}

impl Facts<'_> {
    fn file(&self, name: &LockName) -> Option<&LockFile> {
        self.files.iter().find(|file| file.is_of(name))
    }

    fn is_live(&self, lock: &Lock) -> bool {
        lock.status(self.now, self.grace) != LockStatus::Expired
    }

    fn row(&self, lock: Lock, file: &str) -> LockRow {
        LockRow {
            name: Some(lock.name.clone()),
            file: file.to_owned(),
            status: lock.status(self.now, self.grace),
            lock: Some(lock),
        }
    }
}

fn acquire(facts: &Facts<'_>, request: &Request, decision: &mut Decision) -> Result<()> {
    let wanted = &request.names;
    let conflicting = |name: &LockName| {
        let name = name.clone();
        facts.files.iter().filter(move |file| file.is_in_the_way_of(&name))
    };
    if let Some(file) = wanted.iter().flat_map(conflicting).find(|file| file.lock.is_none()) {
        return Err(unreadable(file));
    }
    let mut mine = Vec::new();
    for name in wanted {
        if let Some(token) = request.token
            && is_lost(facts, name, token)
        {
            return Err(lost_token(name, token));
        }
        for file in conflicting(name) {
            let Some(lock) = file.lock.as_ref().filter(|lock| facts.is_live(lock)) else {
                continue;
            };
            let same = lock.name == name.as_str();
            if same && lock.is_held_by(&facts.who.actor) && request.token == Some(lock.token) {
                mine.push(facts.row(lock.clone(), &file.file));
            } else {
                return Err(held(facts, name, lock));
            }
        }
    }
    if mine.len() == wanted.len() {
        decision.token = request.token;
        decision.rows = mine;
        return Ok(());
    }
    if let Some(LockRow { lock: Some(lock), .. }) = mine.first() {
        // Half a hold under an old token and half under a new one is neither.
        let name = LockName::canonical(&lock.name);
        return Err(held(facts, name.as_ref().unwrap_or(&wanted[0]), lock));
    }
    let token = next_token(facts)?;
    decision.token = Some(token);
    let ttl = request.ttl.unwrap_or(facts.ttl);
    for file in facts.files {
        let Some(lock) = &file.lock else { continue };
        let is_wanted = wanted.iter().any(|name| name.as_str() == lock.name);
        if !is_wanted && wanted.iter().any(|name| file.is_in_the_way_of(name)) {
            // Expired, and covered by a new lock: else its holder could still
            // renew it beside the new one.
            decision.writes.push(LockWrite::Remove(lock.name.clone()));
            decision.changes.push(LockChange {
                name: lock.name.clone(),
                taken_from: taken_from(lock, facts.who),
                ..LockChange::default()
            });
        }
    }
    for name in wanted {
        let before = facts.file(name).and_then(|file| file.lock.as_ref());
        let lock = Lock {
            name: name.as_str().to_owned(),
            owner: facts.who.actor.as_str().to_owned(),
            token,
            acquired: facts.now.whole_seconds(),
            expires_at: facts.now.plus(ttl).ceil_seconds(),
            ttl,
            host: facts.from.0.clone(),
            pid: facts.from.1,
        };
        decision.changes.push(LockChange {
            taken_from: before.and_then(|lock| taken_from(lock, facts.who)),
            ..held_now(&lock)
        });
        decision.rows.push(facts.row(lock.clone(), ""));
        decision.writes.push(LockWrite::Put(lock));
    }
    Ok(())
}

fn held_now(lock: &Lock) -> LockChange {
    LockChange {
        name: lock.name.clone(),
        owner: Some(lock.owner.clone()),
        expires_at: Some(lock.expires_at.to_string()),
        taken_from: None,
    }
}

fn taken_from(lock: &Lock, who: &Identity) -> Option<String> {
    (!lock.is_held_by(&who.actor)).then(|| lock.owner.clone())
}

/// Above every token known here; milliseconds since 1970 keep it growing where
/// journals and runtime files were lost.
fn next_token(facts: &Facts<'_>) -> Result<u64> {
    let clock = u64::try_from(facts.now.0).unwrap_or(0);
    let above = facts.largest_token.checked_add(1);
    above.map(|token| token.max(clock)).ok_or_else(|| {
        Error::invalid("the largest token known here is the largest number there is")
            .hint("orch doctor")
    })
}

/// Whether a token was given for a hold of this name that somebody else ended.
fn is_lost(facts: &Facts<'_>, name: &LockName, token: u64) -> bool {
    match facts.file(name).and_then(|file| file.lock.as_ref()) {
        Some(lock) => lock.token != token,
        None => (facts.past)(name)
            .of_token(token)
            .is_none_or(|hold| hold.end != Some(HoldEnd::ByHolder)),
    }
}

fn renew(
    facts: &Facts<'_>,
    name: &LockName,
    request: &Request,
    decision: &mut Decision,
) -> Result<()> {
    let Some(file) = facts.file(name) else {
        return Err(gone(facts, name, request.token).unwrap_or_else(|| nobody(name)));
    };
    let lock = file.lock.as_ref().ok_or_else(|| unreadable(file))?;
    standing(facts, name, lock, request.token)?;
    let ttl = request.ttl.unwrap_or(lock.ttl);
    let expires_at = facts.now.plus(ttl).ceil_seconds().max(lock.expires_at);
    decision.token = decision.token.or(Some(lock.token));
    let new = Lock { expires_at, ttl, ..lock.clone() };
    if new.expires_at != lock.expires_at {
        decision.changes.push(held_now(&new));
        decision.writes.push(LockWrite::Put(new.clone()));
    }
    decision.rows.push(facts.row(new, &file.file));
    Ok(())
}

fn release(
    facts: &Facts<'_>,
    name: &LockName,
    token: Option<u64>,
    decision: &mut Decision,
) -> Result<()> {
    let directs = facts.who.actor.role() == Role::Cmd || facts.who.solo;
    let free = || LockRow {
        name: Some(name.as_str().to_owned()),
        file: String::new(),
        lock: None,
        status: LockStatus::Free,
    };
    let Some(file) = facts.file(name) else {
        let past = (facts.past)(name);
        let by_me = |hold: &Hold| {
            hold.end == Some(HoldEnd::ByHolder)
                && hold.owner.eq_ignore_ascii_case(facts.who.actor.as_str())
                && token.is_none_or(|token| hold.token == Some(token))
        };
        let by_cmd = directs && token.is_none() && past.last().is_some_and(|h| h.end.is_some());
        if by_cmd || past.last().is_some_and(by_me) {
            decision.rows.push(free());
            return Ok(());
        }
        return Err(gone(facts, name, token).unwrap_or_else(|| nobody(name)));
    };
    let Some(lock) = &file.lock else {
        if !directs {
            return Err(unreadable(file));
        }
        // Somebody must be able to, and who directs answers for it.
        decision.writes.push(LockWrite::Remove(name.as_str().to_owned()));
        decision
            .changes
            .push(LockChange { name: name.as_str().to_owned(), ..LockChange::default() });
        decision.rows.push(free());
        return Ok(());
    };
    // A token that is given must be the lock's: whoever lost a lock must not
    // give back the next holder's, whatever the role.
    let anybody = token.is_none() && (directs || !facts.is_live(lock));
    if !anybody {
        standing(facts, name, lock, token)?;
    }
    decision.token = decision.token.or(Some(lock.token));
    decision.writes.push(LockWrite::Remove(lock.name.clone()));
    decision.changes.push(LockChange {
        name: lock.name.clone(),
        taken_from: taken_from(lock, facts.who),
        ..LockChange::default()
    });
    decision.rows.push(free());
    Ok(())
}

/// Makes sure that the caller holds a lock.
///
/// # Errors
/// `held` where somebody else does, `lease_lost` where the caller or the token
/// did once, or where a token is needed.
fn standing(facts: &Facts<'_>, name: &LockName, lock: &Lock, token: Option<u64>) -> Result<()> {
    let actor = &facts.who.actor;
    let mine = lock.is_held_by(actor);
    if let Some(token) = token {
        if token != lock.token {
            return Err(lost_token(name, token));
        }
        return if mine { Ok(()) } else { Err(held(facts, name, lock)) };
    }
    let past = (facts.past)(name);
    if !mine {
        let lost = past.last_of(actor).is_some_and(|hold| hold.end == Some(HoldEnd::Lost));
        return Err(if lost { lost_by(facts, name) } else { held(facts, name, lock) });
    }
    let why = if actor.is_bare() {
        "a bare role"
    } else if past.has_lost(actor) {
        "an actor that lost an earlier hold of this lock"
    } else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::LeaseLost,
        format!(
            "`{name}` is held by `{actor}`, and {why} must give the lock's token with `--token`"
        ),
    )
    .hint("orch lock list"))
}

/// What to say of a name without a file: lost where the caller or the token
/// had it and did not give it back.
fn gone(facts: &Facts<'_>, name: &LockName, token: Option<u64>) -> Option<Error> {
    if let Some(token) = token {
        return is_lost(facts, name, token).then(|| lost_token(name, token));
    }
    let past = (facts.past)(name);
    let last = past.last_of(&facts.who.actor)?;
    (last.end != Some(HoldEnd::ByHolder)).then(|| lost_by(facts, name))
}

fn lost_token(name: &LockName, token: u64) -> Error {
    let message = format!(
        "the hold of `{name}` with token {token} is gone: it was taken over, released or removed"
    );
    Error::new(ErrorKind::LeaseLost, message).hint("orch lock list")
}

fn lost_by(facts: &Facts<'_>, name: &LockName) -> Error {
    let message = format!(
        "`{}` no longer holds `{name}`: it was taken over, released or removed",
        facts.who.actor
    );
    Error::new(ErrorKind::LeaseLost, message).hint("orch lock list")
}

fn nobody(name: &LockName) -> Error {
    Error::not_allowed(format!("nobody holds `{name}`")).hint("orch lock list")
}

fn unreadable(file: &LockFile) -> Error {
    let message = format!(
        "`{}` cannot be read as a lock, so it counts as held; CMD may release it",
        file.file
    );
    Error::invalid(message).hint("orch lock list")
}

fn held(facts: &Facts<'_>, name: &LockName, lock: &Lock) -> Error {
    let what = if lock.name == name.as_str() {
        format!("`{name}` is")
    } else {
        format!("`{name}` overlaps `{}`, which is", lock.name)
    };
    let who = if lock.is_held_by(&facts.who.actor) {
        format!("you (`{}`) already,", lock.owner)
    } else {
        format!("`{}`", lock.owner)
    };
    let message = format!("{what} held by {who} until {}", lock.expires_at);
    Error::new(ErrorKind::Held, message).hint("orch lock list")
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
