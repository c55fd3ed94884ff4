//! Surroundings that a test chooses, and may change while it runs.
//!
//! Lives here: the simulated [`Env`]. Not here: reading the real one.
//! Invariant: nothing of the real process shows through.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys::Env;

/// Surroundings by hand: built with `with_…`, changed with `set_…`.
pub struct SimEnv(Mutex<Facts>);

#[derive(Clone)]
struct Facts {
    vars: BTreeMap<String, String>,
    cwd: PathBuf,
    temp_dir: PathBuf,
    user: String,
    host: String,
    pid: u32,
    program: PathBuf,
    /// stdin, stdout, stderr.
    terminals: [bool; 3],
    width: Option<usize>,
    stdin: Vec<u8>,
}

impl SimEnv {
    /// No variable, no terminal, empty stdin; user `tester` on `testhost`, 4242,
    /// `/opt/orch/bin/orch`.
    pub fn new(cwd: impl Into<PathBuf>) -> Self {
        let cwd = cwd.into();
        Self(Mutex::new(Facts {
            vars: BTreeMap::new(),
            temp_dir: cwd.clone(),
            cwd,
            user: "tester".to_owned(),
            host: "testhost".to_owned(),
            pid: 4242,
            program: PathBuf::from("/opt/orch/bin/orch"),
            terminals: [false; 3],
            width: None,
            stdin: Vec::new(),
        }))
    }

    /// With a variable.
    #[must_use]
    pub fn with_var(self, name: &str, value: &str) -> Self {
        self.set_var(name, value);
        self
    }

    /// With a scratch folder.
    #[must_use]
    pub fn with_temp_dir(self, dir: impl Into<PathBuf>) -> Self {
        self.facts().temp_dir = dir.into();
        self
    }

    /// With a user.
    #[must_use]
    pub fn with_user(self, user: &str) -> Self {
        user.clone_into(&mut self.facts().user);
        self
    }

    /// With a host.
    #[must_use]
    pub fn with_host(self, host: &str) -> Self {
        host.clone_into(&mut self.facts().host);
        self
    }

    /// With a process id.
    #[must_use]
    pub fn with_pid(self, pid: u32) -> Self {
        self.facts().pid = pid;
        self
    }

    /// With terminals at stdin, stdout, stderr, or not.
    #[must_use]
    pub fn with_terminals(self, terminals: [bool; 3]) -> Self {
        self.facts().terminals = terminals;
        self
    }

    /// With a width for the terminal at stdout.
    #[must_use]
    pub fn with_width(self, columns: usize) -> Self {
        self.facts().width = Some(columns);
        self
    }

    /// With text on stdin.
    #[must_use]
    pub fn with_stdin(self, text: impl Into<Vec<u8>>) -> Self {
        self.set_stdin(text);
        self
    }

    /// Sets a variable.
    pub fn set_var(&self, name: &str, value: &str) {
        self.facts().vars.insert(name.to_owned(), value.to_owned());
    }

    /// Unsets a variable.
    pub fn remove_var(&self, name: &str) {
        self.facts().vars.remove(name);
    }

    /// Changes the working directory.
    pub fn set_cwd(&self, dir: impl Into<PathBuf>) {
        self.facts().cwd = dir.into();
    }

    /// Puts text on stdin; reading takes it away, as a pipe does.
    pub fn set_stdin(&self, text: impl Into<Vec<u8>>) {
        self.facts().stdin = text.into();
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Env for SimEnv {
    fn var(&self, name: &str) -> Option<String> {
        self.facts().vars.get(name).cloned()
    }

    fn vars(&self) -> Vec<(OsString, OsString)> {
        let facts = self.facts();
        facts.vars.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        Ok(self.facts().cwd.clone())
    }

    fn temp_dir(&self) -> PathBuf {
        self.facts().temp_dir.clone()
    }

    fn user(&self) -> String {
        self.facts().user.clone()
    }

    fn host(&self) -> String {
        self.facts().host.clone()
    }

    fn pid(&self) -> u32 {
        self.facts().pid
    }

    fn program(&self) -> io::Result<PathBuf> {
        Ok(self.facts().program.clone())
    }

    fn stdin_is_terminal(&self) -> bool {
        self.facts().terminals[0]
    }

    fn stdout_is_terminal(&self) -> bool {
        self.facts().terminals[1]
    }

    fn stderr_is_terminal(&self) -> bool {
        self.facts().terminals[2]
    }

    fn terminal_width(&self) -> Option<usize> {
        let facts = self.facts();
        facts.width.filter(|_| facts.terminals[1])
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        Ok(std::mem::take(&mut self.facts().stdin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_what_is_read() {
        let env = SimEnv::new("/a").with_var("X", "1").with_width(80).with_stdin("hi");
        env.set_cwd("/b");
        assert_eq!(env.current_dir().unwrap(), PathBuf::from("/b"));
        assert_eq!((env.var("X").as_deref(), env.var("Y")), (Some("1"), None));
        assert_eq!(env.vars(), [("X".into(), "1".into())]);
        assert_eq!(env.terminal_width(), None, "a pipe has no width");
        assert_eq!(env.read_stdin().unwrap(), b"hi");
        assert_eq!(env.read_stdin().unwrap(), b"");
        let env = env.with_terminals([false, true, false]);
        assert_eq!(env.terminal_width(), Some(80));
    }
}
