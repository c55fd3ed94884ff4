//! A journal that real commands wrote over two months, and what becomes of it
//! in other hands: bytes altered, lines dropped, doubled, swapped (T41), its end
//! cut off (T42).
//!
//! Every single case of a made-up chain is judged in process, beside
//! `services::audit`; here are lines of every kind, two files, git, and the
//! program as it is shipped.

use std::fs;
use std::path::PathBuf;

use super::support::ground::{Ground, HEAD, nth, row};
use super::support::{Cases, Dice, has, say, scale};

const MONTHS: [&str; 2] = ["2026-01", "2026-02"];

/// What is done each month, over and over: `N` is another task each time.
const ROUND: [&str; 17] = [
    "set N priority=HIGH --as CMD@eve",
    "claim N --as WORK@ada --op-id key-N",
    "renew N --as WORK@ada",
    "note N half --as WORK@bob",
    "submit N --artifact out/N --as WORK@ada",
    "fix N --note again --as AUDIT@eve",
    "claim N --as WORK@ada",
    "lock acquire deploy-N --as WORK@ada",
    "submit N --as WORK@ada",
    "done N --as AUDIT@eve",
    "lock release deploy-N --as WORK@ada",
    "undo --as AUDIT@eve",
    "redo --as AUDIT@eve",
    "reopen N --note once_more --as CMD@eve",
    "add More --as CMD@eve",
    "drop N --as CMD@eve",
    "archive --as CMD@eve",
];

struct Journal {
    ground: Ground,
    /// Lines by month, each with its end.
    lines: [Vec<String>; 2],
}

impl Journal {
    /// As long as 200 lines at twice the smallest size. None where the clock of
    /// programs cannot be set here.
    fn written(test: &str) -> Option<Self> {
        if !has(test, "faketime", &["2026-01-01 00:00:00", "true"]) {
            return None;
        }
        let rows: String = (1..=60).map(|n| row(&nth(n), "Title", "READY")).collect();
        let ground = Ground::with(format!("{HEAD}{rows}"));
        ground.settings("durability: fast\n");
        let rounds = 3 * scale().min(2);
        for round in 0..2 * rounds {
            let day = ["2026-01-31 23:30:00", "2026-02-01 00:30:00"][round / rounds];
            for line in ROUND {
                let line = line.replace('N', &nth(1 + round));
                let ran = ground.under(&["faketime", day], &line);
                assert_eq!(ran.exit, 0, "`{line}`: {ran:?}");
            }
        }
        let read = |month: &str| {
            let text = fs::read_to_string(file(&ground, month)).unwrap();
            text.split_inclusive('\n').map(str::to_owned).collect()
        };
        let lines = MONTHS.map(read);
        Some(Self { ground, lines })
    }

    /// Puts these lines in the place of the journal.
    fn write(&self, months: &[Vec<String>; 2]) {
        for (month, lines) in MONTHS.iter().zip(months) {
            fs::write(file(&self.ground, month), lines.concat()).unwrap();
        }
    }

    fn all(&self) -> usize {
        self.lines[0].len() + self.lines[1].len()
    }

    /// Month and line of the n-th of all.
    fn place(&self, n: usize) -> (usize, usize) {
        let first = self.lines[0].len();
        if n < first { (0, n) } else { (1, n - first) }
    }

    fn line(&self, n: usize) -> &String {
        let (month, line) = self.place(n);
        &self.lines[month][line]
    }

    /// The first error: its code, and month and line from 0.
    fn first_error(&self, more: &[&str]) -> Option<(String, (usize, usize))> {
        let ran = self.ground.orch(&[&["audit", "verify", "--json"], more].concat());
        let json = ran.json();
        let findings = json["data"]["findings"].as_array().unwrap();
        let error = findings.iter().find(|finding| finding["severity"] == "error");
        assert_eq!(ran.exit, if error.is_some() { 10 } else { 0 }, "{ran:?}");
        let error = error?;
        let month = MONTHS.iter().position(|m| {
            error["file"].as_str().is_some_and(|file| file.contains(&format!("/{m}/")))
        });
        let line = error["line"]
            .as_u64()
            .map_or(usize::MAX, |line| usize::try_from(line).unwrap().wrapping_sub(1));
        Some((error["code"].as_str().unwrap().to_owned(), (month.unwrap_or(usize::MAX), line)))
    }
}

impl Journal {
    /// The first error is in this line.
    #[track_caller]
    fn breaks_at(&self, place: (usize, usize), what: &str) {
        let found = self.first_error(&[]);
        assert_eq!(found.as_ref().map(|(_, place)| *place), Some(place), "{what}: {found:?}");
    }

    /// All but so many lines at the end.
    fn without_end(&self, gone: usize) -> [Vec<String>; 2] {
        let mut months = self.lines.clone();
        for n in (self.all() - gone..self.all()).rev() {
            let (month, line) = self.place(n);
            months[month].truncate(line);
        }
        months
    }
}

fn file(ground: &Ground, month: &str) -> PathBuf {
    ground.root().join("ORCH/LOGS").join(month).join("journal.jsonl")
}

/// Every `step`-th of `n`, from a random one, and all of them at ten times.
fn sample(dice: &mut Dice, n: usize, few: usize) -> Vec<usize> {
    let step = (n / (few * scale())).max(1);
    (dice.below(step)..n).step_by(step).collect()
}

#[test]
fn t41_whatever_is_done_to_a_real_journal_is_found_where_it_was_done() {
    let Some(journal) = Journal::written("T41") else { return };
    let (mut dice, mut cases) = (Dice::new("T41"), Cases::new("T41"));
    // What this machine remembers could only help; a clone does not have it.
    let locks = journal.ground.state().join("LOCKS");
    fs::remove_file(locks.join("checkpoint")).unwrap();
    assert_eq!(journal.first_error(&[]), None, "as it was written");
    for (month, name) in MONTHS.iter().enumerate() {
        let bytes = journal.lines[month].concat().into_bytes();
        for at in sample(&mut dice, bytes.len(), 30) {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << dice.below(8);
            let before = &bytes[..at];
            let line = before.split(|b| *b == b'\n').count() - 1;
            // A line that now begins with a line end begins one later.
            let is_first = before.last().is_none_or(|b| *b == b'\n');
            let line = line + usize::from(is_first && altered[at] == b'\n');
            cases.judge(|| {
                journal.write(&journal.lines);
                fs::write(file(&journal.ground, name), &altered).unwrap();
                journal.breaks_at((month, line), &format!("byte {at} of {name}"));
            });
        }
    }
    for n in sample(&mut dice, journal.all() - 1, 20) {
        let mut months = journal.lines.clone();
        let (month, line) = journal.place(n);
        months[month].remove(line);
        // The next line misses its parent: in the same file, or first in the next.
        let (next, at) = journal.place(n + 1);
        let expected = if next == month { (month, line) } else { (next, at) };
        cases.judge(|| {
            journal.write(&months);
            journal.breaks_at(expected, &format!("without line {n}"));
        });
    }
    for n in sample(&mut dice, journal.all() - 1, 20) {
        let other = n + 1 + dice.below(journal.all() - n - 1);
        let mut months = journal.lines.clone();
        let ((a, b), (c, d)) = (journal.place(n), journal.place(other));
        months[a][b].clone_from(journal.line(other));
        months[c][d].clone_from(journal.line(n));
        cases.judge(|| {
            journal.write(&months);
            journal.breaks_at((a, b), &format!("lines {n} and {other} swapped"));
        });
    }
    for n in sample(&mut dice, journal.all(), 8) {
        let mut months = journal.lines.clone();
        let (month, line) = journal.place(n);
        let other = ["ada", "eve", "bob"].map(|name| format!("@{name}\""));
        let altered = journal.line(n).replace(&other[0], &other[2]).replace(&other[1], &other[2]);
        let altered = altered.replace("\"host\"", "\"hosts\"");
        months[month].insert(line + 1, altered);
        cases.judge(|| {
            journal.write(&months);
            journal.breaks_at((month, line + 1), &format!("line {n} once more, by bob"));
        });
        let mut months = journal.lines.clone();
        months[month].insert(line + 1, journal.line(n).clone());
        cases.judge(|| {
            journal.write(&months);
            assert_eq!(journal.first_error(&[]), None, "line {n} once more, as a merge leaves it");
        });
    }
    cases.judge(|| {
        let [january, february] = journal.lines.clone();
        journal.write(&[february, january]);
        assert!(journal.first_error(&[]).is_some(), "the months have changed places");
        fs::remove_file(file(&journal.ground, MONTHS[0])).unwrap();
        assert!(journal.first_error(&[]).is_some(), "a month is gone");
    });
    say("T41", format_args!("a journal of {} lines in two files", journal.all()));
    cases.finish();
}

#[test]
fn t42_an_end_that_was_cut_off_is_missed_by_whoever_saw_it() {
    let Some(journal) = Journal::written("T42") else { return };
    let mut dice = Dice::new("T42");
    let git = |line: &str| {
        let mut git = journal.ground.tool("git", &line.split(' ').collect::<Vec<_>>());
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "ada").env(format!("GIT_{who}_EMAIL"), "a@b");
        }
        assert!(git.output().unwrap().status.success(), "git {line}");
    };
    let head = {
        let ran = journal.ground.run("audit verify --json").ok();
        ran.json()["data"]["heads"][0].as_str().unwrap().to_owned()
    };
    let checkpoint = journal.ground.state().join("LOCKS/checkpoint");
    let seen = fs::read(&checkpoint).unwrap();
    let mut cases = Cases::new("T42");
    let cuts = sample(&mut dice, journal.all() - 1, 12);
    for &cut in &cuts {
        journal.write(&journal.without_end(cut + 1));
        cases.judge(|| {
            let gone = cut + 1;
            fs::write(&checkpoint, &seen).unwrap();
            assert!(journal.first_error(&[]).is_some(), "{gone} lines, and a checkpoint");
            fs::remove_file(&checkpoint).unwrap();
            // Nobody saw them: the manual says that a chain cannot tell.
            let alone = journal.first_error(&[]);
            assert_eq!(alone, None, "{gone} lines, unseen");
            let noted = journal.first_error(&["--since", &head]);
            assert_eq!(noted.map(|(code, _)| code).as_deref(), Some("truncated"), "{gone} lines");
        });
    }
    journal.write(&journal.lines);
    git("init -q");
    git("add -A");
    git("commit -q -m all");
    for &cut in &cuts {
        journal.write(&journal.without_end(cut + 1));
        cases.judge(|| {
            let found = journal.first_error(&[]).map(|(code, _)| code);
            assert_eq!(found.as_deref(), Some("missing"), "{} lines, and git's HEAD", cut + 1);
        });
    }
    journal.write(&journal.lines);
    cases.judge(|| assert_eq!(journal.first_error(&[]), None, "all of it is back"));
    say("T42", format_args!("{} ends cut off a journal of {} lines", cuts.len(), journal.all()));
    cases.finish();
}
