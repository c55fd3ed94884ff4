//! Programs that are not started: they live for a while on the simulated clock.
//!
//! Lives here: the simulated [`Process`]. Not here: the real one. Invariant:
//! time passes only while somebody waits.
//!
//! `true`, `false`, `exit N` and `sleep DUR` (such as `sleep 2h`) are known from
//! the start; anything else is not found, unless a test gives it a [`Life`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::SimClock;
use super::keeping::SimKeeping;
use crate::sys::Clock;
use crate::sys::keeping::Keeping;
use crate::sys::process::{Caught, Child, Ended, Own, Process, Program, Signal};

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

/// What a program of ours does, in a test that plays it.
pub struct Role {
    /// How it behaves.
    pub life: Life,
    /// What it does last, told how it ends; not where it is killed.
    pub at_end: Option<Last>,
}

type Act = Box<dyn FnOnce() + Send>;
type Last = Box<dyn FnOnce(Ended) + Send>;
type Play = Box<dyn FnMut(&Own, u32) -> io::Result<Role> + Send>;

/// The number of the first program that is started.
const FIRST: u32 = 4343;

struct Facts {
    lives: BTreeMap<String, Life>,
    prints: BTreeMap<String, Vec<u8>>,
    /// Every program that was started, the first one being [`FIRST`].
    beings: Vec<Being>,
    started: Vec<Program>,
    own: Vec<Own>,
    play: Option<Play>,
    sent: Vec<Signal>,
    caught: Vec<Signal>,
    acts: Vec<Box<dyn Fn(Signal) + Send>>,
    machine: String,
    /// What happens at a moment, in milliseconds since the machine started.
    later: Vec<(i64, Act)>,
}

struct Being {
    until: i64,
    life: Life,
    env: Vec<(OsString, OsString)>,
    at_end: Option<Last>,
    ended: Option<Ended>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            lives: BTreeMap::new(),
            prints: BTreeMap::new(),
            beings: Vec::new(),
            started: Vec::new(),
            own: Vec::new(),
            play: None,
            sent: Vec::new(),
            caught: Vec::new(),
            acts: Vec::new(),
            machine: "sim".to_owned(),
            later: Vec::new(),
        }
    }
}

/// Simulated programs. A clone speaks of the same ones.
#[derive(Clone)]
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

    /// What a program prints, to a keeper.
    pub fn prints(&self, name: &str, bytes: &[u8]) {
        self.facts().prints.insert(name.to_owned(), bytes.to_owned());
    }

    /// Plays our own program in place of one that ends at once with 0; gets what
    /// was asked for, and its number.
    pub fn play(&self, play: impl FnMut(&Own, u32) -> io::Result<Role> + Send + 'static) {
        self.facts().play = Some(Box::new(play));
    }

    /// Does something once that much time has passed, while somebody waits.
    pub fn later(&self, after: Duration, act: impl FnOnce() + Send + 'static) {
        let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let at = self.boot_ms().saturating_add(after);
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

    /// Another boot, or another space of numbers: nothing that was started lives.
    pub fn set_machine(&self, name: &str) {
        let mut facts = self.facts();
        name.clone_into(&mut facts.machine);
        for being in &mut facts.beings {
            being.ended.get_or_insert(Ended::Signal(Signal::Kill.number()));
        }
    }

    /// What was started.
    pub fn started_programs(&self) -> Vec<Program> {
        self.facts().started.clone()
    }

    /// What of our own was started.
    pub fn started_own(&self) -> Vec<Own> {
        self.facts().own.clone()
    }

    /// The signals that programs were sent.
    pub fn sent(&self) -> Vec<Signal> {
        self.facts().sent.clone()
    }

    /// Lets time pass until a moment since the machine started, or until the next
    /// thing that happens before it, and lets that happen.
    pub fn pass(&self, until_ms: i64) {
        let now = self.boot_ms();
        let next = {
            let facts = self.facts();
            let ends = facts.beings.iter().filter(|b| b.ended.is_none()).map(|b| b.until);
            ends.chain(facts.later.iter().map(|(at, _)| *at)).min()
        };
        let to = until_ms.min(next.unwrap_or(i64::MAX)).max(now);
        self.clock.advance(Duration::from_millis(u64::try_from(to - now).unwrap_or(0)));
        self.happen();
    }

    /// Lets happen what is due by now.
    pub fn happen(&self) {
        let now = self.boot_ms();
        let mut due: Vec<Act> = Vec::new();
        {
            let mut facts = self.facts();
            while let Some(at) = facts.later.iter().position(|(at, _)| *at <= now) {
                due.push(facts.later.swap_remove(at).1);
            }
            for being in facts.beings.iter_mut().filter(|b| b.until <= now) {
                due.extend(being.end(being.life.ends));
            }
        }
        // Not under the mutex: it may be about these very processes.
        for act in due {
            act();
        }
    }

    pub(super) fn boot_ms(&self) -> i64 {
        self.clock.boot_ms()
    }

    pub(super) fn hear(&self) -> Option<Signal> {
        let caught = &mut self.facts().caught;
        (!caught.is_empty()).then(|| caught.remove(0))
    }

    pub(super) fn printed_by(&self, name: &OsStr) -> Option<Vec<u8>> {
        self.facts().prints.get(name.to_str()?).cloned()
    }

    pub(super) fn start(&self, program: &Program) -> io::Result<SimChild> {
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
        let env = program.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Ok(self.live(Role { life, at_end: None }, env))
    }

    fn live(&self, role: Role, env: Vec<(OsString, OsString)>) -> SimChild {
        let lasts = i64::try_from(role.life.lasts.as_millis()).unwrap_or(i64::MAX);
        let until = self.boot_ms().saturating_add(lasts);
        let mut facts = self.facts();
        let Role { life, at_end } = role;
        facts.beings.push(Being { until, life, env, at_end, ended: None });
        SimChild { process: self.clone(), at: facts.beings.len() - 1, is_parent: true }
    }

    /// Sends a signal to the one at a place in the list.
    fn signal(&self, at: usize, signal: Signal) {
        let act = {
            let mut facts = self.facts();
            facts.sent.push(signal);
            let being = &mut facts.beings[at];
            let hears = signal == Signal::Kill || !being.life.deaf_to.contains(&signal);
            if signal == Signal::Kill {
                being.at_end = None;
            }
            if hears { being.end(Ended::Signal(signal.number())) } else { None }
        };
        if let Some(act) = act {
            act();
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Being {
    /// Ends it, unless it has; what it does last is for the caller to do.
    fn end(&mut self, how: Ended) -> Option<Act> {
        if self.ended.is_some() {
            return None;
        }
        self.ended = Some(how);
        self.at_end.take().map(|last| Box::new(move || last(how)) as Act)
    }
}

/// Where in the list a number stands.
fn place(pid: u32) -> Option<usize> {
    usize::try_from(pid.checked_sub(FIRST)?).ok()
}

/// When the process of a number started: no two alike.
fn start_of(pid: u32) -> u64 {
    1_000_000 + u64::from(pid)
}

impl Process for SimProcess {
    fn spawn(&self, program: &Program) -> io::Result<Box<dyn Child>> {
        Ok(Box::new(self.start(program)?))
    }

    fn catch(&self) -> io::Result<Box<dyn Caught>> {
        Ok(Box::new(SimCaught(self.clone())))
    }

    fn machine(&self) -> String {
        self.facts().machine.clone()
    }

    fn started(&self, pid: u32) -> Option<u64> {
        // Whoever was not started here lives: ourselves.
        let is_over = |at: usize| self.facts().beings.get(at).is_none_or(|b| b.ended.is_some());
        (!place(pid).is_some_and(is_over)).then(|| start_of(pid))
    }

    fn spawn_self(&self, program: &Own) -> io::Result<Box<dyn Child>> {
        let (play, pid) = {
            let mut facts = self.facts();
            facts.own.push(program.clone());
            (facts.play.take(), FIRST + u32::try_from(facts.beings.len()).unwrap_or(0))
        };
        // Not under the mutex: it may be about these very processes.
        let mut play = play;
        let role = match &mut play {
            Some(play) => play(program, pid),
            None => Ok(Role { life: Life::exit(0), at_end: None }),
        };
        if let Some(play) = play {
            self.facts().play.get_or_insert(play);
        }
        Ok(Box::new(self.live(role?, program.env.clone())))
    }

    fn attach(&self, pid: u32, start: u64) -> io::Result<Option<Box<dyn Child>>> {
        let Some(at) = place(pid).filter(|_| self.started(pid) == Some(start)) else {
            return Ok(None);
        };
        Ok(Some(Box::new(SimChild { process: self.clone(), at, is_parent: false })))
    }

    fn end_strays(
        &self,
        group: Option<(u32, u64)>,
        marks: &[(&str, &str)],
        signal: Signal,
    ) -> io::Result<usize> {
        let leader = group.filter(|(pid, start)| self.started(*pid) == Some(*start));
        let leader = leader.and_then(|(pid, _)| place(pid));
        let has = |being: &Being| {
            let mark = |(name, value): &(&str, &str)| {
                being.env.iter().any(|(n, v)| n == name && v == value)
            };
            !marks.is_empty() && marks.iter().all(mark)
        };
        let met: Vec<usize> = {
            let facts = self.facts();
            let alive = facts.beings.iter().enumerate().filter(|(_, b)| b.ended.is_none());
            alive.filter(|(at, b)| Some(*at) == leader || has(b)).map(|(at, _)| at).collect()
        };
        for at in &met {
            self.signal(*at, signal);
        }
        Ok(met.len())
    }

    fn become_keeper(&self) -> io::Result<Box<dyn Keeping>> {
        Ok(Box::new(SimKeeping::new(self.clone())))
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

struct SimCaught(SimProcess);

impl Caught for SimCaught {
    fn take(&self) -> Vec<Signal> {
        std::mem::take(&mut self.0.facts().caught)
    }
}

pub(super) struct SimChild {
    process: SimProcess,
    at: usize,
    is_parent: bool,
}

impl SimChild {
    /// When it ends by itself, in milliseconds since the machine started.
    pub(super) fn until(&self) -> i64 {
        self.process.facts().beings[self.at].until
    }

    fn ended(&self) -> Option<Ended> {
        let ended = self.process.facts().beings[self.at].ended;
        if self.is_parent { ended } else { ended.map(|_| Ended::Code(0)) }
    }
}

impl Child for SimChild {
    fn id(&self) -> u32 {
        FIRST + u32::try_from(self.at).unwrap_or(0)
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Ended>> {
        let at_most = i64::try_from(at_most.as_millis()).unwrap_or(i64::MAX);
        if self.ended().is_none() {
            self.process.pass(self.process.boot_ms().saturating_add(at_most));
        }
        Ok(self.ended())
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        self.process.signal(self.at, signal);
        Ok(())
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
