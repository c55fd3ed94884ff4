//! `orch renew`

use crate::answer::lease;
use crate::cli::answer::{Cx, End};
use crate::cli::args::ChangeArgs;
use crate::services::claim;
use clap::Args;

/// Arguments of `orch renew`.
#[derive(Debug, Args)]
pub struct RenewArgs {
    /// The tasks; all or none
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// How long it lasts from now; without it as long as it was claimed for
    #[arg(long, value_name = "DUR")]
    ttl: Option<String>,
    /// The lease's token
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: RenewArgs) -> End {
    let request = claim::Request {
        ids: args.ids,
        ttl: lease::ttl(args.ttl.as_deref())?,
        token: args.token,
        note: None,
    };
    cx.change(&lease::RENEW, args.change, &request, &|asked| lease::decide_renew(asked, &request))
}
