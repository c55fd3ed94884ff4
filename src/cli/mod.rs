//! The face for people and scripts at a terminal.
//!
//! Lives here: arguments (`args`), streams and colour (`ui`), how data looks
//! (`render`), one file a verb (`commands`). Not here: answers and exit numbers
//! (`answer`), decisions (`services`), shapes of JSON (`wire`). Invariant:
//! ledger text reaches a person only through `render::safe`.

pub mod answer;
pub mod args;
pub mod commands;
pub mod render;
pub mod ui;

use crate::answer::exit;
use crate::cli::answer::Cx;
use crate::cli::args::Format;
use crate::cli::ui::{Options, Ui, Written};
use crate::error::{Error, ErrorKind};
use crate::sys::Sys;
use crate::wire;
use std::ffi::OsString;
use std::io::Write;

/// Runs one command line and gives its exit number. `argv` includes the name
/// of the program.
pub fn run(sys: &Sys, argv: Vec<OsString>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let verb =
        argv.iter().skip(1).filter_map(|arg| arg.to_str()).find(|arg| commands::is_verb(arg));
    let for_git = verb == Some("merge-driver");
    let help = verb.map_or("orch --help".to_owned(), |verb| format!("orch {verb} --help"));
    // What stands behind `--` is another program's.
    let own = argv.split(|arg| arg == "--").next().unwrap_or_default();
    let wants_json = own.iter().skip(1).any(|arg| arg == "--json" || arg == "--format=json")
        || own.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json");
    let mut ui = Ui::new(out, err, options(sys));
    let matches = match args::parse(argv) {
        Ok(matches) => matches,
        Err(error) => {
            let number = said_by_clap(&mut ui, &error, &help, wants_json);
            return if for_git && number != exit::SUCCESS { exit::NOT_MERGED } else { number };
        }
    };
    let mut cx = match Cx::new(sys, ui, &matches) {
        Ok(cx) => cx,
        Err((mut ui, error)) => return finish(&mut ui, Err(error), wants_json, None),
    };
    let end = match refuse_format(&cx, &matches) {
        Ok(()) => commands::dispatch(&mut cx, &matches),
        Err(error) => Err(error),
    };
    let end = end.map_err(|error| cx.caller().refusal(error, &help));
    let json = cx.global.format() == Format::Json;
    let program_exit = cx.program_exit.get();
    finish(&mut cx.ui, end, json, program_exit)
}

/// Two formats are for findings, and a table in their place would mislead
/// whatever reads them.
fn refuse_format(cx: &Cx<'_>, matches: &clap::ArgMatches) -> Result<(), Error> {
    match cx.global.report() {
        Some(report) if matches.subcommand_name() != Some("check") => {
            let name = format!("{report:?}").to_lowercase();
            Err(Error::usage(format!("`--format {name}` is for what `orch check` finds")))
        }
        _ => Ok(()),
    }
}

fn options(sys: &Sys) -> Options {
    let env = &sys.env;
    let no_color = env.var("NO_COLOR").is_some_and(|v| !v.is_empty())
        || env.var("TERM").is_some_and(|term| term == "dumb");
    Options {
        width: env.terminal_width(),
        color_out: env.stdout_is_terminal() && !no_color,
        color_err: env.stderr_is_terminal() && !no_color,
        quiet: false,
    }
}

/// Writes what is left and turns the end of a command into a number: that of
/// the program which was run in our place, where one was.
fn finish(ui: &mut Ui<'_>, end: answer::End, json: bool, program_exit: Option<u8>) -> u8 {
    let number = match end {
        Ok(None) => program_exit.unwrap_or(exit::SUCCESS),
        Ok(Some(kind)) => exit::number(kind),
        Err(error) => {
            for warning in error.aside.iter().flat_map(|aside| &aside.warnings) {
                ui.warning(warning);
            }
            let number = program_exit.unwrap_or(exit::number(error.kind));
            if json {
                let message = error.to_string();
                let object =
                    wire::error(error.kind.code(), number, &message, error.hint.as_deref());
                let _ = ui.emit(|out, _| writeln!(out, "{object}"));
            }
            ui.error(&error);
            number
        }
    };
    match ui.finish() {
        // A closed pipe is quiet success: the reader has what it wanted.
        Ok(Written::Closed) if number == exit::SUCCESS => exit::SUCCESS,
        Ok(Written::All | Written::Closed) => number,
        Err(error) if number == exit::SUCCESS => {
            ui.error(&error);
            exit::number(error.kind)
        }
        Err(_) => number,
    }
}

/// Help and versions go to stdout, mistakes to stderr.
fn said_by_clap(ui: &mut Ui<'_>, error: &clap::Error, help: &str, json: bool) -> u8 {
    use clap::error::ErrorKind as Clap;
    let text = error.render();
    if matches!(error.kind(), Clap::DisplayHelp | Clap::DisplayVersion) {
        let colored = ui.options().color_out;
        let text = if colored { text.ansi().to_string() } else { text.to_string() };
        let _ = ui.emit(|out, _| write!(out, "{text}"));
        return finish(ui, Ok(None), false, None);
    }
    let plain = text.to_string();
    let said: Vec<&str> = plain
        .lines()
        .map(|line| line.trim().trim_start_matches("error: "))
        .filter(|line| !line.is_empty())
        .filter(|line| !line.starts_with("Usage: ") && !line.starts_with("For more information"))
        .collect();
    let message = said.join("; ").replace(":; ", ": ");
    finish(ui, Err(Error::new(ErrorKind::Usage, message).hint(help)), json, None)
}
