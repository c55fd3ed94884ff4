//! `orch claim`

use crate::answer::change::Asked;
use crate::answer::lease;
use crate::cli::answer::{Cx, End};
use crate::cli::args::ChangeArgs;
use crate::error::{Error, ErrorKind};
use crate::model::duration;
use crate::services::claim;
use clap::Args;
use std::time::Duration;

/// How often a waiting claim looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Arguments of `orch claim`.
#[derive(Debug, Args)]
pub struct ClaimArgs {
    /// The tasks to take; all or none
    #[arg(value_name = "ID", required_unless_present = "next")]
    ids: Vec<String>,
    /// The best task that is free for you: by priority, then due, then table order
    #[arg(long, conflicts_with = "ids")]
    next: bool,
    /// How long the lease lasts without renewal (30m)
    #[arg(long, value_name = "DUR")]
    ttl: Option<String>,
    /// The token of a lease that is yours already
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    /// Wait up to this long for a task to become free (10m)
    #[arg(long, value_name = "DUR")]
    wait: Option<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: ClaimArgs) -> End {
    let request = claim::Request {
        ids: args.ids,
        ttl: lease::ttl(args.ttl.as_deref())?,
        token: args.token,
        note: None,
    };
    let mut left = args.wait.as_deref().map(duration::parse).transpose()?.unwrap_or_default();
    loop {
        let try_once = Try { request: &request };
        // While there is time left, a claim that fails says nothing.
        if left > Duration::ZERO && !try_once.is_possible(cx)? {
            cx.sys.clock.sleep(LOOK_AGAIN.min(left));
            left = left.saturating_sub(LOOK_AGAIN);
            continue;
        }
        let end = try_once.run(cx, args.change.clone());
        let lost_a_race = matches!(&end, Err(e) if e.kind == ErrorKind::Held);
        if lost_a_race && left > Duration::ZERO {
            continue;
        }
        return end;
    }
}

struct Try<'r> {
    request: &'r claim::Request,
}

impl Try<'_> {
    fn run(&self, cx: &mut Cx<'_>, change: ChangeArgs) -> End {
        let request = self.request;
        cx.change(&lease::CLAIM, change, request, &|asked| lease::decide_claim(asked, request))
    }

    /// Looks, as a reader, whether trying is worth it.
    fn is_possible(&self, cx: &mut Cx<'_>) -> Result<bool, Error> {
        let reader = super::next::Reader::open(cx)?;
        let snapshot = reader.snapshot(cx)?;
        let now = reader.ctx.now(snapshot.journal()?.newest());
        let (ctx, who) = (&reader.ctx, &reader.who);
        let asked = Asked { ctx, snapshot: &snapshot, who, note: None, now };
        match lease::decide_claim(&asked, self.request) {
            Ok(decision) => Ok(!decision.outcome.nothing_ready),
            Err(e) => Ok(!matches!(
                e.kind,
                ErrorKind::Held | ErrorKind::ApprovalRequired | ErrorKind::NotAllowed
            )),
        }
    }
}
