//! The shape of orch.yaml, key by key, as serde reads it.
//!
//! Every key is an `Option`, so that an absent key and an empty one (`solo:`)
//! both mean the default. Not here: defaults (`settings`), rules over single
//! values (`scalar`), and what follows from several (`resolve`). Invariant: the
//! keys here are those of `keys::KNOWN`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::scalar::{
    Actor, Argv, Bytes, Count, DurabilityWord, Expiry, Format, Glob, HandEditsWord, IdStyleWord,
    Name, Number, OnFailureWord, PathStyleWord, PositiveCount, PositiveNumber, PositiveSpan,
    Scalar, Span, State, Timezone, Url, Variable, Word, WorktreesWord,
};

#[derive(Deserialize, Default)]
#[serde(expecting = "keys and values")]
pub(super) struct FileSettings {
    pub actor: Option<Scalar<Actor>>,
    pub solo: Option<bool>,
    pub principals: Option<BTreeMap<String, Vec<Scalar<Name>>>>,
    pub ids: Option<FileIds>,
    pub timezone: Option<Scalar<Timezone>>,
    pub worktrees: Option<Scalar<WorktreesWord>>,
    pub durability: Option<Scalar<DurabilityWord>>,
    pub lock_wait: Option<Scalar<Span>>,
    pub hand_edits: Option<Scalar<HandEditsWord>>,
    pub leases: Option<FileLeases>,
    pub approvals: Option<FileApprovals>,
    pub evidence: Option<FileEvidence>,
    pub auto_decide: Option<FileAutoDecide>,
    pub watch: Option<FileWatch>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "keys and values")]
pub(super) struct FileIds {
    pub tasks: Option<Scalar<Format>>,
    pub approvals: Option<Scalar<Format>>,
    pub style: Option<Scalar<IdStyleWord>>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "keys and values")]
pub(super) struct FileLeases {
    pub ttl: Option<Scalar<PositiveSpan>>,
    pub grace: Option<Scalar<Span>>,
    pub max_doing_per_actor: Option<Scalar<Count>>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "keys and values")]
pub(super) struct FileApprovals {
    pub required: Option<Vec<Scalar<Glob>>>,
    pub expire_after: Option<Scalar<Expiry>>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "keys and values")]
pub(super) struct FileEvidence {
    pub path_style: Option<Scalar<PathStyleWord>>,
    pub root: Option<Scalar<Word>>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "keys and values")]
pub(super) struct FileAutoDecide {
    pub commands: Option<Vec<FileGateCommand>>,
    pub max_lines: Option<Scalar<Count>>,
    pub max_files: Option<Scalar<Count>>,
    pub on_failure: Option<Scalar<OnFailureWord>>,
    pub protected: Option<Vec<Scalar<Glob>>>,
    pub metrics: Option<FileMetrics>,
    pub canary: Option<FileCanary>,
}

#[derive(Deserialize)]
#[serde(expecting = "keys and values")]
pub(super) struct FileGateCommand {
    pub run: Argv,
    pub timeout: Option<Scalar<PositiveSpan>>,
}

#[derive(Deserialize)]
#[serde(expecting = "keys and values")]
pub(super) struct FileMetrics {
    pub file: Scalar<Word>,
    pub min: Option<BTreeMap<String, Scalar<Number>>>,
}

#[derive(Deserialize)]
#[serde(expecting = "keys and values")]
pub(super) struct FileCanary {
    pub url: Scalar<Url>,
    pub success_required: Option<Scalar<PositiveCount>>,
    pub retry: Option<Scalar<PositiveSpan>>,
    pub max_wait: Option<Scalar<PositiveSpan>>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "keys and values")]
pub(super) struct FileWatch {
    pub max_parallel: Option<Scalar<PositiveCount>>,
    pub poll: Option<Scalar<PositiveSpan>>,
    pub grace: Option<Scalar<Span>>,
    pub runners: Option<Vec<FileRunner>>,
    pub schedules: Option<Vec<FileSchedule>>,
    pub alerts: Option<FileAlerts>,
    pub notify: Option<Vec<FileNotify>>,
}

#[derive(Deserialize)]
#[serde(expecting = "keys and values")]
pub(super) struct FileRunner {
    pub name: Scalar<Name>,
    #[serde(rename = "match")]
    pub matches: Option<FileMatch>,
    pub run: Argv,
    pub actor: Option<Scalar<Actor>>,
    pub shell: Option<bool>,
    pub timeout: Option<Scalar<PositiveSpan>>,
    pub grace: Option<Scalar<Span>>,
    pub retries: Option<FileRetries>,
    pub max_log: Option<Scalar<Bytes>>,
    pub env: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "keys and values")]
pub(super) struct FileMatch {
    pub owner: Option<Scalar<Word>>,
    pub state: Option<Vec<Scalar<State>>>,
    pub id: Option<Scalar<Glob>>,
    pub attr: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "keys and values")]
pub(super) struct FileRetries {
    pub max: Option<Scalar<Count>>,
    pub backoff: Option<Scalar<Span>>,
    pub max_backoff: Option<Scalar<Span>>,
}

#[derive(Deserialize)]
#[serde(expecting = "keys and values")]
pub(super) struct FileSchedule {
    pub name: Scalar<Name>,
    pub cron: Scalar<Word>,
    pub run: Argv,
    pub catch_up: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(expecting = "keys and values")]
pub(super) struct FileAlerts {
    pub review_stale: Option<Scalar<PositiveSpan>>,
    pub approval_stale: Option<Scalar<PositiveSpan>>,
    pub ewma: Option<Scalar<PositiveNumber>>,
    pub disk: Option<Scalar<Bytes>>,
    pub memory: Option<Scalar<Bytes>>,
    pub load: Option<Scalar<PositiveNumber>>,
}

#[derive(Deserialize)]
#[serde(expecting = "keys and values")]
pub(super) struct FileNotify {
    pub webhook: Option<Scalar<Url>>,
    pub secret_env: Option<Scalar<Variable>>,
    pub command: Option<Argv>,
}
