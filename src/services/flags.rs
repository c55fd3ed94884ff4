//! `flag`: switching automatic decisions and the freeze.

use crate::error::{Error, ErrorKind, Result};
use crate::model::actor::Role;
use crate::model::flags::{Flag, Flags};
use crate::model::operation::Operation;
use crate::model::outcome::Outcome;
use crate::services::change::Decision;
use crate::services::context::{Context, Identity};
use crate::store::snapshot::Snapshot;

/// Reads `NAME=VALUE`, in upper or lower case.
///
/// # Errors
/// `usage` for any other flag or value.
pub fn parse(text: &str) -> Result<Flag> {
    let bad = |why: String| {
        Error::usage(format!("{why}; write AUTO_DECIDE=on|shadow|off or FREEZE=on|off"))
            .hint("orch flag --help")
    };
    let (name, value) =
        text.split_once('=').ok_or_else(|| bad(format!("`{text}` is no NAME=VALUE")))?;
    let known = name.to_ascii_uppercase();
    if !Flag::NAMES.contains(&&*known) {
        return Err(bad(format!("`{name}` is no flag")));
    }
    Flag::of(&known, &value.to_ascii_lowercase())
        .ok_or_else(|| bad(format!("`{value}` is no value of `{name}`")))
}

/// Sets a flag.
///
/// # Errors
/// `not_allowed` for anybody but CMD, but that anybody may freeze;
/// `ledger_invalid` where somebody set it by hand in a way that does not count.
pub fn set(ctx: &Context, snapshot: &Snapshot<'_>, who: &Identity, flag: Flag) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::default());
    decision.outcome.flag = Some((flag.name(), flag.value()));
    let is_set = |flags: Flags| flags.with(flag) == flags;
    let in_force = ctx.flags_in_force(snapshot.flags);
    if is_set(snapshot.flags) && is_set(in_force) {
        decision.outcome.already = true;
        return Ok(decision);
    }
    let may_set = flag == Flag::Freeze(true) || who.actor.role() == Role::Cmd;
    if !who.may(may_set, &mut decision.waivers) {
        return Err(Error::not_allowed(format!(
            "`flag {}={}` needs CMD; you are `{}`, and may only freeze",
            flag.name(),
            flag.value(),
            who.actor
        ))
        .hint("orch status"));
    }
    if is_set(snapshot.flags) {
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
    decision.operations.push(Operation::SetFlag(flag));
    Ok(decision)
}

/// The flags in force once these operations are done.
pub fn after(flags: Flags, operations: &[Operation]) -> Flags {
    operations.iter().fold(flags, |flags, operation| match operation {
        Operation::SetFlag(flag) => flags.with(*flag),
        _ => flags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_with_every_value() {
        for text in
            ["AUTO_DECIDE=on", "AUTO_DECIDE=shadow", "AUTO_DECIDE=off", "FREEZE=on", "FREEZE=off"]
        {
            let flag = parse(text).unwrap();
            assert_eq!(format!("{}={}", flag.name(), flag.value()), text);
            assert_eq!(parse(&text.to_lowercase()).unwrap(), flag);
            let set = after(Flags::OFF, &[Operation::SetFlag(flag)]);
            assert_eq!(set, Flags::OFF.with(flag), "{text}");
        }
        for text in ["", "FREEZE", "FREEZE=", "FREEZE=maybe", "FREEZE=shadow", "AUTO=on", "=on"] {
            assert_eq!(parse(text).unwrap_err().kind, ErrorKind::Usage, "{text}");
        }
    }
}
