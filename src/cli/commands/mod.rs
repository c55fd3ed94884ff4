//! One file a verb: its arguments, and the few lines from there to a service.
//!
//! `COMMANDS` is the list: a new verb is one line here and its file.

mod add;
mod approvals;
mod approve;
mod archive;
mod audit;
mod check;
mod claim;
mod completions;
mod config;
mod decide;
mod demo;
mod diff;
mod doctor;
mod evidence;
mod export;
mod flag;
mod fmt;
mod handover;
mod hooks;
mod import;
mod init;
mod keeper;
mod leases;
mod list;
mod lock;
mod log;
mod man;
mod mcp;
mod merge_driver;
mod metrics;
mod migrate;
mod moves;
mod next;
mod note;
mod prime;
mod reap;
mod renew;
mod request;
mod schema;
mod set;
mod show;
mod status;
mod undo;
mod watch;

use crate::cli::answer::{Cx, End};
use crate::error::Error;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// A verb of the command line.
struct Entry {
    name: &'static str,
    about: &'static str,
    augment: fn(Command) -> Command,
    run: fn(&mut Cx<'_>, &ArgMatches) -> End,
}

impl Entry {
    fn command(&self) -> Command {
        Command::new(self.name).about(self.about).defer(self.augment)
    }
}

macro_rules! commands {
    ($($name:literal, $about:literal, $args:ty, $run:expr;)*) => {
        /// Every verb, in the order of the help.
        const COMMANDS: &[Entry] = &[$(Entry {
            name: $name,
            about: $about,
            augment: |command| <$args as Args>::augment_args(command).about($about),
            run: |cx, matches| {
                let args = <$args>::from_arg_matches(matches)
                    .map_err(|e| Error::usage(e.to_string()))?;
                $run(cx, args)
            },
        },)*];
    };
}

commands! {
    "init", "Make a new ledger here", init::InitArgs, init::run;
    "add", "Add a task", add::AddArgs, add::run;
    "list", "List tasks", list::ListArgs, list::run;
    "next", "Show what could be claimed, and why the rest cannot", next::NextArgs, next::run;
    "show", "Show one task", show::ShowArgs, show::run;
    "set", "Set fields of a task", set::SetArgs, set::run;
    "note", "Append to a task's notes", note::NoteArgs, note::run;
    "ready", "Planned: it may be claimed (CMD)", moves::MoveArgs, moves::ready;
    "claim", "Take a task, or the best one that is free", claim::ClaimArgs, claim::run;
    "renew", "Keep a lease", renew::RenewArgs, renew::run;
    "submit", "Hand a task in for review", moves::SubmitArgs, moves::submit;
    "release", "Give a task back", moves::ReleaseArgs, moves::release;
    "handover", "Write down what was done and what is left, for whoever goes on", handover::HandoverArgs, handover::run;
    "done", "Accept a task (CMD or AUDIT, not who did it)", moves::MoveArgs, moves::done;
    "fix", "Send a task back (CMD or AUDIT, not who did it)", moves::MoveArgs, moves::fix;
    "hold", "Stop a task for now (CMD)", moves::MoveArgs, moves::hold;
    "resume", "Go on with a task on hold (CMD)", moves::MoveArgs, moves::resume;
    "drop", "Give a task up (CMD)", moves::MoveArgs, moves::drop;
    "reopen", "Plan a closed task again (CMD)", moves::MoveArgs, moves::reopen;
    "move", "Move a task to a state, by the rule that leads there", moves::MoveToArgs, moves::move_to;
    "request", "Ask for an approval, with what is to be approved", request::RequestArgs, request::run;
    "withdraw", "Take a request back", approve::WithdrawArgs, approve::run_withdraw;
    "approve", "Grant a request (CMD or AUDIT, not who asked or did it)", approve::ApproveArgs, approve::approve;
    "reject", "Refuse a request (CMD or AUDIT, not who asked or did it)", approve::ApproveArgs, approve::reject;
    "approvals", "List what was asked for, and how it stands", approvals::ApprovalsArgs, approvals::run;
    "evidence", "Show, verify and apply what an approval is about", evidence::EvidenceArgs, evidence::run;
    "decide", "Decide what the rules of orch.yaml decide", decide::DecideArgs, decide::run;
    "flag", "Switch automatic decisions or the freeze", flag::FlagArgs, flag::run;
    "leases", "List who holds what, and until when", leases::LeasesArgs, leases::run;
    "reap", "Take expired leases back", reap::ReapArgs, reap::run;
    "lock", "Take, keep and give back named locks, or run a program under them", lock::LockArgs, lock::run;
    "status", "Show how things stand", status::StatusArgs, status::run;
    "prime", "Print what an agent needs to begin", prime::PrimeArgs, prime::run;
    "diff", "Show what changed in the ledgers since a commit", diff::DiffArgs, diff::run;
    "log", "Show what was done, by whom and when", log::LogArgs, log::run;
    "audit", "Look whether the journal is whole", audit::AuditArgs, audit::run;
    "undo", "Take an operation back", undo::UndoArgs, undo::run;
    "redo", "Take your newest undo back", undo::RedoArgs, undo::redo;
    "archive", "Move closed rows to the archive", archive::ArchiveArgs, archive::run;
    "export", "Write tasks for other tools: csv, jsonl, todo.txt, checkbox, ics", export::ExportArgs, export::run;
    "import", "Bring tasks in: csv, jsonl, todo.txt, checkbox", import::ImportArgs, import::run;
    "fmt", "Align the ledgers' tables", fmt::FmtArgs, fmt::run;
    "migrate", "Turn ledgers of other shapes into tables (CMD)", migrate::MigrateArgs, migrate::run;
    "check", "Find what in the ledgers cannot be relied on", check::CheckArgs, check::run;
    "config", "Show every setting and where it comes from", config::ConfigArgs, config::run;
    "hooks", "Let git merge ledgers by rows, and check them before commits", hooks::HooksArgs, hooks::run;
    "doctor", "Look whether everything is in order", doctor::DoctorArgs, doctor::run;
    "merge-driver", "Merge two versions of a ledger, for git", merge_driver::MergeDriverArgs, merge_driver::run;
    "schema", "Print the JSON Schemas of all answers", schema::SchemaArgs, schema::run;
    "mcp", "Serve agents over the Model Context Protocol, on stdin and stdout", mcp::McpArgs, mcp::run;
    "watch", "Run agents' commands on tasks, under leases, and look after the ledger", watch::WatchArgs, watch::run;
    "metrics", "Print figures for a monitoring system", metrics::MetricsArgs, metrics::run;
    "completions", "Print a completion script for a shell", completions::CompletionsArgs, completions::run;
    "man", "Print the manual", man::ManArgs, man::run;
    "demo", "Play the main job on a ledger of its own", demo::DemoArgs, demo::run;
}

/// What we start ourselves, and nobody types: in no list and in no help.
const HIDDEN: &[Entry] = &[Entry {
    name: "__run",
    about: "Keep a run",
    augment: <keeper::KeeperArgs as Args>::augment_args,
    run: |cx, matches| {
        let args = keeper::KeeperArgs::from_arg_matches(matches);
        keeper::run(cx, args.map_err(|e| Error::usage(e.to_string()))?)
    },
}];

fn find(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().chain(HIDDEN).find(|entry| entry.name == name)
}

/// Every verb as a subcommand whose arguments are built when it is typed.
pub fn all() -> impl Iterator<Item = Command> {
    COMMANDS.iter().map(Entry::command)
}

/// The verb of this name.
pub fn one(name: &str) -> Option<Command> {
    find(name).map(Entry::command)
}

/// Whether a word is a verb.
pub fn is_verb(word: &str) -> bool {
    COMMANDS.iter().any(|entry| entry.name == word)
}

/// Runs the verb that was typed; none at all shows how things stand.
pub fn dispatch(cx: &mut Cx<'_>, matches: &ArgMatches) -> End {
    let Some((name, matches)) = matches.subcommand() else {
        return status::without_command(cx);
    };
    match find(name) {
        Some(entry) => (entry.run)(cx, matches),
        None => Err(Error::usage(format!("no command `{name}`")).hint("orch --help")),
    }
}
