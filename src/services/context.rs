//! Who calls, in which workspace, under which settings.
//!
//! Here: resolving the actor and what `solo` waives for it. Not here: what an
//! actor may do (`model::task_state`, `services::gates`).

use crate::error::{Error, Result};
use crate::model::actor::{Actor, Principals, Role, to_name};
use crate::model::time::{Due, Timestamp};
use crate::services::config::{self, Loaded, Settings, zone::Zone};
use crate::store::discover::Start;
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::store::mirror;
use crate::sys::{FileKind, Sys};
use std::path::PathBuf;

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
        let principals = Principals::new(&settings.principals);
        Ok(Self { sys: sys.clone(), layout, settings, principals, warnings })
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
        if actor.as_str().eq_ignore_ascii_case("AUDIT@auto") {
            return Err(Error::not_allowed(
                "`AUDIT@auto` is the actor of `orch decide`; nobody else may use it",
            ));
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
            Some(newest) if newest > clock && newest.since(clock) < 3_600_000 => newest,
            _ => clock,
        }
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
    /// The token that counts for a task: the one given, else the run's own.
    pub fn token_for(&self, task: &str, given: Option<u64>) -> Option<u64> {
        given.or_else(|| self.run.as_ref().filter(|run| run.task == task).map(|run| run.token))
    }
}
