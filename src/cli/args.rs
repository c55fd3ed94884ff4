//! The command line as clap sees it.
//!
//! Here: the tree, and the options that many commands share. Each verb's own
//! arguments stand in its file; they are built only for the verb that is typed,
//! because building all of them would cost more than most commands.

use crate::cli::commands;
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// One object.
    Json,
    /// One object a row.
    Jsonl,
    /// RFC 4180, with a header.
    Csv,
    /// A Markdown table.
    Md,
}

/// How findings are written, besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// SARIF 2.1.0, for code hosts and editors.
    Sarif,
    /// Workflow commands, which GitHub shows beside the lines.
    Github,
}

/// What `--format` may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Typed {
    /// For people.
    Table,
    /// One object.
    Json,
    /// One object a row.
    Jsonl,
    /// RFC 4180, with a header.
    Csv,
    /// A Markdown table.
    Md,
    /// `check` only: SARIF 2.1.0, for code hosts and editors.
    #[value(hide = true)]
    Sarif,
    /// `check` only: workflow commands, which GitHub shows beside the lines.
    #[value(hide = true)]
    Github,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Search for ORCH/ from this folder upward
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,

    /// Act as this actor: CMD, WORK or AUDIT, or a role with a name (WORK@ada)
    #[arg(long = "as", value_name = "ACTOR", global = true)]
    pub actor: Option<String>,

    /// How to write the answer
    #[arg(long, value_name = "FORMAT", global = true)]
    pub format: Option<Typed>,

    /// The same as --format json
    #[arg(long, global = true)]
    pub json: bool,

    /// Print the answer only: no notes, no hints
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl Global {
    /// The format in force; `--json` wins.
    pub fn format(&self) -> Format {
        match self.format {
            _ if self.json => Format::Json,
            Some(Typed::Json) => Format::Json,
            Some(Typed::Jsonl) => Format::Jsonl,
            Some(Typed::Csv) => Format::Csv,
            Some(Typed::Md) => Format::Md,
            Some(Typed::Table | Typed::Sarif | Typed::Github) | None => Format::Table,
        }
    }

    /// The format of findings that was asked for.
    pub fn report(&self) -> Option<Report> {
        match self.format.filter(|_| !self.json)? {
            Typed::Sarif => Some(Report::Sarif),
            Typed::Github => Some(Report::Github),
            Typed::Table | Typed::Json | Typed::Jsonl | Typed::Csv | Typed::Md => None,
        }
    }
}

/// Options of every changing command.
#[derive(Debug, Clone, Default, Args)]
pub struct ChangeArgs {
    /// Append this to the task's notes and to the journal (`-` reads stdin)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub note: Option<String>,

    /// Write nothing; print the diff of every file that would change
    #[arg(long)]
    pub dry_run: bool,

    /// Make the command idempotent: the same key again changes nothing
    #[arg(long, value_name = "KEY")]
    pub op_id: Option<String>,
}

/// Parses a command line. Twenty verbs cost more than most commands do, so the
/// verb that stands first is tried alone; what it refuses, or helps with, the
/// whole tree judges and words.
pub fn parse(argv: Vec<OsString>) -> Result<ArgMatches, clap::Error> {
    if let Some(small) = small_tree(&argv) {
        match small.try_get_matches_from(&argv) {
            Ok(matches) => return Ok(matches),
            Err(error) if error.kind() == ErrorKind::DisplayVersion => return Err(error),
            Err(_) => {}
        }
    }
    tree().try_get_matches_from(argv)
}

fn small_tree(argv: &[OsString]) -> Option<Command> {
    let first = argv.get(1)?.to_str()?;
    if argv.len() == 2 && matches!(first, "--version" | "-V") {
        return Some(root());
    }
    commands::one(first).map(|verb| root().subcommand(verb))
}

/// The whole tree. A verb's arguments are built when it is typed.
pub fn tree() -> Command {
    root().subcommands(commands::all())
}

fn root() -> Command {
    Global::augment_args(Command::new("orch"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("The plain Markdown table as a real database for work")
        .long_about(
            "The plain Markdown table as a real database for work.\n\n\
             `orch` reads and changes ORCH/STATE/TASKS.md and leaves every byte that it does not \
             own. Without a command it shows how things stand.",
        )
        .after_help("`orch help COMMAND` tells about a command, `orch man` prints the manual.")
        .subcommand_required(false)
        .infer_subcommands(false)
}
