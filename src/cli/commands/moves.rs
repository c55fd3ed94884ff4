//! The state commands: `ready submit release done fix hold resume drop reopen
//! move`. They differ by a line of the state machine, not by code.

use crate::answer::lease;
use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::error::Error;
use crate::model::task_state::Command;
use crate::services::set;
use crate::services::transition::Request;
use clap::Args;

/// Arguments of the commands that take ids only.
#[derive(Debug, Args)]
pub struct MoveArgs {
    /// The tasks; all or none
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Arguments of `orch submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The tasks; all or none
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// What came of it
    #[arg(long, value_name = "PATH")]
    artifact: Option<String>,
    /// The lease's token
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    /// Then take the next task, in the same operation
    #[arg(long)]
    claim_next: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Arguments of `orch release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The tasks; all or none
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Back to PLAN: somebody who directs must answer this (`-` reads stdin)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    needs_input: Option<String>,
    /// The lease's token
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Arguments of `orch move`.
#[derive(Debug, Args)]
pub struct MoveToArgs {
    /// The task
    id: String,
    /// PLAN, READY, DOING, REVIEW, FIX, DONE, HOLD or DROP
    state: String,
    /// The lease's token
    #[arg(long, value_name = "N")]
    token: Option<u64>,
    #[command(flatten)]
    change: ChangeArgs,
}

fn run(
    cx: &mut Cx<'_>,
    verb: Verb,
    command: Command,
    request: &Request,
    change: ChangeArgs,
) -> End {
    cx.change(&verb, change, request, &|asked| lease::decide_step(asked, command, request))
}

macro_rules! plain {
    ($($name:ident, $verb:literal, $kind:literal, $command:expr;)*) => {$(
        pub(super) fn $name(cx: &mut Cx<'_>, args: MoveArgs) -> End {
            let request = Request { ids: args.ids, ..Request::default() };
            run(cx, Verb { command: $verb, kind: $kind }, $command, &request, args.change)
        }
    )*};
}

plain! {
    ready, "ready", "task.ready", Command::Ready;
    done, "done", "task.done", Command::Done;
    fix, "fix", "task.fix", Command::Fix;
    hold, "hold", "task.hold", Command::Hold;
    resume, "resume", "task.resume", Command::Resume;
    drop, "drop", "task.drop", Command::Drop;
}

pub(super) fn reopen(cx: &mut Cx<'_>, args: MoveArgs) -> End {
    if args.change.note.is_none() {
        return Err(Error::usage("`reopen` needs `--note`: say why").hint("orch reopen --help"));
    }
    let request = Request { ids: args.ids, ..Request::default() };
    let verb = Verb { command: "reopen", kind: "task.reopen" };
    run(cx, verb, Command::Reopen, &request, args.change)
}

pub(super) fn submit(cx: &mut Cx<'_>, args: SubmitArgs) -> End {
    let request =
        Request { ids: args.ids, token: args.token, artifact: args.artifact, ..Request::default() };
    if !args.claim_next {
        return run(cx, lease::SUBMIT, Command::Submit, &request, args.change);
    }
    let asked_for = ("claim-next", &request);
    cx.change(&lease::SUBMIT, args.change, &asked_for, &|asked| {
        lease::decide_submit_and_claim(asked, &request)
    })
}

pub(super) fn release(cx: &mut Cx<'_>, args: ReleaseArgs) -> End {
    let needs_input = cx.option_text(args.needs_input)?;
    let request = Request { ids: args.ids, token: args.token, needs_input, ..Request::default() };
    let command = lease::release_by(&request)?;
    run(cx, lease::RELEASE, command, &request, args.change)
}

pub(super) fn move_to(cx: &mut Cx<'_>, args: MoveToArgs) -> End {
    let request = Request { ids: vec![args.id], token: args.token, ..Request::default() };
    let verb = Verb { command: "move", kind: "task.move" };
    let state = args.state;
    cx.change(&verb, args.change, &(&request, &state), &|asked| {
        let request = Request { note: asked.note.map(str::to_owned), ..request.clone() };
        set::move_to(asked.ctx, asked.snapshot, asked.who, &request, &state, asked.now)
    })
}
