//! What every face answers: a request goes in, a versioned answer comes out.
//!
//! Lives here: who asks and from where, the objects of `--json` around what
//! services say, which commands are worth typing then (`next`), the numbers of
//! refusals (`exit`). Not here: how an answer looks (`cli::render`), how it
//! travels (`cli`, later servers), decisions (`services`). Invariant: nothing
//! here prints, and two faces that ask the same get the same object.

pub mod approvals;
pub mod bound;
pub mod brief;
pub mod change;
pub mod decide;
pub mod exit;
pub mod judge;
pub mod lease;
pub mod list;
pub mod log;
pub mod next;
pub mod note;
pub mod queue;
pub mod request;
pub mod show;

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::tasks::shell_word;
use crate::services::context::{Context, Identity, Mode};
use crate::services::hand_edits;
use crate::store::snapshot::Files;
use crate::sys::Sys;
use crate::wire::{self, Envelope};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// Who asks, and from where.
#[derive(Clone, Copy)]
pub struct Caller<'c> {
    /// The outside.
    pub sys: &'c Sys,
    /// `-C`: where the search for a workspace begins.
    pub dir: Option<&'c Path>,
    /// `--as`: the actor that was named.
    pub actor: Option<&'c str>,
    /// Whether the actor is part of every command, because whoever types it may be
    /// somebody else by default.
    pub is_pinned: bool,
}

impl std::fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("dir", &self.dir)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

impl Caller<'_> {
    /// Opens the workspace.
    ///
    /// # Errors
    /// As [`Context::open`].
    pub fn context(&self, mode: Mode) -> Result<Context> {
        Context::open(self.sys, self.dir.map(Path::to_path_buf), mode)
    }

    /// A whole command, with the caller's own options.
    pub fn command(&self, rest: &str, who: Option<&Identity>) -> String {
        let mut command = String::from("orch ");
        if let Some(dir) = self.dir {
            command.push_str(&format!("-C {} ", shell_word(&dir.to_string_lossy())));
        }
        let says = |who: &&Identity| who.explicit || (self.is_pinned && who.run.is_none());
        let actor = who.filter(says).map(|who| format!(" --as {}", who.actor));
        command.push_str(&ordered(rest, &actor.unwrap_or_default()));
        command
    }

    /// The same where the actor does not matter but is best repeated.
    pub fn typed(&self, rest: &str) -> String {
        let actor = self.actor.map(|actor| format!(" --as {}", shell_word(actor)));
        let command = self.command("", None);
        command + &ordered(rest, &actor.unwrap_or_default())
    }

    /// An error with one whole command that is safe to type next, with the
    /// caller's own options. `help` is the help of what was asked.
    #[must_use]
    pub fn refusal(&self, mut error: Error, help: &str) -> Error {
        let fallback = match error.kind {
            ErrorKind::Usage if error.place.is_none() => help,
            ErrorKind::NotAllowed | ErrorKind::NotFound => help,
            _ => "orch doctor",
        };
        let hint = error.hint.take().unwrap_or_else(|| fallback.to_owned());
        let hint = match (self.dir, hint.strip_prefix("orch ")) {
            (Some(_), Some(rest)) if !rest.ends_with("--help") => self.command(rest, None),
            _ => hint,
        };
        let ours = hint.starts_with("orch ");
        let acts = ours && (hint.ends_with(" next") || hint.ends_with(" status"));
        error.hint = Some(match self.actor {
            Some(actor) if acts => format!("{hint} --as {}", shell_word(actor)),
            _ => hint,
        });
        error
    }
}

/// A verb with its words and what options follow. An id that begins with a dash
/// stands last, behind `--`: elsewhere it would be taken for an option.
pub fn ordered(rest: &str, options: &str) -> String {
    let mut quoted = false;
    let words: Vec<&str> = rest
        .split(|c: char| {
            quoted ^= c == '\'';
            c == ' ' && !quoted
        })
        .collect();
    let is_dashed = |word: &&&str| word.starts_with("'-");
    let dashed: Vec<&str> = words.iter().filter(is_dashed).copied().collect();
    if dashed.is_empty() {
        return format!("{rest}{options}");
    }
    let others: Vec<&str> = words.iter().filter(|word| !is_dashed(word)).copied().collect();
    format!("{}{options} -- {}", others.join(" "), dashed.join(" "))
}

#[cfg(test)]
mod tests {
    use super::ordered;

    #[test]
    fn what_begins_with_a_dash_stands_last() {
        for (rest, expected) in [
            ("submit T-1 --token 5", "submit T-1 --token 5 --as WORK@ada"),
            ("submit '-x' --token 5", "submit --token 5 --as WORK@ada -- '-x'"),
            ("renew '-x y' T-1 '-z'", "renew T-1 --as WORK@ada -- '-x y' '-z'"),
            ("add \"The first task\"", "add \"The first task\" --as WORK@ada"),
            (r"show 'it'\''s -x'", r"show 'it'\''s -x' --as WORK@ada"),
        ] {
            assert_eq!(ordered(rest, " --as WORK@ada"), expected);
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply<T = Value> {
    /// `<noun>.<verb>`
    pub kind: &'static str,
    /// The answer.
    pub data: T,
    /// What the caller should know besides.
    pub warnings: Vec<String>,
    /// Whole commands that are worth typing next.
    pub next: Vec<String>,
    /// A named end that is no error.
    pub end: Option<ErrorKind>,
}

impl<T: Serialize> Reply<T> {
    /// The object of `--json`.
    pub fn object(&self) -> Value {
        let envelope = Envelope::new(self.kind, &self.data, &self.warnings, &self.next);
        serde_json::to_value(envelope).unwrap_or_default()
    }
}

/// The object of a refusal.
pub fn error(error: &Error) -> Value {
    let number = exit::number(error.kind);
    wire::error(error.kind.code(), number, &error.to_string(), error.hint.as_deref())
}

/// Notes for a reader what was edited outside `orch` since the newest operation.
///
/// # Errors
/// Those of reading the journal.
pub fn look(ctx: &mut Context, files: &Files) -> Result<Vec<String>> {
    let found = hand_edits::for_readers(ctx, files)?;
    ctx.warnings.extend(found.iter().cloned());
    Ok(found)
}
