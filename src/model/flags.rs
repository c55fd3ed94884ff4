//! The two switches of a workspace: automatic decisions and the freeze.
//!
//! Here: their values and how each is spelled. Not here: FLAGS.md
//! (`ledger::flags`), who may switch them (`services::flags`).

/// The state of automatic decisions; the safer is the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AutoDecide {
    /// Do nothing.
    Off,
    /// Only write down what would be decided.
    Shadow,
    /// Decide.
    On,
}

impl AutoDecide {
    /// Reads it as the file spells it.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Off, Self::Shadow, Self::On].into_iter().find(|value| value.as_str() == text)
    }

    /// As the file spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// Both flags, as they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// `AUTO_DECIDE=on|shadow|off`
    pub auto_decide: AutoDecide,
    /// `FREEZE=on|off`
    pub freeze: bool,
}

impl Flags {
    /// What a missing file means.
    pub const OFF: Self = Self { auto_decide: AutoDecide::Off, freeze: false };

    /// Both with one of them set.
    #[must_use]
    pub const fn with(self, flag: Flag) -> Self {
        match flag {
            Flag::AutoDecide(auto_decide) => Self { auto_decide, ..self },
            Flag::Freeze(freeze) => Self { freeze, ..self },
        }
    }
}

/// One flag with a value that it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `AUTO_DECIDE=on|shadow|off`
    AutoDecide(AutoDecide),
    /// `FREEZE=on|off`
    Freeze(bool),
}

impl Flag {
    /// The names of both, as the file spells them.
    pub const NAMES: [&str; 2] = ["AUTO_DECIDE", "FREEZE"];

    /// The flag of this name with this value, as the file spells them.
    pub fn of(name: &str, value: &str) -> Option<Self> {
        match (name, value) {
            ("AUTO_DECIDE", _) => AutoDecide::parse(value).map(Self::AutoDecide),
            ("FREEZE", "on") => Some(Self::Freeze(true)),
            ("FREEZE", "off") => Some(Self::Freeze(false)),
            _ => None,
        }
    }

    /// Its name, as the file spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AutoDecide(_) => Self::NAMES[0],
            Self::Freeze(_) => Self::NAMES[1],
        }
    }

    /// Its value, as the file spells it.
    pub const fn value(self) -> &'static str {
        match self {
            Self::AutoDecide(value) => value.as_str(),
            Self::Freeze(true) => "on",
            Self::Freeze(false) => "off",
        }
    }
}
