//! What nobody tends: alerts from a look, told once by one of all who watch.
//!
//! Not here: when a condition holds (`monitor`), how others hear of it
//! (`notify`). Invariant: nothing here can keep a run from being looked after.

use super::{Dispatcher, LONGEST};
use crate::error::Error;
use crate::model::time::Timestamp;
use crate::store::alerts::Alert;
use crate::store::snapshot::Snapshot;
use crate::watch::event::{Event, Kind};
use crate::watch::metrics::{self, Source, Vitals};
use crate::watch::monitor::{self, Found, Readings};
use std::time::Duration;

/// How often the machine is looked at, where the settings ask for it.
const MACHINE: Duration = Duration::from_secs(15);

impl Dispatcher<'_> {
    /// What is wrong, as a look at the ledger shows.
    pub(super) fn found(&mut self, snapshot: &Snapshot<'_>, now: Timestamp) -> Found {
        let past = match snapshot.journal() {
            Ok(journal) => {
                self.past.follow(journal);
                Some(&self.past)
            }
            Err(_) => None,
        };
        let view = monitor::View {
            settings: &self.ctx.settings,
            snapshot: Some(snapshot),
            past,
            now,
            readings: self.readings(),
            ledger_error: None,
            settings_error: self.broken.as_deref(),
            alerts: &self.alerts,
        };
        monitor::conditions(&view)
    }

    /// The same where the ledger cannot be looked at.
    pub(super) fn found_nothing(&self, why: &Error) -> Found {
        let why = why.to_string();
        let view = monitor::View {
            settings: &self.ctx.settings,
            snapshot: None,
            past: None,
            now: Timestamp(self.sys.clock.now_ms()),
            readings: self.readings(),
            ledger_error: Some(&why),
            settings_error: self.broken.as_deref(),
            alerts: &self.alerts,
        };
        monitor::conditions(&view)
    }

    fn readings(&self) -> Readings {
        Readings::take(&self.sys, &self.ctx.layout, &self.ctx.settings.watch.alerts)
    }

    /// Whether the machine itself is watched, which tells nobody when it changes.
    fn watches_the_machine(&self) -> bool {
        let alerts = &self.ctx.settings.watch.alerts;
        alerts.disk.is_some() || alerts.memory.is_some() || alerts.load.is_some()
    }

    /// Writes down what changed of it, and tells of it. Gives when to look again.
    pub(super) fn alert(&mut self, found: &Found) -> Duration {
        let now = Timestamp(self.sys.clock.now_ms());
        let (sys, layout) = (&self.sys, &self.ctx.layout);
        let changed = self.alerts.sync(sys, layout, now, &found.conditions, &found.evaluated);
        match changed {
            Ok(alerts) => {
                // What is shown counts them, too.
                self.dirty |= !alerts.is_empty() && self.listener.is_some();
                self.notifier.send(&alerts);
                for alert in alerts {
                    self.told(&alert);
                }
            }
            Err(error) => self.trouble(&error),
        }
        let next = found
            .next_change
            .map_or(LONGEST, |at| Duration::from_millis(u64::try_from(at.since(now)).unwrap_or(0)));
        if self.watches_the_machine() { next.min(MACHINE) } else { next.min(LONGEST) }
    }

    /// Shows figures to whoever asks. Cost: a pass over the ledgers, and none where
    /// nobody can ask.
    pub(super) fn show_figures(&self, snapshot: &Snapshot<'_>, now: Timestamp) {
        if self.listener.is_some() {
            self.exhibit.show(metrics::collect(&Source {
                settings: &self.ctx.settings,
                snapshot,
                past: &self.past,
                alerts: &self.alerts,
                now,
                own: &self.own,
            }));
        }
    }

    /// Shows how the loop is, which comes round again after that time.
    pub(super) fn show_vitals(&self, sleep: Duration) {
        if self.listener.is_some() {
            let now = Timestamp(self.sys.clock.now_ms());
            let rests = |until: &Option<Timestamp>| until.is_some_and(|until| now < until);
            let resting = self.failing.iter().filter(|(_, (_, until))| rests(until));
            self.exhibit.tell(Vitals {
                blind: self.blind,
                wakes_by_ms: Some(self.after(sleep)),
                has_error: self.alerts.has_error(),
                paused: resting.map(|(runner, _)| runner.clone()).collect(),
                runs: self.runs.len(),
            });
        }
    }

    fn told(&mut self, alert: &Alert) {
        let message = format!("{} {}: {}", alert.severity, alert.state.as_str(), alert.summary);
        self.tell(Event { kind: Kind::Alert, message, ..Event::default() });
    }
}
