//! Whether a watch does its work.
//!
//! Here: what makes it failing or degraded, and the words. Not here: who is shown
//! it (`exhibit`).

use serde::Serialize;

/// Looks at the ledger that fail in a row, until the watch counts as failing.
pub const BLIND: u32 = 3;
/// How much later than it meant to the loop may come round.
pub const LATE_MS: i64 = 30_000;

/// What the loop says of itself, each time it comes round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Looks at the ledger that failed in a row.
    pub blind: u32,
    /// When it will come round again at the latest, if all is well: milliseconds
    /// since the start of the machine. None before it began.
    pub wakes_by_ms: Option<i64>,
    /// Whether an alert of severity error fires.
    pub has_error: bool,
    /// Runners that are not used for a while.
    pub paused: Vec<String>,
    /// Runs that go on.
    pub runs: usize,
}

/// How a watch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Ok,
    /// It works, and somebody should look.
    Degraded,
    /// It does not do its work.
    Failing,
}

/// The answer to whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// How it is.
    pub status: Status,
    /// Why it is not well.
    pub reasons: Vec<String>,
    /// Runs that go on.
    pub runs: usize,
    /// Runners that are not used for a while.
    pub paused: Vec<String>,
}

impl Health {
    /// How a watch is at a moment: milliseconds since the start of the machine.
    pub fn of(vitals: &Vitals, now_ms: i64) -> Self {
        let (mut failing, mut degraded) = (Vec::new(), Vec::new());
        if vitals.blind >= BLIND {
            failing.push(format!("the ledger could not be read {} times in a row", vitals.blind));
        }
        let late = vitals.wakes_by_ms.map_or(0, |by| now_ms.saturating_sub(by));
        if late > LATE_MS {
            failing.push(format!("the loop stands still for {} s", late / 1000));
        }
        if vitals.has_error {
            degraded.push("an alert of severity error fires".to_owned());
        }
        let paused = vitals.paused.iter();
        degraded.extend(paused.map(|runner| format!("the runner `{runner}` is paused")));
        let status = match (failing.is_empty(), degraded.is_empty()) {
            (false, _) => Status::Failing,
            (true, false) => Status::Degraded,
            (true, true) => Status::Ok,
        };
        failing.append(&mut degraded);
        let (runs, paused) = (vitals.runs, vitals.paused.clone());
        Self { status, reasons: failing, runs, paused }
    }

    /// The HTTP status that goes with it.
    pub const fn http_status(&self) -> u16 {
        match self.status {
            Status::Ok | Status::Degraded => 200,
            Status::Failing => 503,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(vitals: &Vitals, now_ms: i64) -> (Status, u16) {
        let health = Health::of(vitals, now_ms);
        assert_eq!(health.reasons.is_empty(), health.status == Status::Ok);
        (health.status, health.http_status())
    }

    #[test]
    fn what_keeps_work_from_going_on_is_failing_and_the_rest_degraded() {
        let well = Vitals { wakes_by_ms: Some(60_000), ..Vitals::default() };
        assert_eq!(status(&Vitals::default(), i64::MAX), (Status::Ok, 200), "it only begins");
        assert_eq!(status(&well, 90_000), (Status::Ok, 200));
        assert_eq!(status(&well, 90_001), (Status::Failing, 503));
        assert_eq!(status(&Vitals { blind: 2, ..well.clone() }, 0), (Status::Ok, 200));
        assert_eq!(status(&Vitals { blind: 3, ..well.clone() }, 0), (Status::Failing, 503));
        let error = Vitals { has_error: true, ..well.clone() };
        assert_eq!(status(&error, 0), (Status::Degraded, 200));
        let paused = Vitals { paused: vec!["coder".into()], runs: 2, ..well };
        assert_eq!(status(&paused, 0), (Status::Degraded, 200));
        let json = serde_json::to_string(&Health::of(&paused, 0)).unwrap();
        assert_eq!(
            json,
            "{\"status\":\"degraded\",\"reasons\":[\"the runner `coder` is paused\"],\
             \"runs\":2,\"paused\":[\"coder\"]}"
        );
        let both = Vitals { blind: 9, has_error: true, ..Vitals::default() };
        assert_eq!(Health::of(&both, 0).reasons.len(), 2);
    }
}
