//! An agent that knows nothing: it starts from what `orch` alone prints and types only
//! commands that were printed to it, whatever it finds and whoever else is at work.
//!
//! Here: the four kinds of worlds, a hundred seeds, and that each law can be broken. In
//! the folder: `worlds` (ledgers, damage, the others), `walk` (how it goes on), `laws`
//! (what may be printed to it). `ORCH_AGENT_SEEDS=1000` walks more of them.

mod laws;
mod walk;
mod worlds;

use crate::laws::number;
use std::collections::BTreeMap;
use walk::{Outcome, Report};
use worlds::Kind;

/// Walks so many seeds of a kind, and says what came of them.
fn walk_all(kind: Kind) -> BTreeMap<Outcome, usize> {
    let seeds = number("ORCH_AGENT_SEEDS").map_or(25, |n| n / 4);
    let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
    let (mut tokens, mut broken, mut leases_lost) = (Vec::new(), Vec::new(), 0);
    for seed in 0..seeds {
        let Report { outcome, spent, story, lost, wrong } = walk::walk(kind, seed);
        leases_lost += lost;
        tokens.extend(spent);
        if !wrong.is_empty() {
            broken.push(format!("{kind:?}, seed {seed}: {}\n{story}", wrong.join("\n  ")));
        }
        *outcomes.entry(outcome).or_default() += 1;
    }
    tokens.sort_unstable();
    let median = tokens.get(tokens.len() / 2).copied().unwrap_or_default();
    let most = tokens.last().copied().unwrap_or_default();
    #[allow(clippy::print_stdout, reason = "figures of a run")]
    {
        println!(
            "{kind:?}: {seeds} seeds, {outcomes:?}, {leases_lost} leases lost; claim to submit {} times, \
         tokens: median {median}, most {most}",
            tokens.len()
        );
    }
    assert!(broken.is_empty(), "{} of {seeds}:\n{}", broken.len(), broken.join("\n"));
    // Who contests takes leases away too: without that the world would be a tame one.
    assert!(kind != Kind::Contested || leases_lost > 0, "nobody lost a lease");
    assert!(most <= laws::MOST_TOKENS, "{most} tokens from claim to submit");
    outcomes
}

#[test]
fn from_an_empty_ledger_it_ends_well() {
    walk_all(Kind::Empty);
}

#[test]
fn from_a_healthy_ledger_it_submits() {
    let outcomes = walk_all(Kind::Healthy);
    assert!(outcomes.contains_key(&Outcome::Submitted), "{outcomes:?}");
    assert!(outcomes.contains_key(&Outcome::Released), "{outcomes:?}");
}

#[test]
fn from_a_damaged_ledger_it_ends_well() {
    let outcomes = walk_all(Kind::Damaged);
    assert!(outcomes.contains_key(&Outcome::LedgerInvalid), "{outcomes:?}");
}

#[test]
fn from_a_contested_ledger_it_ends_well() {
    let outcomes = walk_all(Kind::Contested);
    assert!(outcomes.contains_key(&Outcome::Submitted), "{outcomes:?}");
}
