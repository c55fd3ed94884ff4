//! What somebody needs to know to begin.
//!
//! Here: the facts, gathered without ever failing, and the owner's own words in
//! `ORCH/prime.md`. Not here: how they are said in few words (`cli::render`).
//! Invariant: whatever the workspace looks like there is an answer; it is read
//! without a lock, writes nothing, and reads a bounded number of bytes.

use crate::error::{Error, ErrorKind, Result};
use crate::model::field::TaskField;
use crate::model::task::{Expiry, Task};
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::services::context::{Context, Identity, Mode, load_settings};
use crate::services::{hand_edits, queue};
use crate::store::discover::Start;
use crate::store::layout::Layout;
use crate::store::replace::resolve;
use crate::store::snapshot::{Files, Snapshot, Want};
use crate::sys::Sys;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most bytes of `ORCH/prime.md` that are said.
pub const LARGEST_OWN: usize = 8 << 10;

/// The most bytes of all files together that are read. Whoever begins a session
/// waits for this: at about 200 MB/s it is one second.
const LARGEST: u64 = 192 << 20;

/// The most bytes of settings that are parsed.
const LARGEST_SETTINGS: u64 = 1 << 20;

/// How many tasks of a kind are named.
const NAMED: usize = 5;

/// What was found.
#[derive(Debug, Default)]
pub struct Facts {
    /// The workspace's folder, where it was found.
    pub root: Option<PathBuf>,
    /// The caller, where it is plain who that is.
    pub who: Option<Identity>,
    /// How long a claim lasts.
    pub ttl: Option<Duration>,
    /// The present.
    pub now: Option<Timestamp>,
    /// What the ledgers say, where they can be used.
    pub ledger: Option<Ledger>,
    /// What is wrong, worst first.
    pub problems: Vec<Error>,
    /// Whether that stops every change.
    pub is_stuck: bool,
    /// What a reader would be warned of.
    pub warnings: Vec<String>,
    /// `ORCH/prime.md`.
    pub own: Option<Own>,
}

/// The owner's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// At most [`LARGEST_OWN`] bytes of them.
    pub text: String,
    /// Whether there are more.
    pub is_cut: bool,
}

/// What the ledgers say.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Tasks by state.
    pub states: Vec<(State, usize)>,
    /// Tasks in states that the tool does not know.
    pub other: usize,
    /// All tasks.
    pub total: usize,
    /// What the caller holds, in table order.
    pub held: Few<Held>,
    /// What the caller may claim, best first.
    pub free: Few<Named>,
    /// Whether one more may be claimed, by `leases.max_doing_per_actor`.
    pub may_hold_more: bool,
    /// Approvals that nobody has decided.
    pub approvals_pending: usize,
    /// `FREEZE`
    pub freeze: bool,
}

impl Ledger {
    /// How many tasks are in a state.
    pub fn count(&self, state: State) -> usize {
        self.states.iter().find(|(s, _)| *s == state).map_or(0, |(_, count)| *count)
    }
}

/// The first few of many.
#[derive(Debug)]
pub struct Few<T> {
    /// The first ones.
    pub first: Vec<T>,
    /// How many there are.
    pub total: usize,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: Vec::new(), total: 0 }
    }
}

/// A task by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its title, as the row has it.
    pub title: String,
    /// Its state.
    pub state: String,
}

/// A task that the caller holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The task.
    pub task: Named,
    /// When the lease ends, where the row says it.
    pub until: Option<Timestamp>,
    /// Whether it has ended: others may take the task any moment.
    pub is_over: bool,
    /// Whether a token must be given, because many may go by this actor.
    pub needs_token: bool,
}

/// Looks around. None outside of a workspace.
pub fn look(sys: &Sys, dir: Option<&Path>, actor: Option<&str>) -> Option<Facts> {
    // A session may begin where there is no folder any more.
    if dir.is_none_or(Path::is_relative) && sys.env.current_dir().is_err() {
        return None;
    }
    let start = dir.map_or(Start::CurrentDir, |dir| Start::At(dir.to_owned()));
    let layout = match Layout::discover(sys, start) {
        Ok(layout) => layout,
        Err(error) if error.kind == ErrorKind::NotFound => return None,
        Err(error) => {
            return Some(Facts { problems: vec![error], is_stuck: true, ..Facts::default() });
        }
    };
    let confined = &sys.within(&layout.root);
    let mut facts = Facts { root: Some(layout.root.clone()), ..Facts::default() };
    match own(confined, &layout) {
        Ok(own) => facts.own = own,
        Err(error) => facts.problems.push(error),
    }
    if let Err(error) = workspace(sys, dir, actor, &layout, &mut facts) {
        facts.problems.insert(0, error);
        facts.is_stuck = true;
    }
    Some(facts)
}

fn workspace(
    sys: &Sys,
    dir: Option<&Path>,
    actor: Option<&str>,
    layout: &Layout,
    facts: &mut Facts,
) -> Result<()> {
    is_soon_read(&sys.within(&layout.root), layout)?;
    let mut ctx = Context::open(sys, dir.map(Path::to_path_buf), Mode::Read)?;
    facts.ttl = Some(ctx.settings.leases.ttl);
    match ctx.identity(actor) {
        Ok(who) => facts.who = Some(who),
        Err(error) => {
            facts.problems.push(error);
            facts.is_stuck = true;
        }
    }
    // Readers only warn of an unknown key; changes are refused.
    if let Err(error) = load_settings(&ctx.sys, layout)?.strict(&layout.display(&layout.settings()))
    {
        facts.problems.push(error);
        facts.is_stuck = true;
    }
    let files = Files::read(&ctx.sys, layout, Want::All)?;
    facts.warnings.append(&mut ctx.warnings);
    let mut snapshot = Snapshot::parse(&ctx.sys, layout, &files)?;
    let noticed = hand_edits::noticed(&ctx, &files, &snapshot)?;
    // What is committed and not in its place yet is nobody's edit.
    if !files.unfinished {
        facts.warnings.extend(noticed.warnings);
    }
    snapshot.standing = noticed.standing;
    let now = ctx.now(snapshot.journal()?.newest());
    facts.now = Some(now);
    facts.ledger = Some(ledger(&ctx, &snapshot, facts.who.as_ref(), now)?);
    Ok(())
}

fn ledger(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: Option<&Identity>,
    now: Timestamp,
) -> Result<Ledger> {
    let tasks = &snapshot.tasks;
    let mut found = Ledger {
        states: State::ALL.iter().map(|state| (*state, 0)).collect(),
        approvals_pending: snapshot
            .approvals
            .waiting(ctx.settings.approvals.expired_before(now))
            .count(),
        freeze: ctx.flags_in_force(snapshot.flags).freeze,
        ..Ledger::default()
    };
    let mut live = 0;
    for row in tasks.rows() {
        found.total += 1;
        let state = tasks.cell(row, TaskField::State);
        let Some(state) = state.as_deref().and_then(State::parse) else {
            found.other += 1;
            continue;
        };
        if let Some((_, count)) = found.states.iter_mut().find(|(s, _)| *s == state) {
            *count += 1;
        }
        let (State::Doing, Some(who)) = (state, who) else { continue };
        let task = tasks.task(row);
        let Some(lease) = task.lease().filter(|lease| lease.is_held_by(&who.actor)) else {
            continue;
        };
        live += u32::from(lease.is_live(now, ctx.settings.leases.grace));
        found.held.total += 1;
        if found.held.first.len() < NAMED {
            let until = match lease.expiry {
                Expiry::At(end) => Some(end),
                Expiry::Missing | Expiry::Malformed(_) => None,
            };
            found.held.first.push(Held {
                until,
                is_over: until.is_some_and(|end| end <= now)
                    || matches!(lease.expiry, Expiry::Missing),
                needs_token: who.actor.is_bare() && who.token_for(&task.id, None).is_none(),
                task: named(&task),
            });
        }
    }
    let limit = ctx.settings.leases.max_doing_per_actor;
    found.may_hold_more = limit == 0 || live < limit;
    if let Some(who) = who {
        let expired: HashSet<_> = queue::expired(ctx, snapshot, now).collect();
        let is_expired = |row| expired.contains(&row);
        let free = queue::candidates(ctx, snapshot, who, now, &is_expired, &HashSet::new())?;
        found.free.total = free.len();
        found.free.first =
            free.into_iter().take(NAMED).map(|row| named(&tasks.task(row))).collect();
    }
    Ok(found)
}

fn named(task: &Task<'_>) -> Named {
    Named {
        id: task.id.clone().into_owned(),
        title: task.title.as_deref().unwrap_or_default().to_owned(),
        state: task.state.as_deref().unwrap_or_default().to_owned(),
    }
}

/// Refuses files that take long to read. Those that cannot be looked at are left
/// to whoever reads them.
fn is_soon_read(sys: &Sys, layout: &Layout) -> Result<()> {
    let len = |path: &Path| sys.fs.stat(path).map_or(0, |stat| stat.len);
    let settings = layout.settings();
    if len(&settings) > LARGEST_SETTINGS {
        let message = format!("`{}` is too large to be settings", layout.display(&settings));
        return Err(Error::usage(message).hint("orch doctor"));
    }
    let mut all = [layout.tasks(), layout.approvals(), layout.flags(&*sys.fs), layout.redo()]
        .iter()
        .map(|path| len(path))
        .sum::<u64>();
    for month in sys.fs.list(&layout.logs_dir()).unwrap_or_default() {
        all += len(&layout.journal_month(&month));
    }
    let archive = layout.archive_dir();
    for name in sys.fs.list(&archive).unwrap_or_default() {
        all += len(&archive.join(name));
    }
    if all <= LARGEST {
        return Ok(());
    }
    let message = format!("ledgers and journal have {} MB, too much to read here", all >> 20);
    Err(Error::invalid(message).hint("orch status"))
}

/// Reads `ORCH/prime.md`, where there is one.
fn own(sys: &Sys, layout: &Layout) -> Result<Option<Own>> {
    let path = layout.prime();
    let target = resolve(sys, layout, &path)?;
    if target.stat.is_none() {
        return Ok(None);
    }
    let mut bytes = sys
        .fs
        .read_part(&target.path, 0, LARGEST_OWN + 1)
        .map_err(|e| Error::io("read", &path, &e))?;
    let is_cut = bytes.len() > LARGEST_OWN;
    bytes.truncate(LARGEST_OWN);
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            let (upto, broken) = (e.utf8_error().valid_up_to(), e.utf8_error().error_len());
            // Cut in the middle of a character.
            if broken.is_some() || !is_cut {
                let message = format!("`{}` is not UTF-8", target.name);
                return Err(Error::invalid(message).hint("orch doctor"));
            }
            let mut bytes = e.into_bytes();
            bytes.truncate(upto);
            String::from_utf8(bytes).unwrap_or_default()
        }
    };
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    Ok(Some(Own { text, is_cut }))
}
