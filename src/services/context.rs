//! Who calls, in which workspace, under which settings.
//!
//! Here: resolving the actor and what `solo` waives for it. Not here: what an
//! actor may do (`model::task_state`, `services::gates`).

use crate::error::{Error, Result};
use crate::ledger::flags;
use crate::model::actor::{Actor, Principals, Role, to_name};
use crate::model::flags::Flags;
use crate::model::time::{Due, Timestamp};
use crate::services::config::{self, Loaded, Settings, zone::Zone};
use crate::services::policy;
use crate::store::checkpoint::{Checkpoint, Mark};
use crate::store::discover::Start;
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::store::mirror;
use crate::sys::{FileKind, Stat, Sys};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The actor of decisions by rule, which nobody else may use.
pub const AUTO: &str = "AUDIT@auto";

/// How far ahead of the clock the journal may be and still count.
const HOUR_MS: i64 = 3_600_000;

/// The most bytes of a flags file that are read.
const LARGEST_FLAGS: u64 = 1 << 20;

/// A workspace, opened.
pub struct Context {
    /// The outside.
    pub sys: Sys,
    /// Where everything is.
    pub layout: Layout,
    /// The settings in force.
    pub settings: Settings,
    /// Which names are one person.
    pub principals: Principals,
    /// What is odd about the settings, for readers to warn of.
    pub warnings: Vec<String>,
    /// What this machine saw last.
    pub checkpoint: Option<Checkpoint>,
    /// Settings and flags that a hand edit loosened: their former value counts.
    pub held: Vec<Held>,
    /// The settings as the file has them.
    pub written: Settings,
    /// The flags that a hand edit must not loosen.
    former_flags: Option<Flags>,
}

/// A setting or flag whose former value stays in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its key.
    pub name: &'static str,
    /// The file, as the journal names it.
    pub file: String,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// Whether a command only reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// An unknown setting is a warning.
    Read,
    /// An unknown setting is an error.
    Change,
}

impl Context {
    /// Finds and opens the workspace. `dir` is `-C`.
    ///
    /// # Errors
    /// `not_found` where there is none, `usage` for bad settings.
    pub fn open(sys: &Sys, dir: Option<PathBuf>, mode: Mode) -> Result<Self> {
        let layout = Layout::discover(sys, dir.map_or(Start::CurrentDir, Start::At))?;
        let sys = &sys.within(&layout.root);
        let loaded = load_settings(sys, &layout)?;
        let mut warnings = Vec::new();
        let settings = match mode {
            Mode::Change => loaded.strict(&layout.display(&layout.settings()))?,
            Mode::Read => {
                let file = layout.display(&layout.settings());
                warnings.extend(
                    loaded.unknown.iter().map(|k| format!("{file}:{}:{}: {k}", k.line, k.column)),
                );
                loaded.settings
            }
        };
        let checkpoint = Checkpoint::read(sys, &layout);
        let mut ctx = Self {
            sys: sys.clone(),
            layout,
            written: settings.clone(),
            settings,
            principals: Principals::new(&BTreeMap::new()),
            warnings,
            checkpoint,
            held: Vec::new(),
            former_flags: None,
        };
        match ctx.hold_policy() {
            Err(error) if mode == Mode::Change => return Err(error),
            _ => {}
        }
        ctx.principals = Principals::new(&ctx.settings.principals);
        Ok(ctx)
    }

    /// Keeps the former value of what a hand edit loosened.
    fn hold_policy(&mut self) -> Result<()> {
        let flags_path = self.layout.flags(&*self.sys.fs);
        let as_left = |path: &std::path::Path| {
            let known = self.checkpoint.as_ref()?.files.get(&self.layout.display(path))?;
            let mark = self.sys.fs.stat(path).ok().map(|stat| Mark::from(&stat));
            Some(mark == known.mark && mark.is_some() == known.sha.is_some())
        };
        let settings_path = self.layout.settings();
        let quiet = self.checkpoint.as_ref().is_some_and(|c| c.standing == 0)
            && as_left(&settings_path) == Some(true)
            && as_left(&flags_path) == Some(true);
        if quiet {
            return Ok(());
        }
        let journal = Journal::read(&self.sys, &self.layout)?;
        let Some((before, flags)) = self.former_policy(&journal) else { return Ok(()) };
        let file = self.layout.display(&settings_path);
        for name in policy::hold(&before, &mut self.settings) {
            self.held.push(Held { name, file: file.clone() });
        }
        let is_file = |s: &Stat| s.kind == FileKind::File && s.len <= LARGEST_FLAGS;
        let is_file = self.sys.fs.stat(&flags_path).is_ok_and(|s| is_file(&s));
        let bytes = if is_file { self.sys.fs.read(&flags_path).ok() } else { None };
        let mut now = match bytes {
            Some(bytes) => flags::parse(&String::from_utf8_lossy(&bytes)),
            None => Flags::OFF,
        };
        for name in policy::hold_flags(flags, &mut now) {
            self.held.push(Held { name, file: self.layout.display(&flags_path) });
        }
        self.former_flags = Some(flags);
        for held in &self.held {
            self.warnings.push(format!(
                "{}: `{}` was loosened by hand; its former value stays in force until CMD runs \
                 `orch check --accept`",
                held.file, held.name
            ));
        }
        Ok(())
    }

    /// The policy in force until now: the journal's; where the journal is gone
    /// that this machine saw, that of the files as it saw them.
    fn former_policy(&mut self, journal: &Journal) -> Option<(Settings, Flags)> {
        if let Some(policy) = journal.last_policy() {
            return Some(policy::read(&policy));
        }
        let saw = self.checkpoint.as_ref().filter(|_| journal.is_empty())?.heads.last()?.clone();
        self.warnings.push(format!(
            "the journal is gone: this machine saw it up to the operation {}:{}; bring \
             ORCH/LOGS back, from git if it is there",
            saw.0, saw.1
        ));
        let base = |path: &std::path::Path| {
            let path = self.layout.base(&self.layout.display(path));
            let stat = self.sys.fs.lstat(&path).ok()?;
            let usable = stat.kind == FileKind::File && stat.len <= LARGEST_FLAGS;
            let bytes = usable.then(|| self.sys.fs.read(&path).ok())??;
            String::from_utf8(bytes).ok()
        };
        let settings = base(&self.layout.settings()).unwrap_or_default();
        let flags = base(&self.layout.flags(&*self.sys.fs)).unwrap_or_default();
        let settings = config::load(&settings, "the settings as last seen").ok()?.settings;
        Some((settings, flags::parse(&flags)))
    }

    /// The flags that count.
    pub fn flags_in_force(&self, written: Flags) -> Flags {
        let mut flags = written;
        if let Some(former) = self.former_flags {
            policy::hold_flags(former, &mut flags);
        }
        flags
    }

    /// Who calls: `--as`, else `$ORCH_ACTOR`, else `actor:`, else `WORK@<os user>`.
    ///
    /// # Errors
    /// `usage` for a bad spelling, `not_allowed` for another `--as` in a process
    /// that is bound to its run.
    pub fn identity(&self, typed: Option<&str>) -> Result<Identity> {
        let env = |name: &str| self.sys.env.var(name).filter(|value| !value.is_empty());
        let default = match &self.settings.actor {
            Some(actor) => parse_actor(actor, "`actor:` in orch.yaml")?,
            None => Actor::named(Role::Work, &to_name(&self.sys.env.user()))
                .ok_or_else(|| Error::usage("the system's user has no name"))?,
        };
        let inherited = match env("ORCH_ACTOR") {
            Some(text) => Some(parse_actor(&text, "`$ORCH_ACTOR`")?),
            None => None,
        };
        let run = match (env("ORCH_TASK_ID"), env("ORCH_LEASE_TOKEN")) {
            (Some(task), Some(token)) => {
                let token = token.parse().map_err(|_| {
                    Error::usage(format!("`$ORCH_LEASE_TOKEN` is `{token}`, which is no token"))
                })?;
                Some(Run { task, token })
            }
            _ => None,
        };
        let typed = typed.map(|text| parse_actor(text, "`--as`")).transpose()?;
        let explicit = typed.is_some();
        let from_env = inherited.is_some() && typed.is_none();
        let actor = match &run {
            None => typed.or(inherited).unwrap_or_else(|| default.clone()),
            Some(run) => {
                let holder = self.holder_of(run);
                let bound = holder.or(inherited.clone()).unwrap_or_else(|| default.clone());
                if let Some(other) =
                    [&typed, &inherited].into_iter().flatten().find(|a| **a != bound)
                {
                    return Err(Error::not_allowed(format!(
                        "this process is bound to the run of `{}` by `{bound}`; it cannot act as `{other}`",
                        run.task
                    )));
                }
                bound
            }
        };
        if actor.as_str().eq_ignore_ascii_case(AUTO) {
            return Err(Error::not_allowed(format!(
                "`{AUTO}` is the actor of `orch decide`; nobody else may use it"
            )));
        }
        let solo = self.settings.solo && actor == default && !from_env && run.is_none();
        Ok(Identity { actor, solo, explicit, run })
    }

    /// Whose lease a run's token belongs to, as mirror or journal know it.
    fn holder_of(&self, run: &Run) -> Option<Actor> {
        let mirrored = mirror::read(&self.sys, &self.layout, &run.task)
            .filter(|m| m.token == run.token)
            .map(|m| m.owner);
        let holder = mirrored.or_else(|| {
            let history = Journal::read(&self.sys, &self.layout).ok()?.history(&run.task);
            history.leases.into_iter().find(|l| l.token == Some(run.token)).map(|l| l.holder)
        });
        Actor::parse(&holder?)
    }

    /// The present, never earlier than the journal's newest time where that is
    /// less than an hour ahead: a clock that jumps back shortens no lease.
    pub fn now(&self, newest: Option<Timestamp>) -> Timestamp {
        let clock = Timestamp(self.sys.clock.now_ms());
        match newest {
            Some(newest) if newest > clock && newest.since(clock) < HOUR_MS => newest,
            _ => clock,
        }
    }

    /// Says so where the journal's newest line is too far ahead to be believed.
    pub fn clock_warning(&self, newest: Option<Timestamp>) -> Option<String> {
        let clock = Timestamp(self.sys.clock.now_ms());
        let newest = newest.filter(|newest| newest.since(clock) >= HOUR_MS)?;
        Some(format!(
            "the journal's newest line is of {}, more than an hour ahead of this machine's clock; \
             the clock counts",
            newest.to_millis_string()
        ))
    }

    /// Whether a due date has passed.
    pub fn is_overdue(&self, due: Due, now: Timestamp) -> bool {
        let zone: Zone = self.settings.zone();
        due.deadline(|date| Timestamp(zone.end_of_day_ms(date))) <= now
    }
}

/// Reads orch.yaml; a missing file is all defaults.
pub fn load_settings(sys: &Sys, layout: &Layout) -> Result<Loaded> {
    let path = layout.settings();
    if sys.fs.stat(&path).is_ok_and(|stat| stat.kind != FileKind::File) {
        return Err(Error::usage("the settings are no regular file").at(
            layout.display(&path),
            0,
            0,
        ));
    }
    let text = match sys.fs.read(&path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| {
            Error::usage("the settings are not UTF-8").at(layout.display(&path), 0, 0)
        })?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::io("read", &path, &e)),
    };
    config::load(&text, &layout.display(&path))
}

fn parse_actor(text: &str, source: &str) -> Result<Actor> {
    Actor::parse(text).ok_or_else(|| {
        Error::usage(format!(
            "{source} is `{text}`, which is no actor; write CMD, WORK or AUDIT, or a role with a \
             name such as `WORK@ada`"
        ))
    })
}

/// The caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Role and name.
    pub actor: Actor,
    /// Whether `solo: true` waives rules for it.
    pub solo: bool,
    /// Whether it was given by `--as`, so that printed commands repeat it.
    pub explicit: bool,
    /// The run that the process belongs to.
    pub run: Option<Run>,
}

/// A run that `watch` started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its task.
    pub task: String,
    /// Its lease's token.
    pub token: u64,
}

impl Identity {
    /// Whether it may do what a role is needed for, which it has or has not.
    /// `solo` gives every role, and its use is noted.
    pub fn may(&self, has_role: bool, waivers: &mut Vec<String>) -> bool {
        if !has_role && self.solo {
            waivers.push("role".to_owned());
        }
        has_role || self.solo
    }

    /// The token that counts for a task: the one given, else the run's own.
    pub fn token_for(&self, task: &str, given: Option<u64>) -> Option<u64> {
        given.or_else(|| self.run.as_ref().filter(|run| run.task == task).map(|run| run.token))
    }
}
