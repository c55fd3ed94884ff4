//! `orch status`, and `orch` alone.

use crate::cli::answer::{Cx, End};
use crate::cli::args::{self, Format};
use crate::cli::commands::next::Reader;
use crate::error::{ErrorKind, Result};
use crate::model::duration;
use crate::services::config::Durability;
use crate::services::{claim, list, next, queue, runs};
use crate::store::discover::Start;
use crate::store::layout::Layout;
use crate::wire::help::{Command, Help};
use crate::wire::list::{LeaseCounts, Run, StateCount, Status};
use clap::Args;
use std::collections::HashSet;
use std::time::Duration;

/// Arguments of `orch status`.
#[derive(Debug, Args)]
pub struct StatusArgs {}

/// `orch` alone: how things stand, or help where there is no workspace.
pub(super) fn without_command(cx: &mut Cx<'_>) -> End {
    let start = cx.global.dir.clone().map_or(Start::CurrentDir, Start::At);
    match Layout::discover(cx.sys, start) {
        Err(e) if e.kind == ErrorKind::NotFound => {
            if let Some(dir) = cx.global.dir.as_ref().filter(|dir| cx.sys.fs.stat(dir).is_err()) {
                return Err(crate::error::Error::not_found(format!(
                    "no folder `{}`",
                    dir.display()
                )));
            }
            help(cx)?;
            Ok(None)
        }
        Err(e) => Err(e),
        Ok(_) => run(cx, StatusArgs {}),
    }
}

/// What there is to type where there is no ledger.
fn help(cx: &mut Cx<'_>) -> Result<()> {
    let mut tree = args::tree();
    let init = "orch init".to_owned();
    if cx.global.format() == Format::Json {
        let commands = tree.get_subcommands().filter(|command| !command.is_hide_set());
        let commands = commands.map(|command| Command {
            name: command.get_name().to_owned(),
            about: command.get_about().map(ToString::to_string).unwrap_or_default(),
        });
        return cx.json("help", &Help { commands: commands.collect() }, &[], &[init]);
    }
    let help = tree.render_help().to_string();
    let _ = cx.ui.emit(|out, _| out.write_all(help.as_bytes()))?;
    cx.ui.next(&init);
    Ok(())
}

pub(super) fn run(cx: &mut Cx<'_>, _: StatusArgs) -> End {
    let reader = Reader::open(cx)?;
    let snapshot = reader.snapshot(cx)?;
    let (ctx, who) = (&reader.ctx, &reader.who);
    let now = ctx.now(snapshot.journal()?.newest());
    let expired: HashSet<_> = queue::expired(ctx, &snapshot, now).collect();
    let is_expired = |row| expired.contains(&row);
    let free = queue::candidates(ctx, &snapshot, who, now, &is_expired, &HashSet::new())?.len();
    let claimable = if claim::room(ctx, &snapshot, who, now).is_ok() { free } else { 0 };
    let mut leases = LeaseCounts { expired: expired.len(), ..LeaseCounts::default() };
    let mut yours = Vec::new();
    let mut overdue = 0;
    for row in snapshot.tasks.rows() {
        let task = snapshot.tasks.task(row);
        overdue += usize::from(list::is_overdue(ctx, &task, now));
        if task.state.as_deref() == Some("DOING") && !expired.contains(&row) {
            leases.live += 1;
            if task.lease().is_some_and(|lease| lease.is_held_by(&who.actor)) {
                yours.push(task.id.clone().into_owned());
            }
        }
    }
    leases.yours = yours.len();
    let status = Status {
        root: ctx.layout.root.display().to_string(),
        actor: who.actor.to_string(),
        states: next::counts(&snapshot)
            .into_iter()
            .map(|(state, count)| StateCount { state, count })
            .collect(),
        total: snapshot.tasks.rows().count(),
        claimable,
        leases,
        runs: runs::seen(ctx, &snapshot)?.into_iter().map(run_of).collect(),
        overdue,
        approvals_pending: snapshot
            .approvals
            .waiting(ctx.settings.approvals.expired_before(now))
            .count(),
        freeze: ctx.flags_in_force(snapshot.flags).freeze,
        auto_decide: ctx.flags_in_force(snapshot.flags).auto_decide.as_str().to_owned(),
        durability: match ctx.settings.durability {
            Durability::Full => "full",
            Durability::Fast => "fast",
        }
        .to_owned(),
    };
    let mut next = Vec::new();
    if let Some(id) = yours.first() {
        next.push(cx.command(&format!("show {}", crate::ledger::tasks::shell_word(id)), Some(who)));
    }
    if claimable > 0 {
        next.push(cx.command("claim --next", Some(who)));
    }
    if !expired.is_empty() {
        next.push(cx.command("reap", Some(who)));
    }
    if status.total == 0 {
        next.push(cx.command("add \"The first task\"", None));
    } else if claimable == 0 {
        // Why nothing is free.
        next.push(cx.command("next", Some(who)));
    } else {
        next.push(cx.command("list", Some(who)));
    }
    match cx.global.format() {
        Format::Json => cx.json("status", &status, &ctx.warnings, &next)?,
        Format::Jsonl => {
            let text = serde_json::to_string(&status).unwrap_or_default();
            let _ = cx.ui.emit(|out, _| writeln!(out, "{text}"))?;
        }
        Format::Csv | Format::Md => counts(cx, &status)?,
        Format::Table => for_people(cx, &status, &next)?,
    }
    Ok(None)
}

fn run_of(seen: runs::Seen) -> Run {
    Run {
        task_id: seen.task,
        runner: seen.runner,
        attempt: seen.attempt,
        age_secs: seen.age_ms / 1000,
        last_line: seen.last_line,
    }
}

fn counts(cx: &mut Cx<'_>, status: &Status) -> Result<()> {
    let rows = status.states.iter().map(|s| vec![s.state.clone(), s.count.to_string()]).collect();
    cx.rows(&crate::cli::answer::Answer {
        kind: "status",
        data: status,
        columns: &["state", "count"],
        flexible: &[],
        rows,
        warnings: &[],
        next: &[],
    })
}

fn for_people(cx: &mut Cx<'_>, status: &Status, next: &[String]) -> Result<()> {
    let _ = cx.ui.line(&format!("{} as {}", status.root, status.actor))?;
    let counts: Vec<String> = status
        .states
        .iter()
        .filter(|s| s.count > 0)
        .map(|s| format!("{} {}", s.state, s.count))
        .collect();
    let tasks = if counts.is_empty() { "no tasks yet".to_owned() } else { counts.join("  ") };
    let _ = cx.ui.line(&tasks)?;
    let mut facts = vec![format!("{} free for you to claim", status.claimable)];
    let mut fact = |count: usize, what: &str| {
        if count > 0 {
            facts.push(format!("{count} {what}"));
        }
    };
    fact(status.leases.yours, "held by you");
    fact(status.leases.live - status.leases.yours, "held by others");
    fact(status.leases.expired, "with an expired lease");
    fact(status.overdue, "overdue");
    fact(status.approvals_pending, "pending in APPROVALS.md");
    let _ = cx.ui.line(&facts.join(", "))?;
    for run in &status.runs {
        let age = duration::format(Duration::from_secs(run.age_secs));
        let said = run.last_line.as_deref().map(|line| format!(": {line}")).unwrap_or_default();
        let _ = cx.ui.line(&format!(
            "{} runs for {age} by {}, attempt {}{said}",
            run.task_id, run.runner, run.attempt
        ))?;
    }
    if status.freeze {
        let _ = cx.ui.line("FREEZE is on: nothing is started or decided automatically")?;
    }
    if status.durability == "fast" {
        let _ = cx.ui.line("durability is fast: a power cut may lose changes")?;
    }
    let _ = cx.ui.line("")?;
    for command in next {
        let _ = cx.ui.line(&format!("  {command}"))?;
    }
    Ok(())
}
