//! `flag`: switching automatic decisions and the freeze.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::flags::{AutoDecide, Flags};
use crate::model::actor::Role;
use crate::model::operation::Operation;
use crate::model::outcome::Outcome;
use crate::services::change::Decision;
use crate::services::context::{Context, Identity};
use crate::store::snapshot::Snapshot;

/// One flag with a value that it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `AUTO_DECIDE=on|shadow|off`
    AutoDecide(AutoDecide),
    /// `FREEZE=on|off`
    Freeze(bool),
}

impl Flag {
    /// Reads `NAME=VALUE`.
    ///
    /// # Errors
    /// `usage` for any other flag or value.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: String| {
            Error::usage(format!("{why}; write AUTO_DECIDE=on|shadow|off or FREEZE=on|off"))
                .hint("orch flag --help")
        };
        let (name, value) =
            text.split_once('=').ok_or_else(|| bad(format!("`{text}` is no NAME=VALUE")))?;
        let value_of = value.to_ascii_lowercase();
        match (name.to_ascii_uppercase().as_str(), value_of.as_str()) {
            ("AUTO_DECIDE", "on") => Ok(Self::AutoDecide(AutoDecide::On)),
            ("AUTO_DECIDE", "shadow") => Ok(Self::AutoDecide(AutoDecide::Shadow)),
            ("AUTO_DECIDE", "off") => Ok(Self::AutoDecide(AutoDecide::Off)),
            ("FREEZE", "on") => Ok(Self::Freeze(true)),
            ("FREEZE", "off") => Ok(Self::Freeze(false)),
            ("AUTO_DECIDE" | "FREEZE", _) => Err(bad(format!("`{value}` is no value of `{name}`"))),
            _ => Err(bad(format!("`{name}` is no flag"))),
        }
    }

    /// Its name, as the file spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AutoDecide(_) => "AUTO_DECIDE",
            Self::Freeze(_) => "FREEZE",
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

    const fn is_set(self, flags: Flags) -> bool {
        match self {
            Self::AutoDecide(value) => value as u8 == flags.auto_decide as u8,
            Self::Freeze(value) => value == flags.freeze,
        }
    }
}

/// Sets a flag.
///
/// # Errors
/// `not_allowed` for anybody but CMD, but that anybody may freeze;
/// `ledger_invalid` where somebody set it by hand in a way that does not count.
pub fn set(ctx: &Context, snapshot: &Snapshot<'_>, who: &Identity, flag: Flag) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::default());
    decision.outcome.flag = Some((flag.name(), flag.value()));
    let in_force = ctx.flags_in_force(snapshot.flags);
    if flag.is_set(snapshot.flags) && flag.is_set(in_force) {
        decision.outcome.already = true;
        return Ok(decision);
    }
    if flag != Flag::Freeze(true) && who.actor.role() != Role::Cmd {
        if !who.solo {
            return Err(Error::not_allowed(format!(
                "`flag {}={}` needs CMD; you are `{}`, and may only freeze",
                flag.name(),
                flag.value(),
                who.actor
            ))
            .hint("orch status"));
        }
        decision.waivers.push("role".to_owned());
    }
    if flag.is_set(snapshot.flags) {
        return Err(Error::new(
            ErrorKind::LedgerInvalid,
            format!(
                "`{}={}` was written by hand, and counts once CMD accepts it",
                flag.name(),
                flag.value()
            ),
        )
        .hint("orch check"));
    }
    decision.operations.push(Operation::SetFlag { name: flag.name(), value: flag.value() });
    Ok(decision)
}

/// The flags in force once these operations are done.
pub fn after(mut flags: Flags, operations: &[Operation]) -> Flags {
    for operation in operations {
        if let Operation::SetFlag { name, value } = operation {
            match Flag::parse(&format!("{name}={value}")) {
                Ok(Flag::AutoDecide(value)) => flags.auto_decide = value,
                Ok(Flag::Freeze(value)) => flags.freeze = value,
                Err(_) => {}
            }
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_with_every_value() {
        for text in
            ["AUTO_DECIDE=on", "AUTO_DECIDE=shadow", "AUTO_DECIDE=off", "FREEZE=on", "FREEZE=off"]
        {
            let flag = Flag::parse(text).unwrap();
            assert_eq!(format!("{}={}", flag.name(), flag.value()), text);
            assert_eq!(Flag::parse(&text.to_lowercase()).unwrap(), flag);
            let set = Operation::SetFlag { name: flag.name(), value: flag.value() };
            assert!(flag.is_set(after(Flags::OFF, &[set])), "{text}");
        }
        for text in ["", "FREEZE", "FREEZE=", "FREEZE=maybe", "FREEZE=shadow", "AUTO=on", "=on"] {
            assert_eq!(Flag::parse(text).unwrap_err().kind, ErrorKind::Usage, "{text}");
        }
    }
}
