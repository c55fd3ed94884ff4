//! Programs that are not started: they live for a while on the simulated clock.
//!
//! Lives here: the simulated [`Process`]. Not here: the real one. Invariant:
//! time passes only while somebody waits.
//!
//! `true`, `false`, `exit N` and `sleep DUR` (such as `sleep 2h`) are known from
//! the start; anything else is not found, unless a test gives it a [`Life`].

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::SimClock;
use crate::sys::Clock;
use crate::sys::process::{Caught, Child, Ended, Process, Program, Signal};

/// How a program behaves.
#[derive(Debug, Clone)]
pub struct Life {
    /// How long it lives if nobody ends it.
    pub lasts: Duration,
    /// How it ends then.
    pub ends: Ended,
    /// Signals that it takes no notice of.
    pub deaf_to: Vec<Signal>,
}

impl Life {
    /// One that ends at once with this number.
    pub const fn exit(code: u8) -> Self {
        Self { lasts: Duration::ZERO, ends: Ended::Code(code), deaf_to: Vec::new() }
    }

    /// One that lives so long and then ends well.
    pub fn of(lasts: Duration) -> Self {
        Self { lasts, ..Self::exit(0) }
    }
}

type Act = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Facts {
    lives: BTreeMap<String, Life>,
    started: Vec<Program>,
    sent: Vec<Signal>,
    caught: Vec<Signal>,
    acts: Vec<Box<dyn Fn(Signal) + Send>>,
    /// What happens at a moment, in milliseconds since 1970.
    later: Vec<(i64, Act)>,
}

/// Simulated programs.
pub struct SimProcess {
    clock: Arc<SimClock>,
    facts: Arc<Mutex<Facts>>,
}

impl SimProcess {
    /// Programs that live by this clock.
    pub fn new(clock: Arc<SimClock>) -> Self {
        Self { clock, facts: Arc::default() }
    }

    /// Makes a program known by its name.
    pub fn know(&self, name: &str, life: Life) {
        self.facts().lives.insert(name.to_owned(), life);
    }

    /// Does something once that much time has passed, while somebody waits.
    pub fn later(&self, after: Duration, act: impl FnOnce() + Send + 'static) {
        let at = self.clock.now_ms() + i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        self.facts().later.push((at, Box::new(act)));
    }

    /// A signal to us. Whoever listens is told in the caller's thread.
    pub fn raise(&self, signal: Signal) {
        self.facts().caught.push(signal);
        // Not under the mutex, as with what happens later.
        let acts = std::mem::take(&mut self.facts().acts);
        for act in &acts {
            act(signal);
        }
        self.facts().acts.extend(acts);
    }

    /// What was started.
    pub fn started(&self) -> Vec<Program> {
        self.facts().started.clone()
    }

    /// The signals that programs were sent.
    pub fn sent(&self) -> Vec<Signal> {
        self.facts().sent.clone()
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        lock(&self.facts)
    }
}

fn lock(facts: &Mutex<Facts>) -> MutexGuard<'_, Facts> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process for SimProcess {
    fn spawn(&self, program: &Program) -> io::Result<Box<dyn Child>> {
        let words: Vec<&str> = program.argv.iter().filter_map(|word| word.to_str()).collect();
        let known = words.first().and_then(|name| self.facts().lives.get(*name).cloned());
        let life = match (known, &words[..]) {
            (Some(life), _) => life,
            (None, ["true"]) => Life::exit(0),
            (None, ["false"]) => Life::exit(1),
            (None, ["exit", code]) => Life::exit(code.parse().unwrap_or(2)),
            (None, ["sleep", time]) => {
                Life::of(seconds(time).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?)
            }
            _ => return Err(io::Error::from_raw_os_error(2)),
        };
        self.facts().started.push(program.clone());
        let lasts = i64::try_from(life.lasts.as_millis()).unwrap_or(i64::MAX);
        Ok(Box::new(SimChild {
            clock: self.clock.clone(),
            facts: self.facts.clone(),
            until: self.clock.now_ms().saturating_add(lasts),
            life,
            ended: None,
        }))
    }

    fn catch(&self) -> io::Result<Box<dyn Caught>> {
        Ok(Box::new(SimCaught(self.facts.clone())))
    }

    fn on_signal(&self, act: Box<dyn Fn(Signal) + Send>) -> io::Result<()> {
        self.facts().acts.push(act);
        Ok(())
    }
}

/// A whole number and one of `s`, `m`, `h`.
fn seconds(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..at].parse().ok()?;
    let seconds = match &text[at..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(Duration::from_secs(number * seconds))
}

struct SimCaught(Arc<Mutex<Facts>>);

impl Caught for SimCaught {
    fn take(&self) -> Vec<Signal> {
        std::mem::take(&mut lock(&self.0).caught)
    }
}

struct SimChild {
    clock: Arc<SimClock>,
    facts: Arc<Mutex<Facts>>,
    until: i64,
    life: Life,
    ended: Option<Ended>,
}

impl Child for SimChild {
    fn id(&self) -> u32 {
        4343
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Ended>> {
        let now = self.clock.now_ms();
        let target = now.saturating_add(i64::try_from(at_most.as_millis()).unwrap_or(i64::MAX));
        if self.ended.is_none() {
            let next = lock(&self.facts).later.iter().map(|(at, _)| *at).min();
            let to = target.min(self.until).min(next.unwrap_or(i64::MAX)).max(now);
            self.clock.set(to);
            let mut due = Vec::new();
            {
                let mut facts = lock(&self.facts);
                while let Some(at) = facts.later.iter().position(|(at, _)| *at <= to) {
                    due.push(facts.later.swap_remove(at).1);
                }
            }
            // Not under the mutex: it may be about this very process.
            for act in due {
                act();
            }
            if self.clock.now_ms() >= self.until {
                self.ended = Some(self.life.ends);
            }
        }
        Ok(self.ended)
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        lock(&self.facts).sent.push(signal);
        if self.ended.is_none() && !self.life.deaf_to.contains(&signal) {
            self.ended = Some(Ended::Signal(signal.number()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    fn program(words: &[&str]) -> Program {
        let argv = words.iter().map(Into::into).collect();
        Program { argv, env: Vec::new(), own_group: false }
    }

    #[test]
    fn a_program_lives_by_the_clock_and_things_happen_meanwhile() {
        let clock = Arc::new(SimClock::new(0));
        let sim = SimProcess::new(clock.clone());
        let seen = Arc::new(AtomicI64::new(-1));
        let (mark, watch) = (seen.clone(), clock.clone());
        sim.later(Duration::from_secs(5), move || mark.store(watch.now_ms(), Ordering::SeqCst));
        let mut child = sim.spawn(&program(&["sleep", "10s"])).unwrap();
        let wait = |child: &mut Box<dyn Child>| child.wait(Duration::from_secs(8)).unwrap();
        assert_eq!((wait(&mut child), seen.load(Ordering::SeqCst)), (None, 5_000));
        assert_eq!((wait(&mut child), clock.now_ms()), (Some(Ended::Code(0)), 10_000));
        assert_eq!(sim.started().len(), 1);
    }

    #[test]
    fn a_program_may_be_deaf_or_missing() {
        let sim = SimProcess::new(Arc::new(SimClock::new(0)));
        let deaf = Life { deaf_to: vec![Signal::Terminate], ..Life::of(Duration::from_secs(9)) };
        sim.know("deaf", deaf);
        let mut child = sim.spawn(&program(&["deaf"])).unwrap();
        child.signal(Signal::Terminate).unwrap();
        assert_eq!(child.wait(Duration::ZERO).unwrap(), None);
        child.signal(Signal::Kill).unwrap();
        assert_eq!(child.wait(Duration::ZERO).unwrap(), Some(Ended::Signal(9)));
        assert_eq!(sim.sent(), [Signal::Terminate, Signal::Kill]);
        let kind = sim.spawn(&program(&["nothing"])).err().map(|e| e.kind());
        assert_eq!(kind, Some(io::ErrorKind::NotFound));
        sim.raise(Signal::Interrupt);
        let caught = sim.catch().unwrap();
        assert_eq!((caught.take(), caught.take()), (vec![Signal::Interrupt], Vec::new()));
        let (tell, told) = std::sync::mpsc::channel();
        sim.on_signal(Box::new(move |signal| tell.send(signal).unwrap_or_default())).unwrap();
        sim.raise(Signal::Hangup);
        assert_eq!(told.recv(), Ok(Signal::Hangup));
    }
}
