//! `orch flag`

use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::services::flags;
use clap::Args;

/// Arguments of `orch flag`.
#[derive(Debug, Args)]
pub struct FlagArgs {
    /// `AUTO_DECIDE=on|shadow|off` or `FREEZE=on|off`; anybody may freeze
    #[arg(value_name = "NAME=VALUE")]
    flag: String,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: FlagArgs) -> End {
    let flag = flags::parse(&args.flag)?;
    let verb = Verb { command: "flag", kind: "flag.set" };
    cx.change(&verb, args.change, &flag, &|asked| {
        flags::set(asked.ctx, asked.snapshot, asked.who, flag)
    })
}
