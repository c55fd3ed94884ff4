//! Where the calls of a session are worked on, and how many at a time.
//!
//! ```text
//!   call ─▶ read    a few at a time ─────────────────┐
//!        ─▶ change  one after the other ─────────────┼─▶ a thread ─▶ answer ─▶ reply
//!        ─▶ long    one after the other, in its own ─┘
//!                   row: it takes the ledger's lock
//!                   only at its end
//! ```
//!
//! Here: who asks (pinned when the server starts), and the queues. Not here: what
//! is answered (`answer`), the protocol (`handler`). Invariants: a change that has
//! begun is finished, whatever becomes of whoever asked for it; none begins once
//! the session is over; a call that panics is answered.

use crate::answer::{self, Caller};
use crate::error::{Error, ErrorKind, Result};
use crate::mcp::streams::Event;
use crate::services::context::{Identity, Mode};
use crate::store::layout::Layout;
use crate::sys::Sys;
use serde_json::Value;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// How many readers work at a time.
const READERS: u32 = 4;
/// Threads: readers, a change, a long one, a look, and one for each stream.
pub(super) const THREADS: usize = READERS as usize + 5;

/// How a call is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// Beside others.
    Read,
    /// After others: so many callers would else wait for the ledger's lock that
    /// some would wait too long.
    Change,
    /// It may take minutes before it changes anything.
    Long,
}

/// What a session works with.
pub(super) struct Desk {
    sys: Sys,
    layout: Layout,
    dir: Option<PathBuf>,
    actor: Option<String>,
    who: Identity,
    changes: Arc<Mutex<()>>,
    long: Arc<Mutex<()>>,
    readers: Arc<Semaphore>,
    /// The client says nothing more.
    pub(super) ended: Arc<Event>,
    /// The session is over.
    pub(super) over: Arc<Event>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("who", &self.who).finish_non_exhaustive()
    }
}

impl Desk {
    /// Opens the workspace, and keeps to it and to the actor from then on.
    ///
    /// # Errors
    /// `not_found` where there is no workspace; bad settings and actors.
    pub(super) fn open(sys: &Sys, dir: Option<PathBuf>, actor: Option<String>) -> Result<Self> {
        let caller = Caller { sys, dir: dir.as_deref(), actor: actor.as_deref(), is_pinned: true };
        let ctx = caller.context(Mode::Change)?;
        let who = ctx.identity(caller.actor)?;
        let root = ctx.layout.root.clone();
        let here = sys.env.current_dir().unwrap_or_else(|_| root.clone());
        Ok(Self {
            sys: sys.serving(&root, &here),
            layout: ctx.layout,
            // Where it was typed, printed commands repeat it.
            dir: dir.map(|_| root),
            actor,
            who,
            changes: Arc::default(),
            long: Arc::default(),
            readers: Arc::new(Semaphore::new(READERS as usize)),
            ended: Arc::default(),
            over: Arc::default(),
        })
    }

    /// Who asks.
    pub(super) fn caller(&self) -> Caller<'_> {
        Caller {
            sys: &self.sys,
            dir: self.dir.as_deref(),
            actor: self.actor.as_deref(),
            is_pinned: true,
        }
    }

    /// Where everything is.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The actor of every call.
    pub(super) fn who(&self) -> &Identity {
        &self.who
    }

    /// How often to look whether files changed unheard.
    pub(super) fn poll(&self) -> Duration {
        let ctx = self.caller().context(Mode::Read);
        ctx.map_or(Duration::from_secs(2), |ctx| ctx.settings.watch.poll)
    }

    /// Another actor in orch.yaml is another person: calls of this session would
    /// be theirs without anybody having said so.
    fn is_still_me(&self) -> Result<()> {
        let now = self.caller().context(Mode::Read)?.identity(self.actor.as_deref())?;
        if now.actor == self.who.actor {
            return Ok(());
        }
        Err(Error::not_allowed(format!(
            "this server acts as `{}`, and the settings now name `{}`; start it anew",
            self.who.actor, now.actor
        ))
        .hint("orch config"))
    }

    /// Works on a call: the object of its answer, or that of its refusal. It may be
    /// given up until it begins.
    pub(super) async fn work(
        self: &Arc<Self>,
        door: Door,
        help: &'static str,
        given_up: impl Future<Output = ()>,
        call: impl FnOnce(&Self) -> Result<Value> + Send + 'static,
    ) -> Result<Value, Refused> {
        let refused = |error| Err(self.refused(error, help));
        let turn = tokio::select! {
            biased;
            () = given_up => None,
            turn = self.turn(door) => turn,
        };
        let Some(turn) = turn.filter(|_| !self.over.is_over()) else {
            let message = "the call was given up before it began; nothing was changed";
            return refused(Error::new(ErrorKind::Busy, message));
        };
        let desk = self.clone();
        // The turn is over when the call is, whoever still waits for it.
        let worked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            desk.is_still_me()?;
            call(&desk)
        });
        match worked.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => refused(error),
            Err(_) => refused(Error::new(
                ErrorKind::Failed,
                "this call met a bug in the server; look at the task before you repeat it",
            )),
        }
    }

    async fn turn(&self, door: Door) -> Option<Turn> {
        Some(match door {
            Door::Read => Turn::Beside(self.readers.clone().acquire_owned().await.ok()?),
            Door::Change => Turn::After(self.changes.clone().lock_owned().await),
            Door::Long => Turn::After(self.long.clone().lock_owned().await),
        })
    }

    /// A refusal as the client gets it.
    pub(super) fn refused(&self, error: Error, help: &str) -> Refused {
        let mut error = self.caller().refusal(error, help);
        // Nobody here set the variable by which the session keeps to its workspace.
        let named = ", which `$ORCH_ROOT` names";
        if error.message.contains(named) {
            error.message = error.message.replace(named, ", the workspace of this session");
            error.hint = None;
        }
        Refused { kind: error.kind, object: answer::error(&error) }
    }

    /// Ends: what has begun is waited for, what has not is refused.
    pub(super) async fn close(&self) {
        self.over.ring();
        let _ = self.changes.lock().await;
        let _ = self.long.lock().await;
        let _ = self.readers.acquire_many(READERS).await;
    }
}

/// The right to work, which ends where it is dropped.
#[allow(dead_code, reason = "held, never looked at")]
enum Turn {
    Beside(OwnedSemaphorePermit),
    After(OwnedMutexGuard<()>),
}

/// A call that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// The class of the error.
    pub(super) kind: ErrorKind,
    /// The object of `--json`.
    pub(super) object: Value,
}

impl Refused {
    /// What happened, in words.
    pub(super) fn message(&self) -> String {
        self.object.pointer("/error/message").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
