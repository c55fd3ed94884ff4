//! The past, told line by line, on lines built by hand.

use super::*;
use crate::store::entry::{Entry, RowChange};
use std::collections::BTreeMap;

/// A journal in the making: each line follows the one before.
struct Book {
    text: String,
    heads: Vec<String>,
    seq: u64,
}

impl Book {
    fn new() -> Self {
        Self { text: String::new(), heads: Vec::new(), seq: 0 }
    }

    /// One operation at so many seconds.
    fn line(&mut self, at: i64, mut entry: Entry) -> &mut Self {
        self.seq += 1;
        entry.seq = self.seq;
        entry.id = format!("op{}", self.seq);
        entry.ts = Timestamp(at * 1000).to_millis_string();
        entry.parents = std::mem::take(&mut self.heads);
        let line = entry.to_line();
        self.heads = vec![Line::parse(line.as_bytes()).unwrap().hash.to_owned()];
        self.text.push_str(&line);
        self.text.push('\n');
        self
    }

    fn journal(&self) -> Journal {
        Journal::of(vec![("2026-01".into(), self.text.clone().into_bytes())])
    }

    fn past(&self) -> Past {
        Past::of(&self.journal())
    }
}

fn change(file: &str, row: &str, cells: &[(&str, &str, &str)]) -> RowChange {
    let cells = cells.iter().map(|(name, before, after)| {
        ((*name).to_owned(), (format!(" {before} "), format!(" {after} ")))
    });
    let cells: BTreeMap<_, _> = cells.collect();
    RowChange { file: file.into(), row: row.into(), cells, ..RowChange::default() }
}

fn task(command: &str, row: &str, cells: &[(&str, &str, &str)]) -> Entry {
    Entry {
        actor: "WORK@coder".into(),
        command: command.into(),
        task: Some(row.into()),
        changes: vec![change(TASKS, row, cells)],
        ..Entry::default()
    }
}

fn mark(token: u64) -> RunMark {
    RunMark { token, ..RunMark::default() }
}

fn begins(row: &str, from: &str, token: u64) -> Entry {
    let runner = Some("coder".to_owned());
    let run = Some(RunMark { runner, attempt: Some(1), ..mark(token) });
    let cells = [
        ("state", from, "DOING"),
        ("lock_owner", "-", "WORK@coder"),
        ("lock", "-", "WORK@coder@x"),
    ];
    Entry { run, ..task("claim", row, &cells) }
}

fn leaves(command: &str, row: &str, to: &str, run: Option<RunMark>) -> Entry {
    let cells =
        [("state", "DOING", to), ("lock_owner", "WORK@coder", "-"), ("lock", "WORK@coder@x", "-")];
    Entry { run, ..task(command, row, &cells) }
}

fn ends(row: &str, token: u64, result: &str, took_ms: u64) -> Entry {
    let (runner, result) = (Some("coder".to_owned()), Some(result.to_owned()));
    let run = RunMark { runner, result, took_ms: Some(took_ms), ..mark(token) };
    leaves("release", row, "READY", Some(run))
}

fn gives_up(row: &str, token: u64) -> Entry {
    let run = RunMark { result: Some("exit 1".into()), took_ms: Some(9), ..mark(token) };
    leaves("watch", row, "FIX", Some(run))
}

fn approval(command: &str, actor: &str, status: (&str, &str)) -> Entry {
    let cells = [("status", status.0, status.1), ("ts_req", "-", "1970-01-01T00:00:30Z")];
    Entry {
        actor: actor.into(),
        command: command.into(),
        changes: vec![change(APPROVALS, "A1", &cells)],
        ..Entry::default()
    }
}

/// Some of everything.
fn life() -> Book {
    let mut book = Book::new();
    book.line(0, Entry { command: "genesis".into(), ..Entry::default() });
    book.line(10, task("add", "T-1", &[("state", "", "READY")]));
    book.line(40, begins("T-1", "READY", 1));
    book.line(50, ends("T-1", 1, "exit 1", 9_000));
    book.line(110, begins("T-1", "READY", 2));
    book.line(115, leaves("submit", "T-1", "REVIEW", Some(mark(2))));
    book.line(120, approval("request", "WORK@ada", ("", "pending")));
    book.line(180, approval("decide", AUTO, ("pending", "approved")));
    book.line(200, task("add", "T-2", &[("state", "", "READY")]));
    book.line(210, begins("T-2", "READY", 3));
    book.line(220, leaves("reap", "T-2", "READY", None));
    book.line(230, begins("T-2", "READY", 4));
    book.line(240, gives_up("T-2", 4));
    book.line(250, approval("external", "external", ("", "pending")));
    book.line(260, approval("reject", "CMD@eve", ("pending", "rejected")));
    book
}

use crate::services::context::AUTO;

#[test]
fn a_life_is_counted() {
    let past = life().past();
    let tally = past.tally();
    let of = |result| tally.runs.get(&("coder".to_owned(), result)).copied().unwrap_or(0);
    assert_eq!((of("failed"), of("ok"), of("cancelled")), (2, 1, 1));
    // 9 s, 5 s by itself, 9 ms.
    assert_eq!(tally.run_duration.count(), 3);
    assert!((tally.run_duration.sum() - 14.009).abs() < 1e-9);
    // 30, 60, 10 and 10 s.
    assert_eq!(tally.queue_wait.count(), 4);
    assert!((tally.queue_wait.sum() - 110.0).abs() < 1e-9);
    // 60 s, and 230 s since the time that was typed.
    assert_eq!((tally.decisions_auto, tally.decisions_people), (1, 1));
    assert!((tally.approval_wait.sum() - 290.0).abs() < 1e-9);
    assert_eq!((tally.expirations, tally.adopted, tally.lost), (1, 0, 0));
    assert_eq!(past.since("T-1", State::Review), Some(Timestamp(115_000)));
    assert_eq!(past.since("T-1", State::Ready), None);
    let given_up = past.given_up("T-2").unwrap();
    assert_eq!((given_up.at, &*given_up.runner), (Timestamp(240_000), "coder"));
    assert_eq!((past.asked("A1"), past.asked("A2")), (None, None));
}

#[test]
fn following_comes_to_the_same_as_telling() {
    let book = life();
    let ends: Vec<usize> = book.text.match_indices('\n').map(|(at, _)| at + 1).collect();
    let whole = book.past();
    for first in 0..=book.text.len() {
        let part = Journal::of(vec![("2026-01".into(), book.text.as_bytes()[..first].to_vec())]);
        let mut past = Past::of(&part);
        past.follow(&part);
        past.follow(&book.journal());
        assert_eq!(past, whole, "from byte {first}");
    }
    // In two months; the first is told, then grows, then the second begins.
    for (n, cut) in ends.iter().enumerate() {
        let (first, second) = book.text.split_at(*cut);
        let months = |text: &[(&str, &str)]| {
            Journal::of(text.iter().map(|(m, t)| ((*m).into(), t.as_bytes().to_vec())).collect())
        };
        let both = months(&[("2026-01", first), ("2026-02", second)]);
        let mut past = Past::of(&months(&[("2026-01", &first[..ends[n / 2]])]));
        past.follow(&months(&[("2026-01", first)]));
        past.follow(&both);
        assert_eq!(past, Past::of(&both), "{n}");
        assert_eq!(past.tally, whole.tally, "{n}");
    }
}

#[test]
fn only_new_lines_are_told_and_a_merge_tells_anew() {
    let mut book = life();
    let mut past = book.past();
    let before = book.text.clone();
    let base = book.heads.clone();
    book.line(300, task("move", "T-3", &[("state", "PLAN", "READY")]));
    assert_eq!(past.told.new_lines(&book.journal()).unwrap().len(), 1);
    past.follow(&book.journal());
    assert_eq!(past.told.new_lines(&book.journal()).unwrap().len(), 0);
    // A branch that began before.
    let mut branch = Book { text: before, heads: base, seq: book.seq };
    branch.line(290, task("move", "T-4", &[("state", "PLAN", "FIX")]));
    let theirs = branch.text.lines().last().unwrap();
    book.text.push_str(&format!("{theirs}\n"));
    assert!(past.told.new_lines(&book.journal()).is_none());
    past.follow(&book.journal());
    assert_eq!(past, book.past());
    assert!(past.since("T-3", State::Ready).is_some() && past.since("T-4", State::Fix).is_some());
    // A journal that lost lines, or has others in their place.
    for odd in ["", &branch.text] {
        let odd = Journal::of(vec![("2026-01".into(), odd.as_bytes().to_vec())]);
        let mut past = past.clone();
        past.follow(&odd);
        assert_eq!(past, Past::of(&odd));
    }
}

#[test]
fn every_count_only_grows() {
    let book = life();
    let mut before: Vec<u64> = Vec::new();
    let mut past = Past::default();
    for end in book.text.match_indices('\n').map(|(at, _)| at + 1) {
        let part = Journal::of(vec![("2026-01".into(), book.text.as_bytes()[..end].to_vec())]);
        past.follow(&part);
        let tally = past.tally();
        let runs = ["failed", "ok", "cancelled"]
            .map(|result| tally.runs.get(&("coder".to_owned(), result)).copied().unwrap_or(0));
        let waits = [&tally.run_duration, &tally.queue_wait, &tally.approval_wait];
        let buckets = waits.iter().flat_map(|histogram| histogram.buckets().map(|(_, n)| n));
        let counts = [
            tally.decisions_auto,
            tally.decisions_people,
            tally.adopted,
            tally.lost,
            tally.expirations,
        ];
        let now: Vec<u64> = runs.into_iter().chain(buckets).chain(counts).collect();
        assert!(before.iter().zip(&now).all(|(before, now)| before <= now));
        before = now;
    }
}

#[test]
fn a_task_is_given_up_until_somebody_touches_it() {
    let given_up = |entries: Vec<Entry>| {
        let mut book = Book::new();
        book.line(1, begins("T-1", "READY", 1)).line(2, gives_up("T-1", 1));
        for (entry, at) in entries.into_iter().zip(3..) {
            book.line(at, entry);
        }
        book.past().given_up("T-1").is_some()
    };
    let note = |via: Option<&str>| Entry {
        via: via.map(str::to_owned),
        ..task("note", "T-1", &[("notes", "-", "x")])
    };
    assert!(given_up(vec![]) && given_up(vec![note(Some("git"))]));
    assert!(given_up(vec![task("note", "T-2", &[("notes", "-", "x")])]));
    assert!(!given_up(vec![note(None)]));
    assert!(!given_up(vec![begins("T-1", "FIX", 2), leaves("release", "T-1", "FIX", None)]));
}

#[test]
fn leases_that_ended_are_counted_however_they_were_taken() {
    let expirations = |entry: Entry| {
        let mut book = Book::new();
        book.line(1, entry);
        book.past().tally().expirations
    };
    assert_eq!(expirations(leaves("reap", "T-1", "FIX", None)), 1);
    assert_eq!(expirations(task("reap", "T-1", &[("state", "DOING", "READY")])), 1);
    assert_eq!(expirations(leaves("claim", "T-1", "READY", None)), 1, "on the way of another");
    let over = [("lock_owner", "WORK@ada", "WORK@bob"), ("lock", "WORK@ada@x", "WORK@bob@y")];
    assert_eq!(expirations(task("claim", "T-1", &over)), 1);
    assert_eq!(expirations(task("claim", "T-1", &over[1..])), 1, "the same actor anew");
    for (command, to) in [("submit", "REVIEW"), ("release", "READY"), ("hold", "HOLD")] {
        assert_eq!(expirations(leaves(command, "T-1", to, None)), 0);
    }
    assert_eq!(expirations(begins("T-1", "READY", 1)), 0);
}

#[test]
fn recoveries_and_runners_are_told() {
    let mut book = Book::new();
    for (at, result) in (1..).zip(["ok", "exit 1", "drained", "lost", "not started"]) {
        book.line(10 * at, begins("T-1", "READY", 1));
        let mut end = ends("T-1", 1, result, 1000);
        end.run.as_mut().unwrap().adopted = matches!(result, "ok" | "lost");
        book.line(10 * at + 5, end);
    }
    let past = book.past();
    assert_eq!((past.tally().adopted, past.tally().lost), (1, 1));
    let runner = past.runner("coder").unwrap();
    assert_eq!((runner.last(), runner.failures_in_a_row()), (Some(RunResult::NotStarted), 3));
    assert_eq!(runner.last_end(), Some(Timestamp(55_000)));
    assert!(past.runner("other").is_none());
}

#[test]
fn a_run_that_is_not_as_usual_is_seen() {
    let mut book = Book::new();
    let mut run = |at: i64, result: &str, took_ms: u64| {
        book.line(at, begins("T-1", "READY", 1)).line(at, ends("T-1", 1, result, took_ms));
        book.past()
    };
    for n in 0..20 {
        let past = run(n, "ok", 60_000 + 1000 * (n.unsigned_abs() % 3));
        let runner = past.runner("coder").unwrap();
        assert_eq!(runner.duration.is_some(), n >= 10);
        assert!(runner.duration.is_none_or(|seen| seen.deviations.abs() < 3.0));
    }
    let past = run(20, "ok", 600_000);
    assert!(past.runner("coder").unwrap().duration.unwrap().deviations > 10.0);
    assert!(past.runner("coder").unwrap().failure_rate.unwrap().deviations.abs() < 1.0);
    let past = run(21, "exit 1", 60_000);
    assert!(past.runner("coder").unwrap().failure_rate.unwrap().deviations < 3.0, "one may fail");
    let (_, past) = (run(22, "exit 1", 60_000), run(23, "exit 1", 60_000));
    let rate = past.runner("coder").unwrap().failure_rate.unwrap();
    assert!(rate.deviations > 3.0 && rate.value > 0.2, "{rate:?}");
}
