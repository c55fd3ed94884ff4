//! Evidence that changes under whoever decides (T38): it turns into something
//! else and back as fast as it can, while the real program asks and decides.
//!
//! `it` swaps it before every single call; here nobody knows when.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::Value;

use super::support::ground::Ground;
use super::support::judge::{chain, sha256};
use super::support::{Dice, at_once, pause, say, scale};

const TEXTS: [&str; 2] = ["what was shown\n", "something else\n"];

fn flip(one: &Path, other: &Path, ended: &AtomicBool, dice: &mut Dice) {
    while !ended.load(Ordering::SeqCst) {
        for _ in 0..2 {
            renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
            pause(Duration::from_micros(dice.below(400) as u64));
        }
    }
}

/// Asks, looks, decides on what was seen. Gives the hash that was decided on, and
/// the one that the journal has.
fn decided(ground: &Ground, n: usize) -> Option<(String, String)> {
    let op = format!("op{n}");
    let asked =
        ["request", "T-0001", "--op", &op, "--evidence", "seen.txt", "--as", "WORK@ada", "--json"];
    let ran = ground.orch(&asked);
    assert_eq!(ran.exit, 0, "T38: {ran:?}");
    let id = ran.json()["data"]["approval"]["appr_id"].as_str().unwrap().to_owned();
    // What somebody looked at, one time the one text, one time the other.
    let shown = sha256(TEXTS[n % 2].as_bytes());
    let ran = ground.orch(&["approve", &id, "--sha", &shown[..12], "--as", "CMD@eve", "--json"]);
    assert!(matches!(ran.exit, 0 | 9), "T38: {ran:?}");
    if ran.exit == 9 {
        ground.orch(&["withdraw", &id, "--as", "WORK@ada"]).ok();
        return None;
    }
    let journal = ground.journal_text();
    let last: Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
    assert_eq!(last["command"], "approve", "{last}");
    Some((shown, last["subjects"][0]["sha"].as_str().unwrap().to_owned()))
}

#[test]
fn t38_nothing_is_approved_but_what_was_shown() {
    let dice = Dice::new("T38");
    let ground = Ground::of_rows(2, "READY");
    ground.settings("durability: fast\n");
    let [seen, other] = ["seen.txt", "other.txt"].map(|name| ground.root().join(name));
    fs::write(&seen, TEXTS[0]).unwrap();
    fs::write(&other, TEXTS[1]).unwrap();
    // A thousand at twenty times.
    let rounds = (50 * scale()).min(2_000);
    let ended = AtomicBool::new(false);
    let ends = at_once(2, |w| {
        if w == 1 {
            flip(&seen, &other, &ended, &mut dice.split(w));
            return Vec::new();
        }
        let decide =
            std::panic::AssertUnwindSafe(|| (0..rounds).map(|n| decided(&ground, n)).collect());
        let all = std::panic::catch_unwind(decide);
        ended.store(true, Ordering::SeqCst);
        all.unwrap_or_else(|why| std::panic::resume_unwind(why))
    });
    let approved: Vec<_> = ends[0].iter().flatten().collect();
    for (shown, recorded) in &approved {
        assert_eq!(shown, recorded, "T38: approved what was not shown");
    }
    say(
        "T38",
        format_args!("{rounds} decisions, {} on what was shown, the rest refused", approved.len()),
    );
    assert!(!approved.is_empty() && approved.len() < rounds, "{} of {rounds}", approved.len());
    // What was decided on other bytes than those of now is told by `check`.
    chain(&ground.journal_text(), "T38");
}
