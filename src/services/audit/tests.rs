//! What becomes of a journal must be noticed: every altered byte, every line
//! that is gone, moved or made up.

use super::*;
use crate::store::checkpoint::Checkpoint;
use crate::store::entry::{Entry, sha256_hex};
use crate::store::graph::Line;
use crate::sys::sim::Sim;
use crate::sys::{Disk, Fs};
use std::collections::HashSet;

const TASKS: &str = "ORCH/STATE/TASKS.md";

/// The n-th text of the ledger.
fn text(n: u64) -> String {
    format!("| T-1 | {n} |\n")
}

fn hash(line: &str) -> String {
    Line::parse(line.as_bytes()).unwrap().hash.to_owned()
}

/// An operation that turns the n-th text into the next.
fn operation(n: u64, parents: &[&str]) -> Entry {
    let (minutes, hours) = (n % 60, n / 60);
    Entry {
        seq: n,
        id: format!("op{n:04}"),
        ts: format!("2026-01-01T{hours:02}:{minutes:02}:00.000Z"),
        actor: "WORK@ada".into(),
        command: if n == 1 { "genesis" } else { "claim" }.into(),
        token: (n > 1).then_some(1000 + n),
        sha_in: [(TASKS.to_owned(), Some(sha256_hex(text(n - 1).as_bytes())))].into(),
        sha_out: [(TASKS.to_owned(), sha256_hex(text(n).as_bytes()))].into(),
        parents: parents.iter().map(|line| hash(line)).collect(),
        ..Entry::default()
    }
}

fn log(count: u64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for n in 1..=count {
        let parents: Vec<&str> = lines.last().map(String::as_str).into_iter().collect();
        let line = operation(n, &parents).to_line();
        lines.push(line);
    }
    lines
}

/// What is found in one file, without git and files, by line.
fn judge_bytes(bytes: &[u8]) -> Vec<Finding> {
    let journal = Journal::of(vec![("2026-01".to_owned(), bytes.to_vec())]);
    let chain = Chain::of(&journal, &str::to_owned);
    let mut findings = chain.findings.clone();
    outside::missing(None, &chain, &HashSet::new(), &mut findings);
    files::follow(&chain, &mut findings);
    findings.sort_by_key(|finding| finding.place.clone());
    findings
}

fn judge(lines: &[String]) -> Vec<Finding> {
    judge_bytes(lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().as_bytes())
}

/// The first error: its code and line.
fn first(findings: &[Finding]) -> Option<(&'static str, usize)> {
    let error = findings.iter().find(|finding| finding.severity == Severity::Error)?;
    Some((error.code, error.place.as_ref()?.1))
}

/// Every n-th of many cases; all of them where `ORCH_ALL_CASES` is set.
fn step(n: usize) -> usize {
    if crate::sys::Sys::real().env.var("ORCH_ALL_CASES").is_some() { 1 } else { n }
}

/// Without evidence: no line of these tests knows any.
fn verify(sys: &Sys, layout: &Layout, since: &[Since]) -> Result<Report> {
    super::verify(sys, layout, since, Vec::new(), &BTreeSet::new())
}

#[test]
fn t41_every_altered_byte_is_found_in_its_line() {
    let lines = log(200);
    let bytes: Vec<u8> = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().into();
    assert_eq!(judge_bytes(&bytes), []);
    let (mut line, mut at_seams) = (1, 0);
    let (any, seams) = (step(2999), step(40));
    for at in 0..bytes.len() {
        let is_seam = bytes[at] == b'\n';
        if at % any == 0 || is_seam && line % seams == 0 {
            at_seams += usize::from(is_seam);
            for mask in [1 << (at % 8), 0x20, bytes[at] ^ b'\n', 0xff] {
                if mask > 0 {
                    let mut altered = bytes.clone();
                    altered[at] ^= mask;
                    // A line that begins with a line end begins one line later.
                    let begins = at == 0 || bytes[at - 1] == b'\n';
                    let expected = line + usize::from(begins && altered[at] == b'\n');
                    let findings = judge_bytes(&altered);
                    let found = first(&findings).map(|(_, line)| line);
                    assert_eq!(found, Some(expected), "byte {at} with {mask:#x}: {findings:?}");
                }
            }
        }
        line += usize::from(is_seam);
    }
    assert!(at_seams >= 5);
}

#[test]
fn t41_every_byte_of_a_line_counts() {
    // Of the long log above some bytes are taken, of this one all.
    let lines = log(3);
    let bytes: Vec<u8> = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().into();
    let mut line = 1;
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        let findings = judge_bytes(&altered);
        assert_eq!(first(&findings).map(|(_, line)| line), Some(line), "byte {at}: {findings:?}");
        line += usize::from(bytes[at] == b'\n');
    }
}

#[test]
fn t41_a_dropped_line_is_missed_by_the_next() {
    let lines = log(200);
    for gone in (0..199).step_by(step(7)) {
        let mut rest = lines.clone();
        rest.remove(gone);
        let findings = judge(&rest);
        assert_eq!(first(&findings), Some(("missing", gone + 1)), "without {}", gone + 1);
        assert!(findings[0].message.contains(&hash(&lines[gone])), "{findings:?}");
    }
    assert_eq!(judge(&lines[..199]), [], "a cut end needs somebody who saw it");
}

#[test]
fn t41_exact_duplicates_are_lawful() {
    let lines = log(200);
    for twice in (0..200).step_by(step(7)) {
        for behind in [twice, 199] {
            let mut more = lines.clone();
            more.insert(behind + 1, lines[twice].clone());
            assert_eq!(judge(&more), []);
        }
        // But not with anything else in them, nor before what they follow.
        let mut made_up = lines.clone();
        made_up.insert(twice + 1, lines[twice].replacen("ada", "bob", 1));
        assert_eq!(first(&judge(&made_up)), Some(("altered", twice + 2)));
    }
}

#[test]
fn t41_every_swapped_pair_is_found_at_the_first_of_them() {
    let lines = log(200);
    let pairs = (0..200).flat_map(|a| (a + 1..200).map(move |b| (a, b)));
    for (a, b) in pairs.step_by(step(149)).chain((0..199).step_by(step(9)).map(|a| (a, a + 1))) {
        let mut swapped = lines.clone();
        swapped.swap(a, b);
        assert_eq!(first(&judge(&swapped)), Some(("reordered", a + 1)), "{} and {}", a + 1, b + 1);
    }
}

#[test]
fn t41_a_rewritten_line_does_not_fit_its_neighbours() {
    let lines = log(4);
    let rewrite = |change: &dyn Fn(&mut Entry)| {
        let mut entry: Entry = serde_json::from_str(&lines[2]).unwrap();
        change(&mut entry);
        // All that follows is made anew, so that every hash is right.
        let made_up = entry.to_line();
        let last = operation(4, &[&made_up]).to_line();
        judge(&[lines[0].clone(), lines[1].clone(), made_up, last])
    };
    assert_eq!(rewrite(&|_| ()), []);
    assert_eq!(first(&rewrite(&|e| e.seq = 7)), Some(("sequence", 3)));
    assert_eq!(first(&rewrite(&|e| e.token = Some(1002))), Some(("token", 3)));
    assert_eq!(first(&rewrite(&|e| e.id = "op0001".into())), Some(("duplicate-id", 3)));
    assert_eq!(
        first(&rewrite(&|e| e.ts = "2026-02-01T00:00:00.000Z".into())),
        Some(("reordered", 3))
    );
    let other = |n| sha256_hex(text(n).as_bytes());
    assert_eq!(
        first(&rewrite(&|e| drop(e.sha_in.insert(TASKS.into(), Some(other(9)))))),
        Some(("gap", 3))
    );
    assert_eq!(
        first(&rewrite(&|e| drop(e.sha_out.insert(TASKS.into(), other(9))))),
        Some(("gap", 4))
    );
    assert_eq!(first(&rewrite(&|e| e.parents.clear())), Some(("sequence", 3)));
    let findings = rewrite(&|e| e.ts = "2026-01-01T09:00:00.000Z".into());
    assert_eq!((first(&findings), findings[0].code), (None, "clock"));
}

#[test]
fn what_other_programs_did_in_between_is_no_gap() {
    let mut lines = log(2);
    let mut by_hand = operation(3, &[&lines[1]]);
    by_hand.command = "external".into();
    by_hand.token = None;
    by_hand.sha_in = [(TASKS.to_owned(), Some("0".repeat(64)))].into();
    lines.push(by_hand.to_line());
    let mut respelled = operation(4, &[&lines[2]]);
    respelled.sha_in = [(TASKS.to_owned(), Some("1".repeat(64)))].into();
    respelled.respelled = vec![TASKS.into()];
    lines.push(respelled.to_line());
    assert_eq!(judge(&lines), []);
}

#[test]
fn branches_merge_in_any_lawful_order() {
    let base = log(3);
    let fork = |n: u64, name: &str, parent: &str, minute: u64| {
        let mut entry = operation(n, &[parent]);
        entry.id = name.into();
        entry.ts = format!("2026-01-01T01:{minute:02}:00.000Z");
        entry.sha_out = [(TASKS.to_owned(), sha256_hex(name.as_bytes()))].into();
        entry
    };
    let ours = fork(4, "ours", &base[2], 1).to_line();
    let theirs = fork(4, "theirs", &base[2], 2).to_line();
    let mut more = fork(5, "more", &theirs, 3);
    more.sha_in = [(TASKS.to_owned(), Some(sha256_hex(b"theirs")))].into();
    // On the branch the same token may be given again.
    more.token = Some(1005);
    let more = more.to_line();
    let mut merge = fork(6, "merge", &ours, 4);
    merge.parents.push(hash(&more));
    merge.sha_in = [(TASKS.to_owned(), Some(sha256_hex(b"merged by git")))].into();
    let merge = merge.to_line();
    let with = |tail: &[&String]| {
        judge(&base.iter().chain(tail.iter().copied()).cloned().collect::<Vec<_>>())
    };
    assert_eq!(with(&[&ours, &theirs, &more, &merge]), []);
    assert_eq!(with(&[&theirs, &ours, &more, &merge]), []);
    assert_eq!(with(&[&theirs, &more, &ours, &theirs, &merge, &merge]), []);
    assert_eq!(first(&with(&[&more, &theirs, &ours, &merge])), Some(("reordered", 4)));
    assert_eq!(first(&with(&[&ours, &more, &merge])), Some(("missing", 5)));
}

#[test]
fn a_torn_end_is_a_warning_until_the_next_change_and_a_note_after_it() {
    let lines = log(3);
    let whole = format!("{}\n{}\n", lines[0], lines[1]);
    for end in 1..lines[2].len() {
        let findings = judge_bytes(format!("{whole}{}", &lines[2][..end]).as_bytes());
        assert_eq!((findings.len(), findings[0].code), (1, "torn"), "{end}: {findings:?}");
        assert_eq!(findings[0].severity, Severity::Warning);
        let mended = format!("{whole}{}\n{}\n", &lines[2][..end], lines[2]);
        let findings = judge_bytes(mended.as_bytes());
        assert_eq!((findings.len(), findings[0].code), (1, "torn"), "{end}: {findings:?}");
        assert_eq!(findings[0].severity, Severity::Note);
        let other = format!("{whole}{}\n{}\n", &lines[2][..end].replace("seq", "SEQ"), lines[2]);
        if end > 5 {
            assert_eq!(first(&judge_bytes(other.as_bytes())), Some(("unreadable", 3)));
        }
    }
    let findings = judge_bytes(format!("{whole}{}", lines[2]).as_bytes());
    assert_eq!((findings[0].code, findings[0].severity), ("torn", Severity::Note));
    assert_eq!(judge_bytes(format!("{whole}\n\n{}\n", lines[2]).as_bytes()), []);
    assert_eq!(judge_bytes(whole.replace('\n', "\r\n").as_bytes()), []);
}

/// A workspace whose ledger is as the newest of these lines says.
fn workspace(lines: &[String]) -> (tempfile::TempDir, Sim, Layout) {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path());
    let sim = Sim::new(dir.path());
    write(&layout.tasks(), &text(lines.len() as u64));
    rewrite(&layout, lines);
    (dir, sim, layout)
}

fn rewrite(layout: &Layout, lines: &[String]) {
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    write(&layout.journal_month("2026-01"), &text);
}

fn write(path: &std::path::Path, text: &str) {
    Disk.create_dir_all(path.parent().unwrap(), None).unwrap();
    let _ = Disk.remove_file(path);
    Disk.append(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn t42_a_cut_end_is_found_by_who_saw_it() {
    let lines = log(40);
    let (_dir, sim, layout) = workspace(&lines);
    let report = verify(&sim.sys(), &layout, &[]).unwrap();
    assert_eq!((codes(&report), report.operations), (vec![], 40));
    let head = format!("40:{}", hash(&lines[39]));
    assert_eq!(report.heads, [head.as_str()]);
    let since = [
        Since::parse(&head).unwrap(),
        Since::parse(&head[..11]).unwrap(),
        Since::parse("OP0040").unwrap(),
    ];
    assert_eq!(codes(&verify(&sim.sys(), &layout, &since).unwrap()), Vec::<&str>::new());
    for cut in [1, 2, 7, 39, 40] {
        rewrite(&layout, &lines[..40 - cut]);
        for since in &since {
            let report = verify(&sim.sys(), &layout, std::slice::from_ref(since)).unwrap();
            assert!(report.has_errors(), "without the last {cut}, since {since:?}");
            assert_eq!(codes(&report)[0], "truncated");
        }
        // Nobody saw it: only the ledger is ahead, as after a hand edit.
        let report = verify(&sim.sys(), &layout, &[]).unwrap();
        assert!(!report.has_errors());
        assert_eq!(codes(&report), if cut == 40 { vec![] } else { vec!["not-journalled"] });
    }
    // The number must fit too.
    rewrite(&layout, &lines);
    let wrong = [Since::parse(&head.replacen("40", "39", 1)).unwrap()];
    assert_eq!(codes(&verify(&sim.sys(), &layout, &wrong).unwrap()), ["truncated"]);
}

#[test]
fn t42_a_cut_end_is_found_by_the_checkpoint() {
    let lines = log(40);
    let (_dir, sim, layout) = workspace(&lines);
    let heads = vec![(40, hash(&lines[39]).clone())];
    let checkpoint = Checkpoint { heads, ..Checkpoint::default() };
    write(&layout.checkpoint(), "");
    checkpoint.write(&sim.sys(), &layout).unwrap();
    assert_eq!(codes(&verify(&sim.sys(), &layout, &[]).unwrap()), Vec::<&str>::new());
    for cut in [1, 5, 40] {
        rewrite(&layout, &lines[..40 - cut]);
        let report = verify(&sim.sys(), &layout, &[]).unwrap();
        assert!(report.has_errors() && codes(&report).contains(&"truncated"), "{cut}");
    }
    for odd in ["", "head", "head x", "head 1", "head x:y", "\u{0}\u{1}", "tail 1:2"] {
        write(&layout.locks_dir().join("checkpoint"), odd);
        rewrite(&layout, &lines);
        assert_eq!(codes(&verify(&sim.sys(), &layout, &[]).unwrap()), Vec::<&str>::new());
    }
}

#[test]
fn a_file_that_another_program_changed_is_a_warning() {
    let lines = log(5);
    let (_dir, sim, layout) = workspace(&lines);
    write(&layout.tasks(), "| T-1 | by hand |\n");
    let report = verify(&sim.sys(), &layout, &[]).unwrap();
    assert_eq!(codes(&report), ["not-journalled"]);
    assert_eq!(report.findings[0].severity, Severity::Warning);
}

#[test]
fn without_a_journal_there_is_nothing_to_verify() {
    let dir = tempfile::tempdir().unwrap();
    let report = verify(&Sim::new(dir.path()).sys(), &Layout::new(dir.path()), &[]).unwrap();
    assert_eq!((report.operations, report.findings.len(), report.heads.len()), (0, 0, 0));
}

#[test]
fn what_was_noted_is_a_head_or_an_id() {
    assert_eq!(Since::parse(" 7:ABCD ").unwrap(), Since::Head(7, "abcd".into()));
    assert_eq!(Since::parse("06dq").unwrap(), Since::Id("06dq".into()));
    for odd in ["", "7", "7:", "x:abcd", "7:ab", "a b c d", "7:abcd:e", "-1:abcd"] {
        assert!(Since::parse(odd).is_err(), "{odd}");
    }
}
