//! The settings of what works without people: `auto_decide` and `watch`.
//!
//! Not here: the rest of the settings (`settings`), and the work itself. The
//! invariant is that of `settings`: nothing that `load` would refuse.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cron::Cron;

/// When an approval is decided without a person.
#[derive(Debug, Clone, PartialEq)]
pub struct AutoDecide {
    /// What must succeed on a scratch copy; without any, people decide.
    pub commands: Vec<GateCommand>,
    /// The most changed lines.
    pub max_lines: u32,
    /// The most changed files.
    pub max_files: u32,
    /// What a failing command means.
    pub on_failure: OnFailure,
    /// Globs over paths that only people decide on.
    pub protected: Vec<String>,
    /// Measurements that must reach a floor.
    pub metrics: Option<Metrics>,
    /// A service that must stay healthy.
    pub canary: Option<Canary>,
}

/// One command that must succeed.
#[derive(Debug, Clone, PartialEq)]
pub struct GateCommand {
    /// Program and arguments; never empty.
    pub run: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a failing command means for an approval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// People decide.
    #[default]
    Leave,
    /// It is rejected.
    Reject,
}

/// Measurements that must reach a floor.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// A JSON file that the commands write.
    pub file: String,
    /// The least value of each measurement; finite.
    pub min: BTreeMap<String, f64>,
}

/// A service that must stay healthy.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// What is asked.
    pub url: String,
    /// How many good answers are needed; at least 1.
    pub success_required: u32,
    /// The pause between questions.
    pub retry: Duration,
    /// When to give up.
    pub max_wait: Duration,
}

/// What `watch` runs and reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// The most runs at a time; at least 1.
    pub max_parallel: u32,
    /// How often to look where the system sends no file events.
    pub poll: Duration,
    /// How long a run may go on when it is asked to end.
    pub grace: Duration,
    /// Who works on which tasks; names are unique.
    pub runners: Vec<Runner>,
    /// What runs at set times; names are unique.
    pub schedules: Vec<Schedule>,
    /// When to raise an alert.
    pub alerts: Alerts,
    /// Who hears of alerts.
    pub notify: Vec<Notify>,
}

/// A command that works on tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Runner {
    /// Its name.
    pub name: String,
    /// The tasks it takes.
    pub matches: RunnerMatch,
    /// Program and arguments, with `{{id}}` and the like in the arguments; with
    /// `shell` a script and its arguments. Never empty.
    pub run: Vec<String>,
    /// The actor that claims for it.
    pub actor: String,
    /// Whether a shell reads the first word of the command.
    pub shell: bool,
    /// How long a run may take.
    pub timeout: Duration,
    /// How long a run may go on when it is asked to end.
    pub grace: Duration,
    /// What happens after a failure.
    pub retries: Retries,
    /// The most bytes of output kept.
    pub max_log: u64,
    /// What is added to the environment.
    pub env: BTreeMap<String, String>,
}

/// The tasks a runner takes; what is absent matches everything.
#[derive(Debug, Clone, PartialEq)]
pub struct RunnerMatch {
    /// The owner cell; a role also matches an empty one.
    pub owner: Option<String>,
    /// The states.
    pub state: Vec<String>,
    /// A glob over ids.
    pub id: Option<String>,
    /// Attributes and their values.
    pub attr: BTreeMap<String, String>,
}

/// What happens after a run failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Retries {
    /// How many more attempts.
    pub max: u32,
    /// The first pause; it doubles.
    pub backoff: Duration,
    /// The longest pause.
    pub max_backoff: Duration,
}

/// A command that runs at set times.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// When it is due.
    pub cron: Cron,
    /// Program and arguments; never empty.
    pub run: Vec<String>,
    /// Whether a time that was missed is made up for.
    pub catch_up: bool,
}

/// When to raise an alert; what is `None` is not measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerts {
    /// How long a task may wait in REVIEW.
    pub review_stale: Duration,
    /// How long an approval may be pending.
    pub approval_stale: Duration,
    /// How many standard deviations from the moving average are an anomaly.
    pub ewma: Option<f64>,
    /// The least free disk space, in bytes.
    pub disk: Option<u64>,
    /// The least available memory, in bytes.
    pub memory: Option<u64>,
    /// The most load a core, of the last minute.
    pub load: Option<f64>,
}

/// Who hears of alerts.
#[derive(Debug, Clone, PartialEq)]
pub enum Notify {
    /// An HTTP POST.
    Webhook {
        /// Where to.
        url: String,
        /// The variable that holds the key of the signature.
        secret_env: Option<String>,
    },
    /// A program and its arguments; never empty.
    Command(Vec<String>),
}

impl Default for AutoDecide {
    fn default() -> Self {
        Self {
            commands: Vec::new(),
            max_lines: 50,
            max_files: 3,
            on_failure: OnFailure::default(),
            protected: Vec::new(),
            metrics: None,
            canary: None,
        }
    }
}

impl GateCommand {
    /// How long a command may take that says nothing about it.
    pub const TIMEOUT: Duration = Duration::from_mins(10);
}

impl Canary {
    /// The good answers needed by a canary that says nothing about it.
    pub const SUCCESS_REQUIRED: u32 = 5;
    /// Its pause between questions.
    pub const RETRY: Duration = Duration::from_secs(5);
    /// When it gives up.
    pub const MAX_WAIT: Duration = Duration::from_secs(30);
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            max_parallel: 2,
            poll: Duration::from_secs(2),
            grace: Duration::from_secs(30),
            runners: Vec::new(),
            schedules: Vec::new(),
            alerts: Alerts::default(),
            notify: Vec::new(),
        }
    }
}

impl Runner {
    /// How long a run may take where its runner says nothing about it.
    pub const TIMEOUT: Duration = Duration::from_hours(1);
    /// The bytes of output kept where its runner says nothing about it.
    pub const MAX_LOG: u64 = 8 << 20;
}

impl Default for RunnerMatch {
    fn default() -> Self {
        let state = vec!["READY".to_owned(), "FIX".to_owned()];
        Self { owner: None, state, id: None, attr: BTreeMap::new() }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self { max: 3, backoff: Duration::from_secs(10), max_backoff: Duration::from_mins(15) }
    }
}

impl Default for Alerts {
    fn default() -> Self {
        let day = Duration::from_hours(24);
        Self {
            review_stale: day,
            approval_stale: day,
            ewma: None,
            disk: None,
            memory: None,
            load: None,
        }
    }
}
