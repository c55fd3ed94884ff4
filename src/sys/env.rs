//! The process and its surroundings: variables, folders, user, host, streams.
//!
//! Lives here: reading them. Not here: what a variable means (`services`),
//! writing to the streams (`cli::ui`). Invariant: nothing here changes the
//! process; the answers are facts or an honest stand-in, never a panic.
#![allow(clippy::disallowed_methods, reason = "this is where the environment is read")]

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::PathBuf;

/// The process and its surroundings.
pub trait Env: Send + Sync {
    /// A variable. Bytes that are not Unicode are replaced rather than the
    /// variable ignored: `$ORCH_ROOT` must never look unset when it is set.
    fn var(&self, name: &str) -> Option<String>;
    /// Every variable, byte for byte.
    fn vars(&self) -> Vec<(OsString, OsString)>;
    /// The working directory.
    fn current_dir(&self) -> io::Result<PathBuf>;
    /// Where scratch files go.
    fn temp_dir(&self) -> PathBuf;
    /// The user's name by uid, else `$USER`, else the uid.
    fn user(&self) -> String;
    /// The host's name; `localhost` where it has none.
    fn host(&self) -> String;
    /// This process.
    fn pid(&self) -> u32;
    /// The file of the program that this process runs, without links.
    fn program(&self) -> io::Result<PathBuf>;
    /// Whether somebody could type.
    fn stdin_is_terminal(&self) -> bool;
    /// Whether somebody reads stdout.
    fn stdout_is_terminal(&self) -> bool;
    /// Whether somebody reads stderr.
    fn stderr_is_terminal(&self) -> bool;
    /// Columns of the terminal that stdout is; none where it is not one.
    fn terminal_width(&self) -> Option<usize>;
    /// All of stdin, to its end.
    fn read_stdin(&self) -> io::Result<Vec<u8>>;
}

/// This process.
pub(super) struct Process;

impl Env for Process {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn vars(&self) -> Vec<(OsString, OsString)> {
        std::env::vars_os().collect()
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        std::env::current_dir()
    }

    fn temp_dir(&self) -> PathBuf {
        std::env::temp_dir()
    }

    fn user(&self) -> String {
        // The uid first: `$USER` survives `su` and `sudo -E` and then names
        // somebody else. Users of a directory service are not in the file and
        // get the variable.
        let uid = rustix::process::getuid().as_raw();
        std::fs::read("/etc/passwd")
            .ok()
            .and_then(|passwd| user_of(&String::from_utf8_lossy(&passwd), uid))
            .or_else(|| self.var("USER").filter(|name| !name.is_empty()))
            .unwrap_or_else(|| uid.to_string())
    }

    fn host(&self) -> String {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if name.is_empty() { "localhost".to_owned() } else { name }
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn program(&self) -> io::Result<PathBuf> {
        std::env::current_exe()?.canonicalize()
    }

    fn stdin_is_terminal(&self) -> bool {
        io::stdin().is_terminal()
    }

    fn stdout_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    fn stderr_is_terminal(&self) -> bool {
        io::stderr().is_terminal()
    }

    fn terminal_width(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The name of a uid in the text of a passwd file (`name:x:uid:…`).
fn user_of(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The same surroundings without a terminal, a run or an actor: what a command
/// sees that another command plays for people.
pub(super) struct Detached(pub(super) std::sync::Arc<dyn Env>);

impl Env for Detached {
    fn var(&self, name: &str) -> Option<String> {
        if name.starts_with("ORCH_") { None } else { self.0.var(name) }
    }
    fn vars(&self) -> Vec<(OsString, OsString)> {
        let mut vars = self.0.vars();
        vars.retain(|(name, _)| !name.as_encoded_bytes().starts_with(b"ORCH_"));
        vars
    }
    fn current_dir(&self) -> io::Result<PathBuf> {
        self.0.current_dir()
    }
    fn temp_dir(&self) -> PathBuf {
        self.0.temp_dir()
    }
    fn user(&self) -> String {
        self.0.user()
    }
    fn host(&self) -> String {
        self.0.host()
    }
    fn pid(&self) -> u32 {
        self.0.pid()
    }
    fn program(&self) -> io::Result<PathBuf> {
        self.0.program()
    }
    fn stdin_is_terminal(&self) -> bool {
        false
    }
    fn stdout_is_terminal(&self) -> bool {
        false
    }
    fn stderr_is_terminal(&self) -> bool {
        false
    }
    fn terminal_width(&self) -> Option<usize> {
        None
    }
    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

/// The surroundings of a server as they were when it started: a workspace and a
/// folder that stay, and a stdin that is the protocol's and nobody else's.
pub(super) struct Serving {
    pub(super) inner: std::sync::Arc<dyn Env>,
    /// The workspace, for whoever asks without `-C`.
    pub(super) root: String,
    pub(super) here: PathBuf,
}

impl Env for Serving {
    fn var(&self, name: &str) -> Option<String> {
        if name == "ORCH_ROOT" { Some(self.root.clone()) } else { self.inner.var(name) }
    }
    fn vars(&self) -> Vec<(OsString, OsString)> {
        self.inner.vars()
    }
    fn current_dir(&self) -> io::Result<PathBuf> {
        Ok(self.here.clone())
    }
    fn temp_dir(&self) -> PathBuf {
        self.inner.temp_dir()
    }
    fn user(&self) -> String {
        self.inner.user()
    }
    fn host(&self) -> String {
        self.inner.host()
    }
    fn pid(&self) -> u32 {
        self.inner.pid()
    }
    fn program(&self) -> io::Result<PathBuf> {
        self.inner.program()
    }
    fn stdin_is_terminal(&self) -> bool {
        false
    }
    fn stdout_is_terminal(&self) -> bool {
        false
    }
    fn stderr_is_terminal(&self) -> bool {
        false
    }
    fn terminal_width(&self) -> Option<usize> {
        None
    }
    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        Err(io::Error::other("it is the stream of the protocol"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_looked_up_by_number_not_by_position() {
        let passwd =
            "# comment\n+::::::\nroot:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:\n";
        assert_eq!(user_of(passwd, 1000).as_deref(), Some("ada"));
        assert_eq!(user_of(passwd, 0).as_deref(), Some("root"));
        assert_eq!(user_of(passwd, 7), None);
    }

    #[test]
    fn this_process_has_a_user_a_host_and_an_id() {
        assert!(!Process.user().is_empty() && !Process.host().is_empty() && Process.pid() > 0);
    }
}
