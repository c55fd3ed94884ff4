//! `orch prime`
//!
//! Invariant: it never fails and never says a word on standard error, because it
//! stands in the hooks that begin other people's sessions. Outside of a workspace
//! it says nothing at all.

use crate::cli::answer::{Cx, End};
use crate::cli::args::Format;
use crate::cli::render::prime::{say, way_out};
use crate::cli::render::safe::SafeLines;
use crate::error::Error;
use crate::services::prime::{self, Facts, Held, Ledger, Named};
use crate::wire::list::StateCount;
use crate::wire::prime::{Counts, Prime, PrimeHeld, PrimeProblem, PrimeTask, hook};
use clap::Args;

/// What `--help` and the manual add.
const WORDS_OF_YOUR_OWN: &str = "ORCH/prime.md, where it is there, is printed instead (8 KiB of it \
at most); a line `{{prime}}` in it stands for the usual text. Outside of a workspace nothing is \
printed, and nothing ever fails.";

/// Arguments of `orch prime`.
#[derive(Debug, Args)]
#[command(after_help = WORDS_OF_YOUR_OWN)]
pub struct PrimeArgs {
    /// Print the text in the envelope that session hooks take
    #[arg(long)]
    hook_json: bool,
}

pub(super) fn run(cx: &mut Cx<'_>, args: PrimeArgs) -> End {
    let caller = cx.caller();
    let Some(facts) = prime::look(caller.sys, caller.dir, caller.actor) else { return Ok(None) };
    let said = say(&caller, &facts);
    let text = SafeLines(&said.text).to_string();
    if args.hook_json {
        if !text.is_empty() {
            let _ = cx.ui.emit(|out, _| writeln!(out, "{}", hook(&text)))?;
        }
        return Ok(None);
    }
    if !matches!(cx.global.format(), Format::Json | Format::Jsonl) {
        let _ = cx.ui.emit(|out, _| out.write_all(text.as_bytes()))?;
        return Ok(None);
    }
    let ledger = facts.ledger.as_ref();
    let problem = |error: &Error| PrimeProblem {
        code: error.kind.code().to_owned(),
        message: cut(&error.to_string(), 240),
        hint: caller.command(way_out(error), None),
    };
    let data = Prime {
        root: facts.root.as_ref().map(|root| root.display().to_string()),
        actor: facts.who.as_ref().map(|who| who.actor.to_string()),
        counts: ledger.map(counts),
        held: ledger.map_or_else(Vec::new, |l| l.held.first.iter().map(held).collect()),
        claimable: ledger.map_or_else(Vec::new, |l| l.free.first.iter().map(task).collect()),
        commands: said.commands,
        rules: said.rules,
        problems: facts.problems.iter().map(problem).collect(),
        text,
    };
    let Facts { warnings, .. } = facts;
    if cx.global.format() == Format::Json {
        cx.json("prime", &data, &warnings, &said.next)?;
    } else {
        let line = serde_json::to_string(&data).unwrap_or_default();
        let _ = cx.ui.emit(|out, _| writeln!(out, "{line}"))?;
    }
    Ok(None)
}

fn counts(ledger: &Ledger) -> Counts {
    let count = |(state, count): &(crate::model::task_state::State, usize)| StateCount {
        state: state.to_string(),
        count: *count,
    };
    Counts {
        states: ledger.states.iter().map(count).collect(),
        other: ledger.other,
        total: ledger.total,
        held: ledger.held.total,
        claimable: ledger.free.total,
        approvals_pending: ledger.approvals_pending,
        freeze: ledger.freeze,
    }
}

fn task(named: &Named) -> PrimeTask {
    PrimeTask {
        task_id: named.id.clone(),
        title: cut(&named.title, 120),
        state: named.state.clone(),
    }
}

fn held(held: &Held) -> PrimeHeld {
    PrimeHeld {
        task_id: held.task.id.clone(),
        title: cut(&held.task.title, 120),
        expires_at: held.until.map(|end| end.to_string()),
        expired: held.is_over,
        needs_token: held.needs_token,
    }
}

/// At most so many characters, the last of them `…` where there are more.
fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
