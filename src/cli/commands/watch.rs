//! `orch watch`

use crate::cli::answer::{Answer, Cx, End};
use crate::cli::args::Format;
use crate::cli::render::safe::Safe;
use crate::cli::render::style::{RESET, Style};
use crate::cli::ui::Options;
use crate::error::Error;
use crate::model::time::Timestamp;
use crate::services::context::{Context, Mode};
use crate::watch::dispatcher::{Dispatcher, Request};
use crate::watch::event::{Event, Kind};
use crate::watch::plan::{self, Action};
use crate::wire;
use clap::Args;
use std::io::{self, Write};

/// Arguments of `orch watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Start what can start now, wait for it, and end: for cron
    #[arg(long)]
    once: bool,
    /// Serve /metrics and /health here, such as 127.0.0.1:9464
    #[arg(long, value_name = "ADDR")]
    metrics: Option<String>,
    /// Start nothing; print what would be started and what waits for what
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(cx: &mut Cx<'_>, args: WatchArgs) -> End {
    let ctx = cx.context(Mode::Change)?;
    let who = ctx.identity(cx.global.actor.as_deref())?;
    if let Some(run) = &who.run {
        return Err(Error::not_allowed(format!(
            "this process is bound to the run of `{}`; it starts no others",
            run.task
        )));
    }
    if args.dry_run {
        return dry_run(cx, ctx, who);
    }
    if ctx.settings.watch.runners.is_empty() && ctx.settings.watch.schedules.is_empty() {
        cx.ui.note("no runners and no schedules in orch.yaml: this watch only looks after leases and alerts");
    }
    let request = Request { once: args.once, metrics: args.metrics };
    let warnings = ctx.warnings.clone();
    let sys = cx.sys.clone();
    let dir = cx.global.dir.clone();
    let structured = cx.global.format() != Format::Table
        || cx.sys.env.var("ORCH_LOG").is_some_and(|how| how == "json");
    // One object where there is an end to it; else one an event, as it comes.
    let gathers = args.once && cx.global.format() == Format::Json;
    let mut gathered = Vec::new();
    let is_seen = cx.sys.env.stdout_is_terminal();
    let ui = &mut cx.ui;
    let mut tell = |event: &Event| {
        if event.kind == Kind::Trouble && !is_seen {
            // Whoever throws the events away, as cron does, still hears of it.
            ui.warning(&event.message);
        }
        if gathers {
            gathered.push(shape(event));
            return;
        }
        // A reader that went away is no reason to leave runs alone.
        let _ = ui.emit(|out, options| {
            if structured {
                writeln!(out, "{}", serde_json::to_string(&shape(event)).unwrap_or_default())?;
            } else {
                for_people(out, options, event)?;
            }
            out.flush()
        });
    };
    Dispatcher::new(&sys, dir, ctx, who, request, &mut tell).run()?;
    if gathers {
        let data = wire::watch::Events { events: gathered };
        cx.json("watch.once", &data, &warnings, &[])?;
    }
    Ok(None)
}

fn shape(event: &Event) -> wire::watch::Event {
    wire::watch::Event {
        ts: event.at.map(Timestamp::to_millis_string).unwrap_or_default(),
        event: event.kind.name(),
        task: event.task.clone(),
        runner: event.runner.clone(),
        attempt: event.attempt.map(|(attempt, _)| attempt),
        attempts: event.attempt.map(|(_, of)| of),
        result: event.result.clone(),
        took_ms: event.took_ms,
        message: event.message.clone(),
    }
}

/// `2026-01-01T09:00:00Z  started   T-1  coder, attempt 1 of 4: Write the parser`
fn for_people(out: &mut dyn Write, options: Options, event: &Event) -> io::Result<()> {
    let at = event.at.map(|at| at.whole_seconds().to_string()).unwrap_or_default();
    let (open, close) = match style(event) {
        Some(style) if options.color_out => (style.open(), RESET),
        _ => ("", ""),
    };
    let mut parts = Vec::new();
    if let Some(runner) = &event.runner {
        parts.push(runner.clone());
    }
    if let Some((attempt, of)) = event.attempt.filter(|(_, of)| *of > 1) {
        parts.push(format!("attempt {attempt} of {of}"));
    }
    if let Some(result) = &event.result {
        parts.push(result.clone());
    }
    if let Some(took) = event.took_ms {
        parts.push(format!("after {}", seconds(took)));
    }
    let mut line = parts.join(", ");
    if !event.message.is_empty() {
        line.push_str(if line.is_empty() { "" } else { ": " });
        line.push_str(&event.message);
    }
    if let Some(task) = &event.task {
        line = format!("{task}  {line}");
    }
    let kind = event.kind.name();
    if line.is_empty() {
        return writeln!(out, "{at}  {open}{kind}{close}");
    }
    writeln!(out, "{at}  {open}{kind:<9}{close}  {}", Safe(line.trim_end()))
}

fn style(event: &Event) -> Option<Style> {
    match event.kind {
        Kind::Started | Kind::Recovered => Some(Style::Cyan),
        Kind::Ended if event.result.as_deref() == Some("ok") => Some(Style::Green),
        Kind::Ended | Kind::Missed | Kind::Paused | Kind::Reaped | Kind::Ending => {
            Some(Style::Yellow)
        }
        Kind::Alert | Kind::Trouble => Some(Style::Red),
        Kind::Watching | Kind::Reloaded | Kind::Draining | Kind::Stopped => None,
    }
}

/// `0.3 s`, `12.0 s`, `5m`.
fn seconds(ms: u64) -> String {
    if ms < 60_000 {
        format!("{}.{} s", ms / 1000, ms % 1000 / 100)
    } else {
        crate::model::duration::format(std::time::Duration::from_secs(ms / 1000))
    }
}

fn dry_run(cx: &mut Cx<'_>, ctx: Context, who: crate::services::context::Identity) -> End {
    let (sys, dir) = (cx.sys.clone(), cx.global.dir.clone());
    let warnings = ctx.warnings.clone();
    let runners: Vec<String> =
        ctx.settings.watch.runners.iter().map(|runner| runner.name.clone()).collect();
    let mut tell = |_: &Event| {};
    let found = Dispatcher::new(&sys, dir, ctx, who, Request::default(), &mut tell).dry_run()?;
    let actions: Vec<wire::watch::Action> =
        found.actions.iter().map(|a| spell(a, &runners)).collect();
    let waiting = found
        .waiting
        .into_iter()
        .map(|(task, reason)| wire::watch::Waiting { task, reason })
        .collect();
    let data = wire::watch::Plan { actions, waiting };
    let rows = rows(&data);
    cx.rows(&Answer {
        kind: "watch.plan",
        data,
        columns: &["action", "task_id", "runner", "reason"],
        flexible: &["reason"],
        rows,
        warnings: &warnings,
        next: &[],
    })?;
    Ok(None)
}

fn spell(action: &Action, runners: &[String]) -> wire::watch::Action {
    let (name, task, runner) = match action {
        Action::Reap => ("reap", None, None),
        Action::End(_) => ("end", None, None),
        Action::Renew(_) => ("renew", None, None),
        Action::Schedule(plan::Due { name, .. }) => ("schedule", Some(name.clone()), None),
        Action::Start { task, runner } => {
            ("start", Some(task.clone()), runners.get(*runner).cloned())
        }
    };
    wire::watch::Action { action: name, task, runner }
}

fn rows(plan: &wire::watch::Plan) -> Vec<Vec<String>> {
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_default();
    let does = plan
        .actions
        .iter()
        .map(|a| vec![a.action.to_owned(), cell(&a.task), cell(&a.runner), String::new()]);
    let waits = plan
        .waiting
        .iter()
        .map(|w| vec!["wait".to_owned(), w.task.clone(), String::new(), w.reason.clone()]);
    does.chain(waits).collect()
}
