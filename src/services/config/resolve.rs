//! From the shape of the file to the settings in force.
//!
//! Fills in the defaults and checks what needs more than one value. Not here:
//! rules over a single value (`scalar`). Invariant: a fault names the path of
//! the key to change; `load` finds its line.

use std::collections::BTreeSet;

use super::automation::{
    Alerts, AutoDecide, Canary, GateCommand, Metrics, Notify, Retries, Runner, RunnerMatch,
    Schedule, Watch,
};
use super::cron::Cron;
use super::file::{
    FileAlerts, FileAutoDecide, FileCanary, FileGateCommand, FileMatch, FileMetrics, FileNotify,
    FileRetries, FileRunner, FileSchedule, FileSettings, FileWatch,
};
use super::keys::Path;
use super::placeholders::{self, OF_A_RUN, OF_AN_ALERT};
use super::scalar::{Rule, Scalar, name, variable};
use super::settings::{Approvals, Evidence, Ids, Leases, Settings};

/// A key, or a value, that cannot stand, and why.
pub(super) struct Fault {
    pub path: Path,
    pub message: String,
}

/// The variables that `watch` itself gives a run.
const OWN_VARIABLES: [&str; 5] =
    ["ORCH_TASK_ID", "ORCH_ACTOR", "ORCH_LEASE_TOKEN", "ORCH_ROOT", "ORCH_ATTEMPT"];

pub(super) fn resolve(file: FileSettings) -> Result<Settings, Fault> {
    let default = Settings::default();
    let ids = file.ids.unwrap_or_default();
    let leases = file.leases.unwrap_or_default();
    let approvals = file.approvals.unwrap_or_default();
    let evidence = file.evidence.unwrap_or_default();
    let principals = file.principals.unwrap_or_default();
    for principal in principals.keys() {
        name(principal)
            .map_err(|message| Fault { path: Path::of(&["principals"]).key(principal), message })?;
    }
    Ok(Settings {
        actor: file.actor.map(|v| v.0),
        solo: file.solo.unwrap_or(default.solo),
        principals: principals.into_iter().map(|(person, names)| (person, all(names))).collect(),
        ids: Ids {
            tasks: ids.tasks.map(|v| v.0),
            approvals: ids.approvals.map(|v| v.0),
            style: or(ids.style, default.ids.style),
        },
        timezone: file.timezone.map(|v| v.0),
        worktrees: or(file.worktrees, default.worktrees),
        durability: or(file.durability, default.durability),
        lock_wait: or(file.lock_wait, default.lock_wait),
        hand_edits: or(file.hand_edits, default.hand_edits),
        leases: Leases {
            ttl: or(leases.ttl, default.leases.ttl),
            grace: or(leases.grace, default.leases.grace),
            max_doing_per_actor: or(leases.max_doing_per_actor, default.leases.max_doing_per_actor),
        },
        approvals: Approvals {
            required: all(approvals.required.unwrap_or_default()),
            expire_after: or(approvals.expire_after, default.approvals.expire_after),
        },
        evidence: Evidence {
            path_style: or(evidence.path_style, default.evidence.path_style),
            root: evidence.root.map(|v| v.0),
        },
        auto_decide: auto_decide(file.auto_decide.unwrap_or_default()),
        watch: watch(file.watch.unwrap_or_default())?,
    })
}

fn or<R: Rule>(given: Option<Scalar<R>>, default: R::Value) -> R::Value {
    given.map_or(default, |scalar| scalar.0)
}

fn all<R: Rule>(given: Vec<Scalar<R>>) -> Vec<R::Value> {
    given.into_iter().map(|scalar| scalar.0).collect()
}

fn auto_decide(file: FileAutoDecide) -> AutoDecide {
    let default = AutoDecide::default();
    AutoDecide {
        commands: file.commands.unwrap_or_default().into_iter().map(gate_command).collect(),
        max_lines: or(file.max_lines, default.max_lines),
        max_files: or(file.max_files, default.max_files),
        on_failure: or(file.on_failure, default.on_failure),
        protected: all(file.protected.unwrap_or_default()),
        metrics: file.metrics.map(metrics),
        canary: file.canary.map(canary),
    }
}

fn gate_command(file: FileGateCommand) -> GateCommand {
    GateCommand { run: file.run.0, timeout: or(file.timeout, GateCommand::TIMEOUT) }
}

fn metrics(file: FileMetrics) -> Metrics {
    let min = file.min.unwrap_or_default().into_iter().map(|(key, least)| (key, least.0)).collect();
    Metrics { file: file.file.0, min }
}

fn canary(file: FileCanary) -> Canary {
    Canary {
        url: file.url.0,
        success_required: or(file.success_required, Canary::SUCCESS_REQUIRED),
        retry: or(file.retry, Canary::RETRY),
        max_wait: or(file.max_wait, Canary::MAX_WAIT),
    }
}

fn watch(file: FileWatch) -> Result<Watch, Fault> {
    let default = Watch::default();
    let grace = or(file.grace, default.grace);
    let at = |list: &'static str, index: usize| Path::of(&["watch", list]).index(index);

    let mut names = BTreeSet::new();
    let mut runners = Vec::new();
    for (index, entry) in file.runners.unwrap_or_default().into_iter().enumerate() {
        let path = at("runners", index);
        unique(&mut names, &entry.name.0, &path)?;
        runners.push(runner(entry, grace, &path)?);
    }

    names.clear();
    let mut schedules = Vec::new();
    for (index, entry) in file.schedules.unwrap_or_default().into_iter().enumerate() {
        let path = at("schedules", index);
        unique(&mut names, &entry.name.0, &path)?;
        schedules.push(schedule(entry, &path)?);
    }

    let notify = file.notify.unwrap_or_default().into_iter().enumerate();
    Ok(Watch {
        max_parallel: or(file.max_parallel, default.max_parallel),
        poll: or(file.poll, default.poll),
        grace,
        runners,
        schedules,
        alerts: alerts(file.alerts.unwrap_or_default()),
        notify: notify
            .map(|(index, entry)| notification(entry, &at("notify", index)))
            .collect::<Result<_, _>>()?,
    })
}

/// Two of one name would share an actor, a log folder and a due time.
fn unique(names: &mut BTreeSet<String>, name: &str, path: &Path) -> Result<(), Fault> {
    if names.insert(name.to_ascii_lowercase()) {
        return Ok(());
    }
    let message = format!("the name `{name}` stands twice");
    Err(Fault { path: path.key("name").value(), message })
}

fn runner(
    file: FileRunner,
    watch_grace: std::time::Duration,
    path: &Path,
) -> Result<Runner, Fault> {
    let env = file.env.unwrap_or_default();
    for key in env.keys() {
        let fault = |message| Fault { path: path.key("env").key(key), message };
        variable(key).map_err(fault)?;
        if OWN_VARIABLES.contains(&key.as_str()) {
            return Err(fault(format!("`{key}` is set by `orch watch` itself")));
        }
    }
    let shell = file.shell.unwrap_or(false);
    placeholders::check(&file.run.0, &OF_A_RUN, !shell, &path.key("run"))?;
    let name = file.name.0;
    Ok(Runner {
        matches: runner_match(file.matches.unwrap_or_default()),
        run: file.run.0,
        actor: or(file.actor, format!("WORK@{name}")),
        shell,
        timeout: or(file.timeout, Runner::TIMEOUT),
        grace: or(file.grace, watch_grace),
        retries: retries(file.retries.unwrap_or_default()),
        max_log: or(file.max_log, Runner::MAX_LOG),
        env,
        name,
    })
}

fn runner_match(file: FileMatch) -> RunnerMatch {
    RunnerMatch {
        owner: file.owner.map(|v| v.0),
        state: file.state.map_or_else(|| RunnerMatch::default().state, all),
        id: file.id.map(|v| v.0),
        attr: file.attr.unwrap_or_default(),
    }
}

fn retries(file: FileRetries) -> Retries {
    let default = Retries::default();
    Retries {
        max: or(file.max, default.max),
        backoff: or(file.backoff, default.backoff),
        max_backoff: or(file.max_backoff, default.max_backoff),
    }
}

fn schedule(file: FileSchedule, path: &Path) -> Result<Schedule, Fault> {
    let name = file.name.0;
    let cron = Cron::parse(&file.cron.0).map_err(|why| Fault {
        path: path.key("cron").value(),
        message: format!("schedule `{name}`: {why}"),
    })?;
    let catch_up = file.catch_up.unwrap_or(false);
    Ok(Schedule { name, cron, run: file.run.0, catch_up })
}

fn alerts(file: FileAlerts) -> Alerts {
    let default = Alerts::default();
    Alerts {
        review_stale: or(file.review_stale, default.review_stale),
        approval_stale: or(file.approval_stale, default.approval_stale),
        ewma: file.ewma.map(|v| v.0),
        disk: file.disk.map(|v| v.0),
        memory: file.memory.map(|v| v.0),
        load: file.load.map(|v| v.0),
    }
}

fn notification(file: FileNotify, path: &Path) -> Result<Notify, Fault> {
    match (file.webhook, file.command) {
        (Some(url), None) => {
            Ok(Notify::Webhook { url: url.0, secret_env: file.secret_env.map(|v| v.0) })
        }
        (None, Some(command)) if file.secret_env.is_none() => {
            placeholders::check(&command.0, &OF_AN_ALERT, true, &path.key("command"))?;
            Ok(Notify::Command(command.0))
        }
        (None, Some(_)) => Err(Fault {
            path: path.key("secret_env"),
            message: "a command has no signature; it goes with `webhook`".to_owned(),
        }),
        _ => Err(Fault {
            path: path.clone(),
            message: "write either `webhook` or `command`".to_owned(),
        }),
    }
}
