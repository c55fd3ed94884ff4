//! Signals to us, heard by a thread.
//!
//! Not here: signals that are kept until somebody asks (`process`), and what a
//! signal makes us do. Invariant: a signal that we were told to ignore is still
//! ignored.

use std::io;

use signal_hook::iterator::Signals;

use super::process::{Signal, ignored};

/// The signals of [`Process::on_signal`](super::Process::on_signal).
const HEARD: [Signal; 3] = [Signal::Hangup, Signal::Interrupt, Signal::Terminate];

/// Calls back at each of them, until the process ends.
pub(super) fn listen(act: Box<dyn Fn(Signal) + Send>) -> io::Result<()> {
    let ignored = ignored();
    let heard = HEARD.into_iter().filter(|signal| ignored >> (signal.number() - 1) & 1 == 0);
    let heard: Vec<_> = heard.map(|signal| i32::from(signal.number())).collect();
    if heard.is_empty() {
        return Ok(());
    }
    let mut signals = Signals::new(heard)?;
    let run = move || {
        for number in &mut signals {
            let signal = HEARD.into_iter().find(|signal| i32::from(signal.number()) == number);
            signal.into_iter().for_each(&act);
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(run).map(drop)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests start this program anew")]
mod tests {
    use std::process::Command;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use rustix::process::{Signal as Raw, getpid, kill_process};

    use super::*;

    /// Set where this very test runs as a process of its own: signals are for a
    /// whole process, and the others in this one shall not get any.
    const INSIDE: &str = "ORCH_TEST_SIGNALS";

    fn raise_and_hear() {
        let (tell, told) = channel();
        listen(Box::new(move |signal| tell.send(signal).unwrap_or_default())).unwrap();
        // Not SIGINT: a shell in the background may have told us to ignore it.
        for raw in [Raw::HUP, Raw::TERM, Raw::HUP, Raw::TERM] {
            kill_process(getpid(), raw).unwrap();
            if raw == Raw::TERM {
                let heard = told.recv_timeout(Duration::from_mins(2)).unwrap();
                assert_eq!(heard, Signal::Terminate);
            }
        }
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn signals_are_heard_but_for_those_that_are_ignored() {
        if std::env::var_os(INSIDE).is_some() {
            raise_and_hear();
            return;
        }
        let name = format!("{}::{}", module_path!(), "signals_are_heard");
        let name = name.split_once("::").map(|(_, name)| name.to_owned()).unwrap();
        let output = Command::new("sh")
            .args(["-c", "trap '' HUP; exec \"$0\" \"$1\""])
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
}
