//! Looking at the ledger, the settings and the clock, and what follows from it.
//!
//! Invariant: a look writes nothing.

use super::ends::{LAST_WORDS, Phase};
use super::going::Going;
use super::turns::Turns;
use super::{Dispatcher, LONGEST, start};
use crate::error::{ErrorKind, Result};
use crate::ledger::tasks::RowId;
use crate::model::actor::Actor;
use crate::model::field::TaskField;
use crate::model::task::Expiry;
use crate::model::time::Timestamp;
use crate::services::context::{Context, Identity, Mode};
use crate::services::queue;
use crate::services::runs::{self, Free, Hold};
use crate::store::checkpoint::Checkpoint;
use crate::store::snapshot::{Files, Snapshot, Want};
use crate::sys::Stat;
use crate::watch::event::{Event, Kind};
use crate::watch::monitor::Found;
use crate::watch::plan::{self, Plan, View};
use std::collections::HashSet;
use std::time::Duration;

/// What the file system says of the files that matter: equal ones need no look.
pub(super) type Marks = [Option<Stat>; 4];

/// What a look shows.
pub(super) struct Look {
    pub plan: Plan,
    pub found: Found,
    pub turns: Turns,
    /// Whether somebody began a change and did not complete it.
    pub unfinished: bool,
}

/// Where file events are heard, files are looked at so often all the same.
const HEARING: u32 = 5;
/// How often a run of another watch is looked at, which may have died; oftener
/// where its lease would end before that.
const OTHERS: Duration = Duration::from_secs(2);
/// How long a row may be missing, or stand twice, before its run is ended.
const UNCLEAR: Duration = Duration::from_secs(1);

impl Dispatcher<'_> {
    /// Whether to look: something happened, or the time has come. Costs the status
    /// of four files.
    pub(super) fn is_time_to_look(&mut self, files: bool) -> bool {
        let now = self.sys.clock.boot_ms();
        let due = self.dirty || self.look_at_ms <= now;
        if files || due || self.poll_at_ms <= now {
            let poll = self.ctx.settings.watch.poll;
            let poll = if self.hears { poll.saturating_mul(HEARING) } else { poll };
            self.poll_at_ms = self.after(poll);
            let marks = self.marks();
            if due || self.seen.as_ref() != Some(&marks) {
                self.seen = Some(marks);
                self.dirty = false;
                return true;
            }
        }
        false
    }

    fn marks(&self) -> Marks {
        let layout = &self.ctx.layout;
        let flags = layout.flags(&*self.sys.fs);
        [layout.tasks(), layout.approvals(), flags, layout.settings()]
            .map(|path| self.sys.fs.stat(&path).ok())
    }

    /// How long nothing happens by itself that this loop must do.
    pub(super) fn until_next(&self) -> Duration {
        let now = self.sys.clock.boot_ms();
        let mut next = self.look_at_ms.min(self.poll_at_ms);
        for going in self.runs.values() {
            next = next.min(going.settle_at_ms.unwrap_or(i64::MAX));
            if !going.ended {
                next = next.min(going.must_end_ms);
                if going.stop.is_none() {
                    next = next.min(going.leave_at_ms.unwrap_or(i64::MAX));
                }
            }
            if going.stop.is_some() && !going.told && !going.ended {
                next = next.min(now + 20);
            }
        }
        if let Phase::Draining(at) = self.phase {
            let asked = self.runs.values().all(|going| going.stop.is_some() || going.ended);
            next = next.min(if asked { at + start::ms(LAST_WORDS) } else { at });
        }
        let left = u64::try_from(next.saturating_sub(now)).unwrap_or(0);
        Duration::from_millis(left).min(LONGEST)
    }

    /// Reads everything and plans. With `explain` every task that waits is named.
    pub(super) fn look(&mut self, explain: bool) -> Result<Look> {
        self.refresh()?;
        let ctx = &self.ctx;
        let files = Files::read(&self.sys, &ctx.layout, Want::All)?;
        let mut snapshot = Snapshot::parse(&self.sys, &ctx.layout, &files)?;
        runs::notice(ctx, &files, &mut snapshot)?;
        let now = self.now(snapshot.journal()?.newest());
        // A change that stands and is not in the journal yet, such as our own claim,
        // says nothing of who holds what: it is completed first.
        let unfinished = files.unfinished;
        let known = |going: &&mut Going| going.runner.is_some() && !unfinished;
        // Then it is clear: what is still missing is gone.
        let mut unclear_for = LONGEST;
        for going in self.runs.values_mut().filter(known) {
            let hold = runs::hold(ctx, &snapshot, &going.who)?;
            // A row that is cut off while its editor saves comes back.
            let since = match hold {
                Hold::Unclear => *going.unclear_since_ms.get_or_insert(now.boot_ms),
                Hold::Own | Hold::ByItself | Hold::Gone => {
                    going.unclear_since_ms = None;
                    now.boot_ms
                }
            };
            let left = since.saturating_add(start::ms(UNCLEAR)).saturating_sub(now.boot_ms);
            let may_come_back = hold == Hold::Unclear && left > 0;
            going.is_held = hold == Hold::Own || may_come_back;
            if may_come_back {
                let left = u64::try_from(left).unwrap_or(0);
                unclear_for = unclear_for.min(Duration::from_millis(left));
            }
            if hold == Hold::ByItself && going.leave_at_ms.is_none() {
                // It is believed, and may come to its end.
                let grace = going.runner.as_ref().map_or(Duration::ZERO, |runner| runner.grace);
                going.leave_at_ms = Some(now.boot_ms.saturating_add(start::ms(grace)));
            }
        }
        let open = self.phase == Phase::Open;
        let free = if open { runs::free(ctx, &snapshot, now.wall)? } else { Vec::new() };
        let running = runs::running(&snapshot)?;
        let mut tokens: Vec<u64> = running.iter().map(|(_, token)| *token).collect();
        tokens.extend(
            runs::going_on(ctx)?.iter().map(|(_, token)| *token).filter(|token| *token != 0),
        );
        let frozen = ctx.flags_in_force(snapshot.flags).freeze;
        let turns = if open && !frozen { self.turns() } else { Turns::default() };
        if frozen {
            self.freeze_turns();
        }
        let mut due = self.queued.clone();
        if explain {
            due.extend(turns.due());
        }
        let ctx = &self.ctx;
        let journal = snapshot.journal()?;
        let view = View {
            free: &free,
            attempts: &|task| journal.attempts(task),
            running: &tokens,
            due: &due,
            next_expiry: next_expiry(ctx, &snapshot, now.wall),
            has_expired: queue::expired(ctx, &snapshot, now.wall).any(|row| once(&snapshot, row)),
            frozen,
        };
        let going: Vec<plan::Run> = self.runs.iter().map(|(key, g)| g.view(*key)).collect();
        let paused = self
            .failing
            .iter()
            .filter_map(|(runner, (_, until))| Some((runner.clone(), (*until)?)))
            .collect();
        let watch = &ctx.settings.watch;
        let mut plan = plan::plan(&view, &going, watch, &paused, self.mode(), now, explain);
        if explain {
            plan.waiting.extend(unmatched(ctx, &snapshot, &free, now.wall)?);
        }
        let mut sleep = plan.sleep.unwrap_or(LONGEST);
        if let Some(next) = turns.next {
            let left = u64::try_from(next.since(now.wall)).unwrap_or(0);
            sleep = sleep.min(Duration::from_millis(left));
        }
        let is_others = |(_, token): &(String, u64)| !self.runs.contains_key(token);
        self.others = running.into_iter().filter(is_others).collect();
        if !self.others.is_empty() {
            let ttl = ctx.settings.leases.ttl / 6;
            sleep = sleep.min(OTHERS).min(ttl.max(Duration::from_millis(200)));
        }
        plan.sleep = Some(sleep.min(unclear_for));
        let found = self.found(&snapshot, now.wall);
        self.show_figures(&snapshot, now.wall);
        Ok(Look { plan, found, turns, unfinished })
    }

    /// Reads the settings anew. Where they cannot be used the old ones stay, and
    /// that is told once.
    fn refresh(&mut self) -> Result<()> {
        match Context::open(&self.outside, self.dir.clone(), Mode::Change) {
            Ok(ctx) => {
                if ctx.written != self.ctx.written || self.broken.take().is_some() {
                    self.failing.clear();
                    self.notifier.set(&ctx.settings.watch.notify);
                    let message = "the settings were read anew".to_owned();
                    self.tell(Event { kind: Kind::Reloaded, message, ..Event::default() });
                }
                self.ctx = ctx;
                Ok(())
            }
            Err(error) if error.kind == ErrorKind::Usage => {
                self.ctx.checkpoint = Checkpoint::read(&self.sys, &self.ctx.layout);
                let message = error.to_string();
                if self.broken.as_ref() != Some(&message) {
                    self.broken = Some(message.clone());
                    let message = format!("{message}; the old settings stay in force");
                    self.tell(Event { kind: Kind::Trouble, message, ..Event::default() });
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// What anybody could claim and no runner takes.
fn unmatched(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    free: &[Free],
    now: Timestamp,
) -> Result<Vec<(String, String)>> {
    let Some(actor) = Actor::parse("WORK") else { return Ok(Vec::new()) };
    let who = Identity { actor, solo: false, explicit: false, run: None };
    let rows = queue::candidates(ctx, snapshot, &who, now, &|_| false, &HashSet::new())?;
    let ids = rows.into_iter().map(|row| snapshot.tasks.id(row).into_owned());
    let is_left = |id: &String| free.iter().all(|free| free.task != *id);
    Ok(ids.filter(is_left).map(|id| (id, "no runner matches it".to_owned())).collect())
}

/// When the next lease expires, grace included.
fn next_expiry(ctx: &Context, snapshot: &Snapshot<'_>, now: Timestamp) -> Option<Timestamp> {
    let doing = snapshot
        .tasks
        .rows()
        .filter(|row| snapshot.tasks.cell(*row, TaskField::State).as_deref() == Some("DOING"));
    let end = |row: RowId| match snapshot.tasks.task(row).lease()?.expiry {
        Expiry::At(end) => Some(end.plus(ctx.settings.leases.grace)),
        Expiry::Missing | Expiry::Malformed(_) => None,
    };
    doing.filter_map(end).filter(|end| *end > now).min()
}

/// Whether the id of a row stands once: `reap` leaves others to `check`.
fn once(snapshot: &Snapshot<'_>, row: RowId) -> bool {
    snapshot.tasks.rows_of(&snapshot.tasks.id(row)).len() == 1
}
