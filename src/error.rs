//! The one error type of the library: a closed kind, a message, a place, a hint.
//!
//! Lives here: what can go wrong, in kinds that never grow by accident. Not
//! here: exit numbers (`answer::exit`), colours and streams (`cli::ui`).
//! Invariant: an error that reaches a person says what happened, where, and at
//! most one next command that is safe to type.

use std::fmt;

/// What went wrong, as a closed set. `answer::exit` gives each kind its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// I/O, or a bug.
    Failed,
    /// Bad arguments or settings.
    Usage,
    /// No such task, approval, operation or workspace.
    NotFound,
    /// The state machine or the role says no.
    NotAllowed,
    /// Somebody else has the lease.
    Held,
    /// The caller's lease was taken over, reaped or removed.
    LeaseLost,
    /// An approval is pending, missing or rejected.
    ApprovalRequired,
    /// The same person stands on both sides.
    SeparationOfDuties,
    /// Evidence or subject changed since it was requested or decided.
    Stale,
    /// A file cannot be used, or `check` found errors.
    LedgerInvalid,
    /// The lock wait timed out, or the file kept changing.
    Busy,
    /// Nothing can be claimed.
    NothingReady,
    /// The change is committed, but the command could not finish.
    Committed,
}

impl ErrorKind {
    /// Every kind, in the order of the exit table.
    pub const ALL: [Self; 13] = [
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::NotAllowed,
        Self::Held,
        Self::LeaseLost,
        Self::ApprovalRequired,
        Self::SeparationOfDuties,
        Self::Stale,
        Self::LedgerInvalid,
        Self::Busy,
        Self::NothingReady,
        Self::Committed,
    ];

    /// The symbolic code, as JSON errors carry it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::NotAllowed => "not_allowed",
            Self::Held => "held",
            Self::LeaseLost => "lease_lost",
            Self::ApprovalRequired => "approval_required",
            Self::SeparationOfDuties => "separation_of_duties",
            Self::Stale => "stale",
            Self::LedgerInvalid => "ledger_invalid",
            Self::Busy => "busy",
            Self::NothingReady => "nothing_ready",
            Self::Committed => "committed",
        }
    }
}

/// A position in a file: 1-based line, 1-based column in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as a person would name it.
    pub path: String,
    /// 1-based line; 0 where only the file is known.
    pub line: usize,
    /// 1-based column in characters; 0 where only the line is known.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

/// An error: kind, message, and optionally a place and one safe next command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", .place.as_ref().map(|p| format!("{p}: ")).unwrap_or_default())]
pub struct Error {
    /// The class of the error.
    pub kind: ErrorKind,
    /// What happened: lower case, no full stop, values in backticks.
    pub message: String,
    /// Where, if it is about a file.
    pub place: Option<Place>,
    /// One whole command that is safe to type next.
    pub hint: Option<String>,
    /// What only some errors have.
    pub aside: Option<Box<Aside>>,
}

/// Why a path below the workspace is not used: as the cause of an I/O error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a link leads out of the workspace")]
pub struct LeadsOut;

impl LeadsOut {
    /// Whether an I/O error is because of it.
    pub fn is_cause_of(error: &std::io::Error) -> bool {
        error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()).is_some()
    }
}

/// What goes with an error besides its own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aside {
    /// The task or approval that it is about, for records.
    pub subject: Option<String>,
    /// What else was noticed on the way.
    pub warnings: Vec<String>,
}

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: None, hint: None, aside: None }
    }

    /// Bad arguments or settings.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// No such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// The state machine or the role says no.
    pub fn not_allowed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotAllowed, message)
    }

    /// A file cannot be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::LedgerInvalid, message)
    }

    /// I/O: the action, the path and the system's reason. Where that is
    /// [`LeadsOut`] the file cannot be used; anything else is `failed`.
    pub fn io(action: &str, path: &std::path::Path, source: &std::io::Error) -> Self {
        let kind = if LeadsOut::is_cause_of(source) {
            ErrorKind::LedgerInvalid
        } else {
            ErrorKind::Failed
        };
        Self::new(kind, format!("cannot {action} `{}`: {source}", path.display()))
    }

    /// Adds what it is about.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.aside.get_or_insert_default().subject = Some(subject.into());
        self
    }

    /// Adds what was noticed on the way.
    #[must_use]
    pub fn noticed(mut self, warnings: Vec<String>) -> Self {
        if !warnings.is_empty() {
            self.aside.get_or_insert_default().warnings = warnings;
        }
        self
    }

    /// Adds the one safe next command.
    #[must_use]
    pub fn hint(mut self, command: impl Into<String>) -> Self {
        self.hint = Some(command.into());
        self
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>, line: usize, column: usize) -> Self {
        self.place = Some(Place { path: path.into(), line, column });
        self
    }
}
