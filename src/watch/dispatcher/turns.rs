//! Schedules: whose turn has come, and taking it before anybody else does.
//!
//! Not here: when a line is due (`services::config::cron`), whose turn that makes
//! it (`schedule`), starting its command (`start`). Invariant: a due time is taken
//! once, on the disk, before its command is started; one that was taken is started
//! as soon as there is room.

use super::Dispatcher;
use crate::error::{Error, ErrorKind};
use crate::model::time::Timestamp;
use crate::services::config::Schedule;
use crate::store::schedules;
use crate::watch::event::{Event, Kind};
use crate::watch::plan::Due;
use crate::watch::schedule::{Turn, turn};

/// What a look at the schedules shows.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// What to do about each, where something is to be done.
    pub now: Vec<(Schedule, Turn)>,
    /// When the next one's turn comes.
    pub next: Option<Timestamp>,
}

impl Turns {
    /// The due times that have come.
    pub fn due(&self) -> Vec<Due> {
        let run = |(schedule, turn): &(Schedule, Turn)| match turn {
            Turn::Run(at) => Some(Due { name: schedule.name.clone(), at: *at }),
            _ => None,
        };
        self.now.iter().filter_map(run).collect()
    }
}

impl Dispatcher<'_> {
    /// Looks at the schedules. Nothing is taken, and while nothing may be started
    /// nothing is due: what comes meanwhile was missed.
    pub(super) fn turns(&mut self) -> Turns {
        let mut turns = Turns::default();
        // The machine's own clock, as marks have it: what the journal says of the
        // time must not run anything early.
        let now = Timestamp(self.sys.clock.now_ms());
        let mut unreadable = Vec::new();
        let zone = self.ctx.settings.zone();
        for schedule in &self.ctx.settings.watch.schedules {
            // One at a time: what comes while it goes on waits, or was missed.
            let is_it = |name: &String| *name == schedule.name;
            let goes_on = self.runs.values().any(|g| g.runner.is_none() && is_it(&g.name))
                || self.queued.iter().any(|due| is_it(&due.name));
            if goes_on {
                continue;
            }
            let cron = schedule.cron.as_str();
            let first = self.first_seen.entry(schedule.name.clone());
            let first = first.or_insert_with(|| (cron.to_owned(), now));
            if first.0 != cron {
                *first = (cron.to_owned(), now);
            }
            let mark = match schedules::read(&self.sys, &self.ctx.layout, &schedule.name) {
                Ok(mark) => mark,
                Err(error) => {
                    unreadable.push(error);
                    continue;
                }
            };
            match turn(schedule, &zone, mark.as_ref(), first.1, now) {
                Turn::Wait(at) => {
                    turns.next = [turns.next, at].into_iter().flatten().min();
                }
                turn => turns.now.push((schedule.clone(), turn)),
            }
        }
        for error in unreadable {
            self.trouble(&error);
        }
        turns
    }

    /// Leaves out what was taken and waits for room: a freeze starts nothing, and
    /// nothing late when it ends.
    pub(super) fn freeze_turns(&mut self) {
        for Due { name, at } in std::mem::take(&mut self.queued) {
            self.missed(&name, at, "came, and FREEZE is on");
        }
    }

    /// Does what the look showed. What was taken waits for room.
    pub(super) fn take_turns(&mut self, turns: Turns) {
        for (schedule, turn) in turns.now {
            let (sys, layout) = (&self.sys, &self.ctx.layout);
            let (name, cron) = (&schedule.name, schedule.cron.as_str());
            let done = match turn {
                Turn::Unseen => schedules::seen(sys, layout, name, cron),
                Turn::Run(at) => schedules::take(sys, layout, name, cron, at).map(|ours| {
                    if ours {
                        self.queued.push(Due { name: name.clone(), at });
                    }
                }),
                Turn::Skip(at) => schedules::take(sys, layout, name, cron, at).map(|ours| {
                    if ours {
                        self.missed(name, at, "came while nobody watched");
                    }
                }),
                Turn::Ahead(at) => Err(Error::new(
                    ErrorKind::Failed,
                    format!(
                        "the schedule `{name}` was run for {at}, which is ahead of this machine's \
                         clock; it runs again from then on, or once `{}` is removed",
                        layout.display(&layout.schedule_mark(name))
                    ),
                )),
                Turn::Wait(_) => Ok(()),
            };
            match done {
                Ok(()) => self.dirty = true,
                Err(error) => self.trouble(&error),
            }
        }
    }

    fn missed(&mut self, name: &str, at: Timestamp, why: &str) {
        let message = format!("its time {} {why}", at.whole_seconds());
        let task = Some(name.to_owned());
        self.tell(Event { kind: Kind::Missed, task, message, ..Event::default() });
    }
}
