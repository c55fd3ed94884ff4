//! Hearing of files, signals, ended runs and whoever could not be told.
//!
//! Not here: what follows from it. Invariant: nobody who makes noise all the time
//! keeps the loop from going on.

use super::Dispatcher;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::{Heard, Signal};
use crate::watch::event::{Event, Kind};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// What wakes the loop.
#[derive(Debug)]
pub(super) enum Wake {
    /// Files changed, or may have.
    Files,
    /// Nothing is heard of files any more.
    Deaf,
    /// The keeper of a run ended.
    Ended(u64),
    /// A signal reached us.
    Signal(Signal),
    /// Somebody who is to be told of alerts cannot be, or was not.
    Untold(String),
}

/// What was heard at once.
#[derive(Debug, Default)]
pub(super) struct HeardSo {
    pub files: bool,
    pub ended: Vec<u64>,
}

/// How long the rest of a burst of file events is waited for: editors write in
/// several steps.
pub(super) const SETTLE: Duration = Duration::from_millis(10);
/// The most events that are taken at once.
const BURST: u32 = 64;

impl Dispatcher<'_> {
    /// Hears of files, signals and ended runs.
    pub(super) fn listen(&mut self) -> Result<()> {
        let wake = self.wakes.0.clone();
        let signals = self.sys.process.on_signal(Box::new(move |signal| {
            let _ = wake.send(Wake::Signal(signal));
        }));
        signals.map_err(|e| {
            Error::new(ErrorKind::Failed, format!("cannot listen for signals: {e}"))
        })?;
        self.listen_to_files();
        Ok(())
    }

    pub(super) fn listen_to_files(&mut self) {
        let wake = self.wakes.0.clone();
        let layout = &self.ctx.layout;
        let dirs = [layout.orch_dir(), layout.state_dir()];
        let heard = Box::new(move |heard: Heard| {
            let _ = wake.send(match heard {
                Heard::Changed(_) => Wake::Files,
                Heard::Lost => Wake::Deaf,
            });
        });
        let listening = self.sys.events.watch(&dirs, heard);
        self.hears = listening.is_ok();
        self.listening = listening.ok();
    }

    /// Waits, and takes everything that came.
    pub(super) fn hear(&mut self, at_most: Duration) -> HeardSo {
        let mut so = HeardSo::default();
        let mut wait = at_most;
        let mut heard = 0;
        loop {
            // Somebody who writes all the time must not keep us from looking.
            if heard > BURST {
                return so;
            }
            heard += 1;
            match self.wakes.1.recv_timeout(wait) {
                Ok(Wake::Files) => {
                    so.files = true;
                    wait = SETTLE;
                }
                Ok(Wake::Deaf) => {
                    self.listen_to_files();
                    so.files = true;
                    wait = SETTLE;
                }
                Ok(Wake::Untold(message)) => {
                    self.tell(Event { kind: Kind::Trouble, message, ..Event::default() });
                    wait = Duration::ZERO;
                }
                Ok(Wake::Ended(token)) => {
                    so.ended.push(token);
                    wait = Duration::ZERO;
                }
                Ok(Wake::Signal(signal)) => {
                    self.signalled(signal);
                    so.files = true;
                    wait = Duration::ZERO;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return so,
            }
        }
    }
}
