//! Every setting in force as one line: key, value, source.
//!
//! Values are printed as one would write them in YAML flow style, so that a
//! line can be pasted back. Not here: columns and colours (`cli`). Invariant:
//! all settings are listed, in the order of the documentation, whether the file
//! gives them or not; `-` is one that is unset.

use std::fmt;

use super::Present;
use super::automation::{
    AutoDecide, Canary, GateCommand, Metrics, Notify, OnFailure, Runner, Schedule, Watch,
};
use super::flow::{Flow, bytes, fields, list, map, optional, span, text, word};
use super::settings::{Durability, HandEdits, IdStyle, PathStyle, Settings, Worktrees};

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The dotted key, `leases.ttl`.
    pub key: String,
    /// The value in YAML flow style, or `-` where it is unset.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nothing says otherwise.
    Default,
    /// The settings file.
    File {
        /// As a person would name it.
        path: String,
        /// The 1-based line of the key.
        line: usize,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File { path, .. } => path,
        })
    }
}

impl Settings {
    /// One entry for each setting, in the order of the documentation.
    pub fn entries(&self, present: &Present) -> Vec<Entry> {
        let values = [
            ("actor", optional(self.actor.as_deref(), text)),
            ("solo", word(self.solo)),
            ("principals", map(&self.principals, |names| list(names, |name| text(name)))),
            ("ids.tasks", optional(self.ids.tasks.as_ref(), |format| text(&format.to_string()))),
            (
                "ids.approvals",
                optional(self.ids.approvals.as_ref(), |format| text(&format.to_string())),
            ),
            ("ids.style", word(id_style(self.ids.style))),
            ("timezone", optional(self.timezone.as_deref(), text)),
            ("worktrees", word(worktrees(self.worktrees))),
            ("durability", word(durability(self.durability))),
            ("lock_wait", span(self.lock_wait)),
            ("hand_edits", word(hand_edits(self.hand_edits))),
            ("leases.ttl", span(self.leases.ttl)),
            ("leases.grace", span(self.leases.grace)),
            ("leases.max_doing_per_actor", word(self.leases.max_doing_per_actor)),
            ("approvals.required", list(&self.approvals.required, |glob| text(glob))),
            (
                "approvals.expire_after",
                self.approvals.expire_after.map_or_else(|| word("never"), span),
            ),
            ("evidence.path_style", word(path_style(self.evidence.path_style))),
            ("evidence.root", optional(self.evidence.root.as_deref(), text)),
        ];
        let values = values
            .into_iter()
            .chain(auto_decide_values(&self.auto_decide))
            .chain(watch_values(&self.watch));
        let entry = |(key, value): (&str, Flow)| Entry {
            key: key.to_owned(),
            value: value.to_string(),
            source: present.lines.get(key).map_or(Source::Default, |line| Source::File {
                path: present.path.clone(),
                line: *line,
            }),
        };
        values.map(entry).collect()
    }
}

fn auto_decide_values(auto: &AutoDecide) -> [(&'static str, Flow); 7] {
    [
        ("auto_decide.commands", list(&auto.commands, gate_command)),
        ("auto_decide.max_lines", word(auto.max_lines)),
        ("auto_decide.max_files", word(auto.max_files)),
        ("auto_decide.on_failure", word(on_failure(auto.on_failure))),
        ("auto_decide.protected", list(&auto.protected, |glob| text(glob))),
        ("auto_decide.metrics", optional(auto.metrics.as_ref(), metrics)),
        ("auto_decide.canary", optional(auto.canary.as_ref(), canary)),
    ]
}

fn watch_values(watch: &Watch) -> [(&'static str, Flow); 12] {
    [
        ("watch.max_parallel", word(watch.max_parallel)),
        ("watch.poll", span(watch.poll)),
        ("watch.grace", span(watch.grace)),
        ("watch.runners", list(&watch.runners, runner)),
        ("watch.schedules", list(&watch.schedules, schedule)),
        ("watch.alerts.review_stale", span(watch.alerts.review_stale)),
        ("watch.alerts.approval_stale", span(watch.alerts.approval_stale)),
        ("watch.alerts.ewma", optional(watch.alerts.ewma, word)),
        ("watch.alerts.disk", optional(watch.alerts.disk, bytes)),
        ("watch.alerts.memory", optional(watch.alerts.memory, bytes)),
        ("watch.alerts.load", optional(watch.alerts.load, word)),
        ("watch.notify", list(&watch.notify, notification)),
    ]
}

fn id_style(style: IdStyle) -> &'static str {
    match style {
        IdStyle::Sequential => "sequential",
        IdStyle::Hash => "hash",
    }
}

fn worktrees(worktrees: Worktrees) -> &'static str {
    match worktrees {
        Worktrees::Shared => "shared",
        Worktrees::Own => "own",
    }
}

fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "full",
        Durability::Fast => "fast",
    }
}

fn hand_edits(hand_edits: HandEdits) -> &'static str {
    match hand_edits {
        HandEdits::Trust => "trust",
        HandEdits::Review => "review",
    }
}

fn path_style(style: PathStyle) -> &'static str {
    match style {
        PathStyle::Relative => "relative",
        PathStyle::Windows => "windows",
    }
}

fn on_failure(on_failure: OnFailure) -> &'static str {
    match on_failure {
        OnFailure::Leave => "leave",
        OnFailure::Reject => "reject",
    }
}

fn argv(words: &[String]) -> Flow {
    list(words, |word| text(word))
}

fn gate_command(command: &GateCommand) -> Flow {
    fields([("run", argv(&command.run)), ("timeout", span(command.timeout))])
}

fn metrics(metrics: &Metrics) -> Flow {
    fields([("file", text(&metrics.file)), ("min", map(&metrics.min, |least| word(least)))])
}

fn canary(canary: &Canary) -> Flow {
    fields([
        ("url", text(&canary.url)),
        ("success_required", word(canary.success_required)),
        ("retry", span(canary.retry)),
        ("max_wait", span(canary.max_wait)),
    ])
}

fn runner(runner: &Runner) -> Flow {
    let matches = &runner.matches;
    let mut asked = Vec::new();
    asked.extend(matches.owner.as_deref().map(|owner| ("owner", text(owner))));
    asked.push(("state", list(&matches.state, |state| text(state))));
    asked.extend(matches.id.as_deref().map(|id| ("id", text(id))));
    asked.push(("attr", map(&matches.attr, |value| text(value))));
    let retries = fields([
        ("max", word(runner.retries.max)),
        ("backoff", span(runner.retries.backoff)),
        ("max_backoff", span(runner.retries.max_backoff)),
    ]);
    fields([
        ("name", text(&runner.name)),
        ("match", fields(asked)),
        ("run", argv(&runner.run)),
        ("actor", text(&runner.actor)),
        ("shell", word(runner.shell)),
        ("timeout", span(runner.timeout)),
        ("grace", span(runner.grace)),
        ("retries", retries),
        ("max_log", bytes(runner.max_log)),
        ("env", map(&runner.env, |value| text(value))),
    ])
}

fn schedule(schedule: &Schedule) -> Flow {
    fields([
        ("name", text(&schedule.name)),
        ("cron", text(schedule.cron.as_str())),
        ("run", argv(&schedule.run)),
        ("catch_up", word(schedule.catch_up)),
    ])
}

fn notification(notify: &Notify) -> Flow {
    match notify {
        Notify::Webhook { url, secret_env } => fields(
            [("webhook", text(url))]
                .into_iter()
                .chain(secret_env.as_deref().map(|name| ("secret_env", text(name)))),
        ),
        Notify::Command(words) => fields([("command", argv(words))]),
    }
}
