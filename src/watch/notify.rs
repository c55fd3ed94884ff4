//! Telling people of alerts: by a program or by a webhook.
//!
//! Here: what is sent, how often it is tried, what waits. Not here: what is told
//! of (`monitor`), that it is told once (`store::alerts`), how HTTP is spoken
//! (`sys`). Invariants: nothing here holds a run or the control loop up; nobody
//! who is slow or gone holds anybody else up; what is logged names an address by
//! its host alone, and no secret.
//!
//! ```text
//!   send ──▶ a lane for each entry of `notify:` ── at most 256 wait ──▶ its thread
//!                                                    │                  │ lives while
//!                                  the oldest go ◀───┘                  ▼ there is work
//!                                             a program, 30 s     POST, 10 s, up to 5
//!                                                                 tries with backoff
//! ```

use crate::model::run::backoff;
use crate::services::config::Notify;
use crate::store::alerts::Alert;
use crate::sys::{Confined, Ended, Finish, Sys};
use crate::watch::runner;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most alerts that wait for one who is told.
const MOST: usize = 256;
/// How often a webhook is tried.
const TRIES: u32 = 5;
/// The limit of the first wait between two tries; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest limit.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// How often a wait looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);
/// How long a program has to end when it took too long.
const GRACE: Duration = Duration::from_secs(1);

/// Where words for people go.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// How long one who is told may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A program, to its end.
    pub command: Duration,
    /// A webhook, to its answer.
    pub webhook: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { command: Duration::from_secs(30), webhook: Duration::from_secs(10) }
    }
}

/// Everybody who is told of alerts.
pub struct Notifier {
    world: Arc<World>,
    lanes: Vec<Arc<Lane>>,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").field("lanes", &self.lanes.len()).finish_non_exhaustive()
    }
}

/// What every lane needs.
struct World {
    sys: Sys,
    root: PathBuf,
    log: Log,
    limits: Limits,
    /// Whether waits are over: every try is the last.
    closing: AtomicBool,
    /// Whether programs are to be ended.
    aborted: AtomicBool,
    /// How many threads are at work.
    working: Mutex<usize>,
    idle: Condvar,
}

/// One entry of `notify:`, and what waits for it.
struct Lane {
    entry: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Alert>,
    /// Whether its thread is at work.
    works: bool,
    /// Whether it was said that some were left out.
    told_of_overflow: bool,
    /// Whether it was said that the key of the signature is missing.
    told_of_key: bool,
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notifier {
    /// Whoever the settings name. Programs run in `root`, the workspace's folder.
    /// No thread is started before there is something to tell.
    pub fn new(sys: &Sys, root: &Path, entries: &[Notify], log: Log) -> Self {
        Self::with_limits(sys, root, entries, log, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(
        sys: &Sys,
        root: &Path,
        entries: &[Notify],
        log: Log,
        limits: Limits,
    ) -> Self {
        let world = World {
            sys: sys.clone(),
            root: root.to_owned(),
            log,
            limits,
            closing: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            working: Mutex::new(0),
            idle: Condvar::new(),
        };
        let mut notifier = Self { world: Arc::new(world), lanes: Vec::new() };
        notifier.set(entries);
        notifier
    }

    /// Other settings. What waits for an entry that is still there stays, and so
    /// does what its thread is about for one that is not.
    pub fn set(&mut self, entries: &[Notify]) {
        let mut before = std::mem::take(&mut self.lanes);
        let lane = |entry: &Notify| {
            let known = before.iter().position(|lane| lane.entry == *entry);
            known.map_or_else(
                || Arc::new(Lane { entry: entry.clone(), state: Mutex::default() }),
                |at| before.swap_remove(at),
            )
        };
        self.lanes = entries.iter().map(lane).collect();
    }

    /// Tells everybody, some time soon. Never waits.
    pub fn send(&self, alerts: &[Alert]) {
        for lane in self.lanes.iter().filter(|_| !alerts.is_empty()) {
            let mut state = lane.state();
            state.waiting.extend(alerts.iter().cloned());
            let excess = state.waiting.len().saturating_sub(MOST);
            state.waiting.drain(..excess);
            let is_news = excess > 0 && !std::mem::replace(&mut state.told_of_overflow, true);
            let starts = !std::mem::replace(&mut state.works, true);
            drop(state);
            if is_news {
                let who = name(&lane.entry);
                (self.world.log)(&format!(
                    "more than {MOST} alerts wait for {who}: the oldest are left out"
                ));
            }
            if starts {
                self.world.start(lane);
            }
        }
    }

    /// Waits until everybody was told or could not be, with all tries that takes,
    /// but no longer than this. Says whether nothing is left.
    pub fn wait(&self, limit: Duration) -> bool {
        self.world.wait_idle(limit)
    }

    /// Waits until everybody was told or could not be, but no longer than this:
    /// what is left then is left out. Nothing is tried twice any more. Says
    /// whether nothing was left.
    pub fn drain(&self, limit: Duration) -> bool {
        let world = &self.world;
        world.closing.store(true, Ordering::SeqCst);
        if world.wait_idle(limit) {
            return true;
        }
        // What was started is not left behind.
        world.aborted.store(true, Ordering::SeqCst);
        let _ = world.wait_idle(2 * GRACE);
        (world.log)("not everybody was told of every alert before the end");
        false
    }
}

impl World {
    fn working(&self) -> MutexGuard<'_, usize> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_idle(&self, limit: Duration) -> bool {
        let waited = self.idle.wait_timeout_while(self.working(), limit, |working| *working > 0);
        let (working, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *working == 0
    }

    fn start(self: &Arc<Self>, lane: &Arc<Lane>) {
        *self.working() += 1;
        let (at_work, own) = (AtWork(self.clone()), lane.clone());
        let thread = std::thread::Builder::new().name("notify".to_owned());
        let spawned = thread.spawn(move || at_work.0.work(&own));
        if let Err(error) = spawned {
            lane.state().works = false;
            (self.log)(&format!("cannot tell {} of alerts: {error}", name(&lane.entry)));
        }
    }

    fn work(&self, lane: &Lane) {
        loop {
            let next = {
                let mut state = lane.state();
                let next = state.waiting.pop_front();
                state.works = next.is_some();
                next
            };
            let Some(alert) = next.filter(|_| !self.aborted.load(Ordering::SeqCst)) else { return };
            match &lane.entry {
                Notify::Command(argv) => self.run(lane, argv, &alert),
                Notify::Webhook { url, secret_env } => {
                    self.post(lane, url, secret_env.as_deref(), &alert);
                }
            }
        }
    }

    fn run(&self, lane: &Lane, argv: &[String], alert: &Alert) {
        // A name of its own, by which what it starts is found again.
        let id = self.sys.env.temp_dir().join(format!("orch-notify-{}", self.sys.random_hex()));
        let filled = argv.iter().enumerate().map(|(n, word)| match n {
            0 => word.clone(),
            _ => runner::fill(word, &|name| text(name, alert)),
        });
        let ran = self.sys.programs.confined(
            &Confined {
                argv: filled.collect(),
                dir: self.root.clone(),
                env: vec![("ORCH_NOTIFY".to_owned(), id.display().to_string())],
                within: id,
                keeps: |name, _| !name.starts_with("GIT_") && !name.starts_with("ORCH_"),
                limit: self.limits.command,
                grace: GRACE,
                tail: 0,
            },
            &|| self.aborted.load(Ordering::SeqCst),
        );
        let why = match ran {
            Ok(ran) => match ran.finish {
                Finish::Ended(Ended::Code(0)) => return,
                Finish::Ended(Ended::Code(code)) => format!("it ended with {code}"),
                Finish::Ended(Ended::Signal(signal)) => format!("signal {signal} ended it"),
                Finish::TimedOut => "it took too long and was ended".to_owned(),
                Finish::Stopped => "it was ended".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        (self.log)(&format!("{} was not told of an alert: {why}", name(&lane.entry)));
    }

    fn post(&self, lane: &Lane, url: &str, secret_env: Option<&str>, alert: &Alert) {
        let who = name(&lane.entry);
        let Ok(body) = serde_json::to_vec(alert) else { return };
        let delivery = self.sys.random_hex() + &self.sys.random_hex();
        let mut headers =
            vec![("Content-Type", "application/json"), ("X-Orch-Delivery", &delivery)];
        let signature;
        if let Some(variable) = secret_env {
            let Some(key) = self.sys.env.var(variable).filter(|key| !key.is_empty()) else {
                if !std::mem::replace(&mut lane.state().told_of_key, true) {
                    (self.log)(&format!("{who} is not told: `${variable}`, its key, is not set"));
                }
                return;
            };
            signature = sign(key.as_bytes(), &body);
            headers.push(("X-Orch-Signature", &signature));
        }
        let mut tries = 1;
        loop {
            let is_last = tries == TRIES || self.closing.load(Ordering::SeqCst);
            let why = match self.sys.net.post(url, &headers, &body, self.limits.webhook) {
                Ok(200..=299) => return,
                Ok(status) => format!("it answers {status}"),
                Err(error) => error.to_string(),
            };
            if is_last {
                let times = if tries == 1 { "once".into() } else { format!("{tries} times") };
                (self.log)(&format!("{who} was not told of an alert, tried {times}: {why}"));
                return;
            }
            self.pause(tries);
            tries += 1;
        }
    }

    /// Waits before another try, unless there is no time left.
    fn pause(&self, tries: u32) {
        let mut draw = [0; 8];
        self.sys.entropy.fill(&mut draw);
        let mut left = backoff(tries, FIRST_WAIT, LONGEST_WAIT, u64::from_be_bytes(draw));
        while !left.is_zero() && !self.closing.load(Ordering::SeqCst) {
            let step = left.min(LOOK);
            self.sys.clock.sleep(step);
            left -= step;
        }
    }
}

/// A thread that counts as at work until it ends, however it does.
struct AtWork(Arc<World>);

impl Drop for AtWork {
    fn drop(&mut self) {
        *self.0.working() -= 1;
        self.0.idle.notify_all();
    }
}

/// Whom an entry names, without what may be secret of it: of an address the
/// host, of a program its name.
fn name(entry: &Notify) -> String {
    match entry {
        Notify::Command(argv) => {
            let program = argv.first().map_or("", String::as_str);
            format!("the program `{}`", program.rsplit('/').next().unwrap_or(program))
        }
        Notify::Webhook { url, .. } => {
            let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("the webhook `{scheme}://{host}`")
        }
    }
}

/// What `{{name}}` stands for in a command.
fn text(name: &str, alert: &Alert) -> Option<String> {
    Some(match name {
        "ts" => alert.ts.clone(),
        "kind" => alert.kind.clone(),
        "severity" => alert.severity.clone(),
        "key" => alert.key.clone(),
        "summary" => alert.summary.clone(),
        "state" => alert.state.as_str().to_owned(),
        _ => return None,
    })
}

/// `sha256=` and the HMAC (RFC 2104) of a body, as hexadecimal digits.
fn sign(key: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(body);
    let mut out = String::from("sha256=");
    for byte in mac.finalize().into_bytes() {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;
