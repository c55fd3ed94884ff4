//! The `orch` binary: the real outside, one command line, its exit number.

use orch::sys::Sys;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let argv = std::env::args_os().collect();
    let (mut out, mut err) = (io::stdout(), io::stderr());
    ExitCode::from(orch::cli::run(&Sys::real(), argv, &mut out, &mut err))
}
