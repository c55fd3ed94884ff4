//! T62 to T66: branches on which people worked with the program itself, brought
//! together by git: the rows as the rules say, the journal whole, and the next
//! command as if nothing had been.

use super::model::{Expected, judge};
use super::paper::{Kind, Look, Paper, read};
use super::repository::{git, with_driver};
use crate::support::ground::{Ground, Ran, nth};
use crate::support::{Cases, Dice, has, say, scale};
use std::collections::BTreeSet;
use std::fs;

const TASKS: &str = "ORCH/STATE/TASKS.md";
const ROWS: usize = 24;

/// A workspace in a repository.
struct Tree {
    ground: Ground,
}

impl Tree {
    fn new() -> Self {
        let ground = Ground::of_rows(ROWS, "READY");
        ground.settings("durability: fast\n");
        with_driver(ground.root());
        let tree = Self { ground };
        // Each branch then adds to a journal that is there.
        tree.orch("note T-0001 begin --as CMD@eve");
        tree.commit("begin");
        tree
    }

    fn git(&self, line: &str) -> Ran {
        let words: Vec<&str> = line.split(' ').collect();
        git(self.ground.root(), &words).output().unwrap().into()
    }

    fn commit(&self, message: &str) {
        let _ = self.git("add -A").ok();
        let _ = self.git(&format!("commit -q --allow-empty -m {message}")).ok();
    }

    #[track_caller]
    fn orch(&self, line: &str) -> Ran {
        self.ground.run(line).ok()
    }

    /// The ledger at a revision, or now.
    fn paper(&self, revision: Option<&str>) -> Paper {
        let text = match revision {
            Some(revision) => self.git(&format!("show {revision}:{TASKS}")).ok().out,
            None => self.ground.text(),
        };
        let read = read(Kind::Tasks, &text, &[]).unwrap();
        let look = Look {
            padded: false,
            aliases: false,
            crlf: false,
            bom: false,
            ended: true,
            ragged: false,
            empty: "-",
        };
        Paper {
            kind: Kind::Tasks,
            columns: read.columns,
            rows: read.rows,
            second: BTreeSet::new(),
            stanzas: Vec::new(),
            look,
        }
    }

    fn journal(&self) -> BTreeSet<String> {
        self.ground.journal_text().lines().map(str::to_owned).collect()
    }

    /// Nothing is missed, nothing is a hand edit that does not count, and work
    /// goes on.
    #[track_caller]
    fn is_whole(&self, lines: &BTreeSet<String>, at: &str) {
        let now = self.journal();
        let lost: Vec<&String> = lines.difference(&now).collect();
        assert!(lost.is_empty(), "{at}: the journal lost {lost:?}");
        let audit = self.ground.run("audit verify --json");
        assert_eq!(audit.exit, 0, "{at}: {audit:?}");
        let check = self.ground.run("check --json");
        assert_eq!(check.exit, 0, "{at}: {check:?}");
        let highest = self.tokens().into_iter().max().unwrap_or(0);
        let next = self.ground.run("add Next --id N-1 --state READY --as CMD@eve --json");
        assert_eq!(next.exit, 0, "{at}: {next:?}");
        let claim = self.ground.run("claim N-1 --as WORK@new --json");
        assert_eq!(claim.exit, 0, "{at}: {claim:?}");
        assert!(claim.token() > highest, "{at}: the token {} after {highest}", claim.token());
        let log = self.ground.run("log --json").ok().json();
        let entries = log["data"]["entries"].as_array().unwrap();
        for entry in entries {
            assert_eq!(entry["forbidden"].as_array().map(Vec::len), Some(0), "{at}: {entry}");
        }
        let audit = self.ground.run("audit verify --json");
        assert_eq!(audit.exit, 0, "{at}: after the next command: {audit:?}");
    }

    fn tokens(&self) -> Vec<u64> {
        let lines = self.journal();
        let entries = lines.iter().filter_map(|l| serde_json::from_str(l).ok());
        entries.filter_map(|entry: serde_json::Value| entry["token"].as_u64()).collect()
    }
}

/// What somebody does on a branch. Some of it is refused, as it would be.
fn work(tree: &Tree, side: usize, dice: &mut Dice) {
    let who = ["WORK@ada", "WORK@bob"][side];
    // A few tasks are both sides'.
    let number = if dice.below(4) == 0 { 1 + dice.below(3) } else { 4 + side + 2 * dice.below(10) };
    let id = nth(number);
    let line = match dice.below(9) {
        0..=2 => format!("claim {id} --as {who}"),
        3 => format!("submit {id} --artifact out/{side}.txt --as {who}"),
        4 => format!("release {id} --as {who}"),
        5 => format!("note {id} seen-by-{side}-{} --as {who}", dice.below(100)),
        6 => format!("set {id} due=2027-01-0{} --as CMD@eve", 1 + dice.below(9)),
        7 => format!("done {id} --as CMD@eve"),
        _ => format!("add New-{side} --id {}-{} --as CMD@eve", ["L", "R"][side], dice.below(99)),
    };
    let ran = tree.ground.run(&line);
    ran.ended_by_itself(&line);
}

fn git_is_here(test: &str) -> bool {
    has(test, "git", &["--version"])
}

#[test]
fn t62_branches_of_real_commands_merge_with_their_journal() {
    if !git_is_here("T62") {
        return;
    }
    let mut dice = Dice::new("T62");
    let mut cases = Cases::new("T62");
    let mut clean = 0;
    let all = 4 * scale();
    for n in 0..all {
        let merged = cases.judge(|| one_history(&mut dice, n));
        clean += usize::from(merged == Some(true));
    }
    say("T62", format_args!("{all} histories, {clean} merged cleanly"));
    cases.finish();
}

/// Whether it merged cleanly.
fn one_history(dice: &mut Dice, n: usize) -> bool {
    let tree = Tree::new();
    let mut lines = BTreeSet::new();
    for (side, branch) in ["left", "right"].into_iter().enumerate() {
        let _ = tree.git("checkout -q main").ok();
        let _ = tree.git(&format!("checkout -q -b {branch}")).ok();
        for _ in 0..4 + dice.below(5) {
            work(&tree, side, dice);
            if dice.below(3) == 0 {
                tree.commit(branch);
            }
        }
        tree.commit(branch);
        lines.extend(tree.journal());
    }
    let _ = tree.git("checkout -q left").ok();
    let papers = [tree.paper(Some("main")), tree.paper(Some("left")), tree.paper(Some("right"))];
    let [base, ours, theirs] = &papers;
    let expected = Expected::of(base, ours, theirs);
    let ran = tree.git("merge -q --no-edit right");
    let text = tree.ground.text();
    let merged = read(Kind::Tasks, &text, &[]);
    let merged = merged.unwrap_or_else(|why| panic!("{why}\n{ran:?}\n{text}"));
    if let Err(why) = judge(&expected, &merged, [base, ours, theirs], true) {
        panic!("history {n}: {why}\n{ran:?}\n{text}");
    }
    assert_eq!(ran.exit == 0, expected.is_clean(), "history {n}: {ran:?}\n{text}");
    if ran.exit != 0 {
        // A person takes our half of each.
        fs::write(tree.ground.tasks(), first_halves(&text)).unwrap();
        tree.commit("resolved");
    }
    tree.is_whole(&lines, &format!("history {n}"));
    ran.exit == 0
}

/// The text with our half of each conflict.
fn first_halves(text: &str) -> String {
    let mut kept = String::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        match line.get(..7) {
            Some("<<<<<<<") => at = 1,
            Some("=======") if at == 1 => at = 2,
            Some(">>>>>>>") => at = 0,
            _ if at != 2 => kept.push_str(line),
            _ => {}
        }
    }
    kept
}

#[test]
fn t63_a_branch_of_twenty_claims_is_rebased() {
    if !git_is_here("T63") {
        return;
    }
    let tree = Tree::new();
    let _ = tree.git("checkout -q -b work").ok();
    let mut last = 0;
    for n in 1..=20 {
        last = tree.orch(&format!("claim {} --as WORK@ada --json", nth(n))).token();
        tree.commit("claimed");
    }
    let mut lines = tree.journal();
    let _ = tree.git("checkout -q main").ok();
    for n in 1..=6 {
        tree.orch(&format!("note {} from-main-{n} --as CMD@eve", nth(n * 4)));
        tree.orch(&format!("add On-main-{n} --as CMD@eve"));
        tree.commit("main");
    }
    lines.extend(tree.journal());
    let _ = tree.git("checkout -q work").ok();
    let _ = tree.git("rebase -q main").ok();
    let rows = tree.ground.rows();
    for n in 1..=20 {
        let row = &rows[&nth(n)];
        assert_eq!((row["state"].as_str(), row["lock_owner"].as_str()), ("DOING", "WORK@ada"));
        let noted = row["notes"].contains(&format!("from-main-{}", n / 4));
        assert_eq!(noted, n % 4 == 0, "{row:?}");
    }
    assert_eq!(rows.len(), ROWS + 6);
    // The last claim still is one.
    tree.orch(&format!("renew {} --token {last} --as WORK@ada", nth(20)));
    lines.extend(tree.journal());
    tree.is_whole(&lines, "rebased");
}

#[test]
fn t64_a_claim_is_picked_and_its_branch_merged_later() {
    if !git_is_here("T64") {
        return;
    }
    let tree = Tree::new();
    let _ = tree.git("checkout -q -b work").ok();
    for n in 1..=4 {
        tree.orch(&format!("claim {} --as WORK@ada", nth(n)));
        tree.commit("claimed");
    }
    let mut lines = tree.journal();
    let _ = tree.git("checkout -q main").ok();
    tree.orch(&format!("note {} meanwhile --as CMD@eve", nth(9)));
    tree.commit("main");
    lines.extend(tree.journal());
    let picked = tree.git("cherry-pick work~1");
    assert_eq!(picked.exit, 0, "{picked:?}\n{}", tree.ground.text());
    let rows = tree.ground.rows();
    let state = |n: usize| rows[&nth(n)]["state"].clone();
    assert_eq!([state(2), state(3), state(4)], ["READY", "DOING", "READY"]);
    let audit = tree.ground.run("audit verify");
    assert_eq!(audit.exit, 0, "after the pick: {audit:?}");
    let merged = tree.git("merge -q --no-edit work");
    assert_eq!(merged.exit, 0, "{merged:?}\n{}", tree.ground.text());
    let rows = tree.ground.rows();
    assert!((1..=4).all(|n| rows[&nth(n)]["state"] == "DOING"), "{rows:?}");
    assert!(rows[&nth(9)]["notes"].contains("meanwhile"));
    tree.is_whole(&lines, "picked and merged");
}

#[test]
fn t65_stashed_work_comes_back_over_what_was_done_meanwhile() {
    if !git_is_here("T65") {
        return;
    }
    let tree = Tree::new();
    tree.orch(&format!("claim {} --as WORK@ada", nth(1)));
    tree.orch(&format!("note {} half-done --as WORK@ada", nth(1)));
    let mut lines = tree.journal();
    let _ = tree.git("stash -q").ok();
    tree.orch(&format!("claim {} --as WORK@bob", nth(2)));
    tree.orch(&format!("note {} meanwhile --as CMD@eve", nth(1)));
    tree.commit("meanwhile");
    lines.extend(tree.journal());
    let popped = tree.git("stash pop -q");
    assert_eq!(popped.exit, 0, "{popped:?}\n{}", tree.ground.text());
    let rows = tree.ground.rows();
    let (first, second) = (&rows[&nth(1)], &rows[&nth(2)]);
    assert_eq!(
        (first["lock_owner"].as_str(), second["lock_owner"].as_str()),
        ("WORK@ada", "WORK@bob")
    );
    assert!(first["notes"].contains("half-done") && first["notes"].contains("meanwhile"));
    tree.is_whole(&lines, "popped");
}

/// Two branches that merged each other have two bases, and what git takes for
/// one has the marks of their conflict in it.
#[test]
fn t66_a_base_that_is_a_conflict_itself_makes_no_other() {
    if !git_is_here("T66") {
        return;
    }
    for agree in [true, false] {
        let tree = Tree::new();
        let title = |n: usize, to: &str| {
            let was = format!("| {} | Task {n} |", nth(n));
            let text = tree.ground.text();
            assert!(text.contains(&was), "{text}");
            fs::write(tree.ground.tasks(), text.replace(&was, &format!("| {} | {to} |", nth(n))))
                .unwrap();
        };
        for (branch, own) in [("left", 3), ("right", 4)] {
            let _ = tree.git(&format!("checkout -q -b {branch} main")).ok();
            title(2, branch);
            title(own, branch);
            tree.commit(branch);
            let _ = tree.git(&format!("branch {branch}-first")).ok();
        }
        for (branch, other, own) in [("left", "right", 5), ("right", "left", 6)] {
            let _ = tree.git(&format!("checkout -q {branch}")).ok();
            let ran = tree.git(&format!("merge -q --no-edit {other}-first"));
            assert_eq!(ran.exit, 1, "{ran:?}");
            let mut kept = first_halves(&tree.ground.text());
            if agree {
                kept = kept.replace("| T-0002 | right |", "| T-0002 | left |");
            }
            fs::write(tree.ground.tasks(), kept).unwrap();
            tree.commit("resolved");
            title(own, branch);
            tree.commit(branch);
        }
        let _ = tree.git("checkout -q left").ok();
        let ran = tree.git("merge -q --no-edit right");
        let text = tree.ground.text();
        let merged = read(Kind::Tasks, &text, &[]).unwrap_or_else(|why| panic!("{why}\n{text}"));
        let of = |n: usize| {
            let row = merged.rows.iter().find(|(id, _)| *id == nth(n));
            row.map(|(_, row)| row["title"].clone()).unwrap_or_default()
        };
        let rest = [of(3), of(4), of(5), of(6)];
        assert_eq!(rest, ["left", "right", "left", "right"], "{ran:?}\n{text}");
        let asked: Vec<Vec<&str>> = merged.blocks.iter().map(super::paper::Block::ids).collect();
        if agree {
            assert_eq!((ran.exit, of(2).as_str(), asked.len()), (0, "left", 0), "{ran:?}\n{text}");
        } else {
            assert_eq!((ran.exit, asked), (1, vec![vec!["T-0002"; 2]]), "{ran:?}\n{text}");
        }
    }
}
