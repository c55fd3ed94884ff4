//! A service that must stay healthy while a decision is made.

use super::Measured;
use crate::model::duration;
use crate::services::config::Canary;
use crate::sys::Sys;
use std::time::Duration;

/// The condition's name.
pub const NAME: &str = "canary";

/// The longest that one question takes.
const ONE: Duration = Duration::from_secs(10);
/// How often we look whether we are to stop, while we wait.
const LOOK: Duration = Duration::from_millis(200);

/// What is asked for.
pub fn limit(canary: &Canary) -> String {
    format!(
        "{} good answers in a row within {}",
        canary.success_required,
        duration::format(canary.max_wait)
    )
}

/// Asks until there were enough good answers (2xx) in a row, or the time is
/// over.
pub fn measure(sys: &Sys, canary: &Canary, is_stopped: &dyn Fn() -> bool) -> Measured {
    let limit = limit(canary);
    // The clock may stand still or jump: what was waited counts too.
    let (from, mut waited) = (sys.clock.now_ms(), Duration::ZERO);
    let (mut asked, mut good) = (0_u32, 0);
    let mut last;
    loop {
        asked += 1;
        match sys.net.get(&canary.url, canary.max_wait.min(ONE).max(LOOK)) {
            Ok(status @ 200..300) => {
                good += 1;
                last = status.to_string();
                if good >= canary.success_required {
                    let measured = format!("{good} in a row, {asked} asked");
                    return Measured::yes(NAME, measured, limit);
                }
            }
            Ok(status) => {
                good = 0;
                last = status.to_string();
            }
            Err(error) => {
                good = 0;
                last = error.to_string();
                // Asking again does not make another address of it.
                if error.kind() == std::io::ErrorKind::InvalidInput {
                    break;
                }
            }
        }
        let passed = u64::try_from(sys.clock.now_ms().saturating_sub(from)).unwrap_or(0);
        let passed = Duration::from_millis(passed).max(waited);
        if passed + canary.retry > canary.max_wait || is_stopped() {
            break;
        }
        // A service is not asked without a pause, whatever the settings say.
        let mut left = canary.retry.max(Duration::from_millis(10));
        waited += left;
        while !left.is_zero() && !is_stopped() {
            let step = left.min(LOOK);
            sys.clock.sleep(step);
            left -= step;
        }
    }
    let measured = format!("{good} in a row at the end, {asked} asked");
    let reason =
        format!("`{}` was not healthy for long enough; its last answer: {last}", canary.url);
    Measured::breach(NAME, measured, limit, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::decide::conditions::Holds;
    use crate::sys::sim::Sim;

    const CANARY: Canary = Canary {
        url: String::new(),
        success_required: 3,
        retry: Duration::from_secs(5),
        max_wait: Duration::from_secs(30),
    };

    fn of(answers: &[u16]) -> (Measured, u64) {
        let sim = Sim::new("/");
        sim.net.answer(answers.iter().copied());
        let (sys, from) = (sim.sys(), sim.sys().clock.now_ms());
        let measured = measure(&sys, &CANARY, &|| false);
        (measured, u64::try_from(sys.clock.now_ms() - from).unwrap() / 1000)
    }

    #[test]
    fn good_answers_in_a_row_are_needed() {
        for (answers, holds, seconds) in [
            (&[200, 204, 299][..], Holds::Yes, 10),
            (&[200, 200, 503, 200, 200, 200], Holds::Yes, 25),
            (&[503, 200, 301, 200, 200, 404, 200, 200, 200], Holds::Breach, 30),
            (&[], Holds::Breach, 30),
        ] {
            let (measured, took) = of(answers);
            assert_eq!((measured.holds, took), (holds, seconds), "{answers:?}: {measured:?}");
        }
        let (measured, _) = of(&[200, 200, 200]);
        assert_eq!(measured.limit, "3 good answers in a row within 30s");
        let (measured, _) = of(&[503; 7]);
        assert_eq!(
            measured.reason.as_deref(),
            Some("`` was not healthy for long enough; its last answer: 503")
        );
    }

    #[test]
    fn who_is_stopped_asks_no_more() {
        let sim = Sim::new("/");
        sim.net.answer([200, 200, 200]);
        let measured = measure(&sim.sys(), &CANARY, &|| true);
        assert_eq!(
            (measured.holds, &*measured.measured),
            (Holds::Breach, "1 in a row at the end, 1 asked")
        );
    }
}
