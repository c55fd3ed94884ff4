//! Parsing in this process, beside `memchr` over the same lines and cells and
//! beside pulldown-cmark with tables.

use crate::report::{Row, gb_per_s};
use crate::{Size, ledgers};
use anyhow::{Result, ensure};
use orch::ledger::source;
use orch::ledger::tasks::TaskLedger;
use pulldown_cmark::{Event, Options, Parser, Tag};
use std::hint::black_box;
use std::time::{Duration, Instant};

const GOAL: f64 = 1.0;

pub fn rows(size: Size) -> Result<Vec<Row>> {
    let counts: &[usize] = size.pick(&[10_000, 100_000], &[2_000], &[200]);
    counts.iter().map(|count| row(size, *count)).collect()
}

fn row(size: Size, count: usize) -> Result<Row> {
    let text = ledgers::ledger(count);
    let (mut ours, mut floor, mut peer) = (Duration::MAX, Duration::MAX, Duration::MAX);
    // Best of several, in turns: what disturbs one disturbs all.
    for _ in 0..size.pick(15, 15, 1) {
        let (found, took) = timed(|| orch_rows(&text));
        ensure!(found == count, "orch found {found} rows of {count}");
        ours = ours.min(took);
        let (found, took) = timed(|| pipes(&text));
        ensure!(found == 11 * (count + 2), "memchr found {found} pipes");
        floor = floor.min(took);
        let (found, took) = timed(|| peer_rows(&text));
        ensure!(found == count, "pulldown-cmark found {found} rows of {count}");
        peer = peer.min(took);
    }
    let speed = |time| gb_per_s(text.len(), time);
    Ok(Row {
        work: format!("parse of {count} rows"),
        measured: format!("{:.2} GB/s", speed(ours)),
        reference: format!(
            "memchr {:.2} GB/s, pulldown-cmark {:.2} GB/s",
            speed(floor),
            speed(peer)
        ),
        ratio: Some(speed(ours) / speed(floor)),
        goal: format!("≥ {GOAL} GB/s"),
        met: (size == Size::Full).then_some(speed(ours) >= GOAL),
        ..Row::default()
    })
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = black_box(work());
    (result, start.elapsed())
}

/// From bytes, as a command does, the check for UTF-8 included.
fn orch_rows(text: &str) -> usize {
    let text = source::text(black_box(text).as_bytes(), "TASKS.md");
    let ledger = text.and_then(|text| TaskLedger::parse(text, "TASKS.md"));
    ledger.map_or(0, |ledger| ledger.grid().rows.len())
}

fn pipes(text: &str) -> usize {
    let bytes = black_box(text).as_bytes();
    let (mut pipes, mut start) = (0, 0);
    for end in memchr::memchr_iter(b'\n', bytes) {
        pipes += memchr::memchr_iter(b'|', &bytes[start..end]).count();
        start = end + 1;
    }
    pipes
}

fn peer_rows(text: &str) -> usize {
    let events = Parser::new_ext(black_box(text), Options::ENABLE_TABLES);
    events.filter(|event| matches!(event, Event::Start(Tag::TableRow))).count()
}
