//! `orch lock acquire|renew|release|list|run`

use crate::answer::lease::ttl;
use crate::cli::answer::{Answer, Cx, End};
use crate::cli::args::{ChangeArgs, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::tasks::shell_word;
use crate::model::duration;
use crate::model::lock_name::LockName;
use crate::services::context::{Context, Identity, Mode};
use crate::services::locks::program::{Guard, is_loss};
use crate::services::locks::{self, Request, Verb};
use crate::sys::{Caught, Program};
use crate::wire::lock::{Lock, LockChange, LockList};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::time::Duration;

/// Arguments of `orch lock`.
#[derive(Debug, Args)]
#[command(subcommand_required = true)]
pub struct LockArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Take locks, all or none
    Acquire(AcquireArgs),
    /// Keep locks
    Renew(RenewArgs),
    /// Give locks back (CMD: anybody's)
    Release(ReleaseArgs),
    /// List who holds what, and until when
    List,
    /// Run a program while holding locks
    Run(RunArgs),
}

#[derive(Debug, Args)]
struct AcquireArgs {
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    taking: Taking,
    /// The token of a hold that is yours already
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
struct RenewArgs {
    #[command(flatten)]
    names: Names,
    /// How long it lasts from now; without it as long as it was taken for
    #[arg(long, value_name = "DUR")]
    ttl: Option<String>,
    /// The hold's token
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
struct ReleaseArgs {
    #[command(flatten)]
    names: Names,
    /// The hold's token
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    names: Names,
    #[command(flatten)]
    taking: Taking,
    /// Write this to the journal
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The program and its arguments; it sees `$ORCH_LOCK_TOKEN` and `$ORCH_LOCK`
    #[arg(value_name = "CMD", last = true, required = true)]
    program: Vec<OsString>,
}

#[derive(Debug, Args)]
struct Names {
    /// Words (deploy), or paths and globs from the workspace's root (src/**, ./Makefile)
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

#[derive(Debug, Args)]
struct Taking {
    /// How long the hold lasts without renewal (30m)
    #[arg(long, value_name = "DUR")]
    ttl: Option<String>,
    /// Wait up to this long for somebody else's lock (10m)
    #[arg(long, value_name = "DUR")]
    wait: Option<String>,
}

impl Taking {
    fn wait(&self) -> Result<Duration> {
        Ok(self.wait.as_deref().map(duration::parse).transpose()?.unwrap_or_default())
    }
}

pub(super) fn run(cx: &mut Cx<'_>, args: LockArgs) -> End {
    match args.action {
        Action::List => list(cx),
        Action::Run(args) => run_program(cx, args),
        Action::Acquire(args) => {
            let wait = args.taking.wait()?;
            let asks = Asks { ttl: ttl(args.taking.ttl.as_deref())?, token: args.token };
            change(cx, Verb::Acquire, &args.names.names, &asks, wait, args.change)
        }
        Action::Renew(args) => {
            let asks = Asks { ttl: ttl(args.ttl.as_deref())?, token: args.token };
            change(cx, Verb::Renew, &args.names.names, &asks, Duration::ZERO, args.change)
        }
        Action::Release(args) => {
            let asks = Asks { ttl: None, token: args.token };
            change(cx, Verb::Release, &args.names.names, &asks, Duration::ZERO, args.change)
        }
    }
}

struct Asks {
    ttl: Option<Duration>,
    token: Option<u64>,
}

fn change(
    cx: &mut Cx<'_>,
    verb: Verb,
    names: &[String],
    asks: &Asks,
    wait: Duration,
    args: ChangeArgs,
) -> End {
    let ctx = cx.context(Mode::Change)?;
    let names = locks::names(&ctx, names)?;
    let request = Request { names, ttl: asks.ttl, token: asks.token };
    let change = cx.asked(&ctx, verb.command(), args, &request)?;
    let attempt = || {
        locks::run(&ctx, &change, verb, &request, &|report| {
            let (lease, op) = (report.lease.as_ref(), report.op);
            let answer = LockChange::of(report.rows, lease, report.already, op, report.dry_run);
            serde_json::to_value(answer).unwrap_or_default()
        })
    };
    let changed = if verb == Verb::Acquire && !change.dry_run {
        locks::waiting(&ctx, &change.who, &request, wait, &|| false, &attempt)?
    } else {
        attempt()?
    };
    let warnings =
        if verb == Verb::Acquire { words_that_are_files(&ctx, &request) } else { Vec::new() };
    let end = tell(cx, verb, &change.who, &changed.data, &warnings);
    cx.told(&change, &changed.data, &changed.warnings, end)?;
    Ok(None)
}

/// A word does not keep anybody from the file of its name.
fn words_that_are_files(ctx: &Context, request: &Request) -> Vec<String> {
    let words = request.names.iter().filter(|name| !name.is_path()).map(LockName::as_str);
    let files = words.filter(|word| ctx.sys.fs.lstat(&ctx.layout.root.join(word)).is_ok());
    files.map(|word| format!("`{word}` is a word here; the file is `./{word}`")).collect()
}

fn tell(
    cx: &mut Cx<'_>,
    verb: Verb,
    who: &Identity,
    data: &Value,
    warnings: &[String],
) -> Result<()> {
    for warning in warnings {
        cx.ui.warning(warning);
    }
    let answer: LockChange = serde_json::from_value(data.clone()).unwrap_or_default();
    let next = next(cx, who, &answer);
    let kind = match verb {
        Verb::Acquire => "lock.acquire",
        Verb::Renew => "lock.renew",
        Verb::Release => "lock.release",
    };
    match cx.global.format() {
        Format::Json => return cx.json(kind, data, warnings, &next),
        Format::Jsonl => {
            let _ = cx.ui.emit(|out, _| writeln!(out, "{data}"))?;
        }
        Format::Csv | Format::Md => {
            cx.rows(&Answer {
                kind,
                data,
                columns: &COLUMNS,
                flexible: &[],
                rows: answer.locks.iter().map(row).collect(),
                warnings,
                next: &next,
            })?;
        }
        Format::Table => {
            let is = if answer.diff.is_some() { "would be" } else { "is" };
            for lock in &answer.locks {
                let _ = cx.ui.line(&line(lock, is))?;
            }
            if answer.already {
                cx.ui.note("it was so already; nothing changed");
            }
        }
    }
    cx.next(&next);
    Ok(())
}

fn line(lock: &Lock, is: &str) -> String {
    let name = lock.name.as_deref().unwrap_or(&lock.file);
    match (&lock.owner, &lock.expires_at, lock.token) {
        (Some(owner), Some(end), Some(token)) => {
            format!("{name} {is} held by {owner} until {end}, token {token}")
        }
        _ => format!("{name} {is} {}", lock.status),
    }
}

/// Whole commands, one pair for each token.
fn next(cx: &Cx<'_>, who: &Identity, answer: &LockChange) -> Vec<String> {
    if answer.diff.is_some() {
        return Vec::new();
    }
    let mut holds: Vec<(u64, String)> = Vec::new();
    for lock in &answer.locks {
        let (Some(name), Some(token)) = (&lock.name, lock.token) else { continue };
        let name = shell_word(name);
        match holds.iter_mut().find(|(other, _)| *other == token) {
            Some((_, names)) => names.extend([" ", &name]),
            None => holds.push((token, name)),
        }
    }
    holds
        .iter()
        .flat_map(|(token, names)| {
            ["renew", "release"]
                .map(|verb| cx.command(&format!("lock {verb} {names} --token {token}"), Some(who)))
        })
        .collect()
}

const COLUMNS: [&str; 5] = ["name", "owner", "status", "expires_at", "token"];

fn row(lock: &Lock) -> Vec<String> {
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_default();
    vec![
        lock.name.clone().unwrap_or_else(|| lock.file.clone()),
        cell(&lock.owner),
        lock.status.clone(),
        cell(&lock.expires_at),
        lock.token.map(|token| token.to_string()).unwrap_or_default(),
    ]
}

fn list(cx: &mut Cx<'_>) -> End {
    let ctx = cx.context(Mode::Read)?;
    let locks: Vec<Lock> = locks::list(&ctx)?.iter().map(Lock::from).collect();
    let mut warnings = ctx.warnings.clone();
    for lock in locks.iter().filter(|lock| lock.status == "unreadable") {
        let warning = format!("`{}` cannot be read as a lock", lock.file);
        cx.ui.warning(&warning);
        warnings.push(warning);
    }
    let rows = locks.iter().map(row).collect();
    let total = locks.len();
    cx.rows(&Answer {
        kind: "lock.list",
        data: LockList { locks, total, returned: total, truncated: false },
        columns: &COLUMNS,
        flexible: &["name"],
        rows,
        warnings: &warnings,
        next: &[],
    })?;
    Ok(None)
}

/// What env(1) ends with where there is no such program, and where it cannot be
/// run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

fn run_program(cx: &mut Cx<'_>, args: RunArgs) -> End {
    let ctx = cx.context(Mode::Change)?;
    let who = ctx.identity(cx.global.actor.as_deref())?;
    let note = cx.option_text(args.note)?;
    let request = Request {
        names: locks::names(&ctx, &args.names.names)?,
        ttl: ttl(args.taking.ttl.as_deref())?,
        token: None,
    };
    let wait = args.taking.wait()?;
    // Before the lock is taken: from then on a signal must not end us without
    // giving it back.
    let caught =
        cx.sys.process.catch().map_err(|e| {
            Error::new(ErrorKind::Failed, format!("cannot listen for signals: {e}"))
        })?;
    let stop = Cell::new(None);
    let is_stopped = || {
        stop.set(stop.get().or_else(|| caught.take().into_iter().next()));
        stop.get().is_some()
    };
    let guard = Guard::acquire(&ctx, &who, &request, note.as_deref(), wait, &is_stopped);
    let stopped = is_stopped().then(|| stop.get()).flatten();
    if let Some(signal) = stopped {
        cx.program_exit.set(Some(128 + signal.number()));
        if let Ok(guard) = guard {
            guard.release()?;
        }
        return Ok(None);
    }
    let mut guard = guard?;
    for warning in words_that_are_files(&ctx, &request) {
        cx.ui.warning(&warning);
    }
    // Nothing of ours may stand behind what the program prints.
    let _ = cx.ui.finish()?;
    let end = guarded(cx, &mut guard, &request, args.program, &*caught);
    let released = guard.release();
    match (end, released) {
        (Err(error), _) => Err(error),
        (Ok(()), Err(error)) if is_loss(&error) => {
            cx.program_exit.set(None);
            Err(Error { kind: ErrorKind::LeaseLost, ..error })
        }
        (Ok(()), Err(error)) => {
            cx.ui.warning(&format!("the lock runs out by itself: {}", error.message));
            Ok(None)
        }
        (Ok(()), Ok(())) => Ok(None),
    }
}

fn guarded(
    cx: &Cx<'_>,
    guard: &mut Guard<'_>,
    request: &Request,
    argv: Vec<OsString>,
    caught: &dyn Caught,
) -> Result<()> {
    let env = &cx.sys.env;
    // At a terminal the program stays in our group, as under flock(1): it may
    // read from there, and Ctrl-C and Ctrl-Z reach both of us. Elsewhere it
    // leads one, so that whatever it started ends with it.
    let leads = !(env.stdin_is_terminal() || env.stdout_is_terminal() || env.stderr_is_terminal());
    let names: Vec<&str> = request.names.iter().map(LockName::as_str).collect();
    let name = argv.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let program = Program {
        argv,
        env: vec![
            ("ORCH_LOCK_TOKEN".to_owned(), guard.token().to_string()),
            ("ORCH_LOCK".to_owned(), names.join("\n")),
        ],
        own_group: leads,
    };
    let mut child = cx.sys.process.spawn(&program).map_err(|e| {
        let is_missing = e.kind() == io::ErrorKind::NotFound;
        cx.program_exit.set(Some(if is_missing { NOT_FOUND } else { NOT_RUN }));
        Error::new(ErrorKind::Failed, format!("cannot run `{name}`: {e}"))
            .hint("orch lock run --help")
    })?;
    let ended = guard.keep(&mut *child, leads, caught)?;
    cx.program_exit.set(Some(ended.number()));
    Ok(())
}
