//! T23, T29: the laws of the ledger engine over generated messy ledgers.
//!
//! `ORCH_PROPTEST_CASES` sets the number of cases of each test, and then the
//! seed is a new one each time; `ORCH_PROPTEST_SEED` sets it. Every run says
//! its seed and how often the law was really put to the test.

use crate::documents::{self, Choices};
use crate::props::{self, Outcome};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::cell::Cell;
use std::hash::{BuildHasher, Hasher};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// A number from the environment.
pub fn number(name: &str) -> Option<u64> {
    #[allow(clippy::disallowed_methods, reason = "tests are the outside")]
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Runs a law over choices. `at_least` is the share of cases, in percent, that
/// must have put the law to the test.
#[allow(clippy::print_stdout, reason = "a test says what it did")]
fn check(name: &str, at_least: u64, law: impl Fn(&[u8]) -> Outcome) {
    let cases = number("ORCH_PROPTEST_CASES");
    let seed = number("ORCH_PROPTEST_SEED").unwrap_or_else(|| match cases {
        Some(_) => std::hash::RandomState::new().build_hasher().finish(),
        None => 23,
    });
    let config = Config {
        cases: cases.and_then(|n| u32::try_from(n).ok()).unwrap_or(3_000),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    println!("{name}: {} cases, ORCH_PROPTEST_SEED={seed}", config.cases);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let total = u64::from(config.cases);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let held = Cell::new(0);
    let refused = Cell::new(0);
    let result = runner.run(&choices(), |choices| {
        match caught(|| law(&choices)).map_err(TestCaseError::fail)? {
            Outcome::Held => held.set(held.get() + 1),
            Outcome::Refused => refused.set(refused.get() + 1),
            Outcome::Nothing => {}
        }
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, choices)) => {
            panic!("{name} broke with ORCH_PROPTEST_SEED={seed}, choices {choices:?}: {reason}")
        }
        Err(error) => panic!("{name} broke with ORCH_PROPTEST_SEED={seed}: {error}"),
    }
    println!("{name}: held {}, refused {}, of {total}", held.get(), refused.get());
    let enough = total < 1_000 || held.get() * 100 >= at_least * total;
    assert!(enough, "{name} hardly tests: {} of {total}", held.get());
}

thread_local! {
    /// Whether a panic of this thread is caught and need not be printed.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What a law gives, or what it says where it breaks. Shrinking breaks a law
/// some thousand times; only the last time is worth printing.
fn caught(law: impl FnOnce() -> Outcome) -> Result<Outcome, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                hook(info);
            }
        }));
    });
    QUIET.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(law));
    QUIET.set(false);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_else(|| "a panic without words".to_owned())
    })
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..400)
}

/// A document, and the choices that are left for what is done to it.
fn with_document(choices: &[u8], law: impl Fn(&str, &mut Choices<'_>) -> Outcome) -> Outcome {
    let (for_actions, for_document) = choices.split_at(choices.len().min(16));
    let text = documents::document(&mut Choices::new(for_document));
    law(&text, &mut Choices::new(for_actions))
}

#[test]
fn t23_skeleton_decides_as_the_whole() {
    check("skeleton", 100, |choices| {
        with_document(choices, |text, _| {
            props::skeleton_decides_as_the_whole(text);
            Outcome::Held
        })
    });
}

#[test]
fn t23_t29_messy_ledgers_parse_losslessly() {
    check("lossless", 40, |choices| {
        with_document(choices, |text, _| props::parses_losslessly(text.as_bytes()))
    });
}

#[test]
fn t29_arbitrary_bytes_parse_losslessly() {
    check("bytes", 15, |choices| {
        with_document(choices, |text, c| {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..c.pick(4) {
                let at = (c.pick(256) * 8 + c.pick(8)) % (bytes.len() + 1);
                let byte = [b'|', 0, 0xff, 0xe6, b'\n', b'\r', 0xef, b'-'][c.pick(8)];
                match c.pick(3) {
                    0 => bytes.insert(at, byte),
                    1 if at < bytes.len() => bytes[at] = byte,
                    _ => bytes.truncate(at),
                }
            }
            props::parses_losslessly(choices);
            props::parses_losslessly(&bytes)
        })
    });
}

#[test]
fn t23_cells_are_where_pulldown_sees_them() {
    check("pulldown", 100, |choices| {
        with_document(choices, |text, _| {
            props::cells_are_where_pulldown_sees_them(text);
            Outcome::Held
        })
    });
}

#[test]
fn t23_comrak_agrees() {
    check("comrak", 35, |choices| with_document(choices, |text, _| props::comrak_agrees(text)));
}

#[test]
fn t23_a_set_changes_only_its_cell() {
    check("set", 20, |choices| {
        with_document(choices, |text, c| {
            let (row, column) = (c.pick(16), c.pick(32));
            let value = documents::value(c);
            props::a_set_changes_only_its_cell(text, row, column, &value)
        })
    });
}

#[test]
fn t23_an_edit_inverts() {
    check("inverse", 80, |choices| {
        with_document(choices, |text, c| {
            let mut cuts = Vec::new();
            for _ in 0..=c.pick(5) {
                let start = c.pick(256) * c.pick(8);
                cuts.push((start, c.pick(40), documents::value(c)));
            }
            let cuts: Vec<_> = cuts.iter().map(|(a, n, by)| (*a, *n, by.as_str())).collect();
            props::an_edit_inverts(text, &cuts)
        })
    });
}

#[test]
fn t23_an_added_row_is_one_line() {
    check("add", 25, |choices| {
        with_document(choices, |text, c| {
            let id = ["T-100", "T-1", "001", "a|b"][c.pick(4)];
            let values: Vec<_> =
                (0..c.pick(4)).map(|_| (c.pick(16), documents::value(c))).collect();
            let values: Vec<_> = values.iter().map(|(at, v)| (*at, v.as_str())).collect();
            props::an_added_row_is_one_line(text, id, &values)
        })
    });
}

#[test]
fn t23_fmt_is_idempotent_and_keeps_values() {
    check("fmt", 35, |choices| {
        with_document(choices, |text, _| props::fmt_is_idempotent_and_keeps_values(text))
    });
}

#[test]
fn a_comparison_leads_there_and_back() {
    check("undo", 20, |choices| {
        with_document(choices, |text, c| {
            let (row, column) = (c.pick(16), c.pick(32));
            let kind = c.pick(5);
            let value = documents::value(c);
            let deed = match kind {
                0 => props::Deed::Set(row, column, &value),
                1 => props::Deed::Add(&value),
                2 => props::Deed::Cut(row),
                3 => props::Deed::Format,
                _ => props::Deed::Detail(row, &value),
            };
            props::a_comparison_leads_there_and_back(text, deed)
        })
    });
}

#[test]
fn a_merge_is_what_the_model_says() {
    check("merge, plain", 35, |choices| {
        props::a_merge_is_what_the_model_says(&mut Choices::new(choices))
    });
}

#[test]
fn a_merge_keeps_what_both_did() {
    check("merge", 35, |choices| {
        let (for_edits, for_document) = choices.split_at(choices.len().min(48));
        let base = documents::document(&mut Choices::new(for_document));
        let c = &mut Choices::new(for_edits);
        let (ours, theirs) = (props::edited(&base, c), props::edited(&base, c));
        props::a_merge_keeps_what_both_did(&base, &ours, &theirs)
    });
}
