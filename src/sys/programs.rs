//! Other programs that are asked something and answer at once, such as git.
//!
//! Lives here: running one to its end. Not here: which program and what its
//! answer means (`store::git`), children that run for a while (`watch`).
//! Invariant: no shell, no terminal, nothing of the caller's `GIT_*` but where the
//! user's settings lie: a command that runs inside a git hook must ask the
//! repository that it is told to.

use super::confined::{self, Confined, Ran};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// What a program answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Whether it ended with 0.
    pub success: bool,
    /// All that it wrote.
    pub stdout: Vec<u8>,
    /// All that it complained of.
    pub stderr: Vec<u8>,
}

/// Programs that are installed.
pub trait Programs: Send + Sync {
    /// Runs a program in a folder, with this on its standard input, and waits
    /// for its end. The first word is found along `$PATH`.
    ///
    /// # Errors
    /// `NotFound` where there is no such program.
    fn output(&self, argv: &[&str], dir: &Path, stdin: &[u8]) -> io::Result<Output> {
        self.output_with(argv, dir, &[], stdin)
    }

    /// The same with variables of its own, which are set last.
    ///
    /// # Errors
    /// As [`Programs::output`].
    fn output_with(
        &self,
        argv: &[&str],
        dir: &Path,
        env: &[(&str, &str)],
        stdin: &[u8],
    ) -> io::Result<Output>;

    /// Runs a program in a limited time, and ends whatever it leaves running.
    ///
    /// # Errors
    /// `NotFound` where there is no such program, or no such folder.
    fn confined(&self, run: &Confined, is_stopped: &dyn Fn() -> bool) -> io::Result<Ran>;
}

/// Where a user's settings of git lie: git itself finds them so, and they lead to no
/// other repository.
const SETTINGS: [&str; 3] = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];

/// The real ones.
#[derive(Debug)]
pub struct Installed;

impl Programs for Installed {
    fn output_with(
        &self,
        argv: &[&str],
        dir: &Path,
        env: &[(&str, &str)],
        stdin: &[u8],
    ) -> io::Result<Output> {
        let (name, rest) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(name);
        for (variable, _) in std::env::vars_os() {
            let name = variable.as_encoded_bytes();
            if name.starts_with(b"GIT_") && !SETTINGS.iter().any(|kept| kept.as_bytes() == name) {
                command.env_remove(variable);
            }
        }
        let mut child = command
            .args(rest)
            .current_dir(dir)
            .env("LC_ALL", "C")
            // A reader writes nothing, git's index included.
            .env("GIT_OPTIONAL_LOCKS", "0")
            .envs(env.iter().copied())
            .stdin(if stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = std::thread::scope(|scope| {
            if let Some(mut input) = input {
                // A program that reads no further has its answer already.
                scope.spawn(move || drop(input.write_all(stdin)));
            }
            child.wait_with_output()
        })?;
        Ok(Output {
            success: output.status.success(),
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }

    fn confined(&self, run: &Confined, is_stopped: &dyn Fn() -> bool) -> io::Result<Ran> {
        confined::run(run, is_stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_reads_and_writes_passes_through() {
        let large = vec![b'x'; 300_000];
        let ran = Installed.output(&["cat"], Path::new("/"), &large).unwrap();
        assert_eq!((ran.success, ran.stdout.len()), (true, large.len()));
        let ran = Installed.output(&["pwd"], Path::new("/"), b"").unwrap();
        assert_eq!(ran.stdout, b"/\n");
        let env = [("GIT_X", "1"), ("LC_ALL", "C.UTF-8")];
        let ran = Installed.output_with(&["env"], Path::new("/"), &env, b"").unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(said.contains("GIT_X=1\n") && said.contains("LC_ALL=C.UTF-8\n"), "{said}");
        assert!(!Installed.output(&["false"], Path::new("/"), b"").unwrap().success);
    }

    #[test]
    fn a_program_that_is_not_there_is_said_to_be_so() {
        let error = Installed.output(&["orch-no-such-program"], Path::new("/"), b"").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(Installed.output(&[], Path::new("/"), b"").is_err());
    }
}
