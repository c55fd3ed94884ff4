//! Running git: the one way in which anything here does.
//!
//! Here: the settings that hold for every question, and what git complains of.
//! Not here: what is asked (`store::git`, `store::staged`,
//! `services::evidence::repository`, `services::decide::source`), which variables
//! reach it (`sys::programs`). Invariant: no program of the repository's settings
//! and no hook runs.

use crate::sys::{Output, Sys};
use std::io;
use std::path::Path;

/// Settings that would start programs.
const SETTINGS: [&str; 2] = ["core.fsmonitor=false", "core.hooksPath=/dev/null"];

/// How many lines of a complaint are passed on.
const LINES: usize = 5;

/// Runs git in a folder, under these settings beside the own ones. `args` may
/// begin with options of git itself. An answer that is no is an answer.
///
/// # Errors
/// `NotFound` where git is not installed.
pub fn ask(
    sys: &Sys,
    dir: &Path,
    settings: &[&str],
    args: &[&str],
    env: &[(&str, &str)],
    stdin: &[u8],
) -> io::Result<Output> {
    let mut argv = vec!["git", "--no-pager"];
    argv.extend(SETTINGS.iter().chain(settings).flat_map(|setting| ["-c", *setting]));
    argv.extend(args);
    sys.programs.output_with(&argv, dir, env, stdin)
}

/// What git complained of, in one line and without its own first words.
pub fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let told = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("warning:"));
    let told = told.map(|line| line.trim_start_matches("error: ").trim_start_matches("fatal: "));
    let told: Vec<&str> = told.take(LINES).collect();
    if told.is_empty() {
        return "git did not say why".to_owned();
    }
    told.join("; ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn a_complaint_is_one_line() {
        let said = b"warning: x\n\nerror: patch failed: a:1\r\nfatal: a\x1b[m: no\n";
        assert_eq!(complaint(said), "patch failed: a:1; a [m: no");
        assert_eq!(complaint(b"warning: x\n"), "git did not say why");
        assert_eq!(complaint(b"1\n2\n3\n4\n5\n6\n"), "1; 2; 3; 4; 5");
    }
}
