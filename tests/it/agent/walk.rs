//! How the agent goes on: one printed command after the other, by chance.
//!
//! It prefers what it has not typed since something changed, remembers what was printed
//! earlier where an answer names nothing, and begins again where it is at an end. The
//! walk looks at every answer with `laws`, and at the ledger before and behind.

use super::laws;
use super::worlds::{self, Chance, Kind};
use crate::support::workspace::{Ran, TASKS, Workspace, mins};
use serde_json::Value;
use std::collections::BTreeSet;

/// How a walk ends. `Stranded` is none that an agent should meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Work was handed in.
    Submitted,
    /// It was given back.
    Released,
    /// Nothing could be claimed, and why was said.
    NothingReady,
    /// What there is waits for an approval.
    WaitsForApproval,
    /// Somebody else has it.
    Held,
    /// The ledger cannot be relied on, and `check` or `doctor` said what is wrong.
    LedgerInvalid,
    /// There is no ledger, and it was said how to make one.
    NoWorkspace,
    /// No command led on.
    Stranded,
}

/// What came of a walk.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The tokens printed from each claim to its submit.
    pub spent: Vec<usize>,
    /// Each command and how it ended.
    pub story: String,
    /// How often its lease was gone when it wanted to go on.
    pub lost: usize,
    /// The laws that were broken.
    pub wrong: Vec<String>,
}

const MOST_STEPS: usize = 40;
const AGENT: &str = "WORK@amy";

struct Walk {
    ws: Workspace,
    chance: Chance,
    kind: Kind,
    is_json: bool,
    /// Printed and not typed since something changed, newest answer last.
    memory: Vec<Vec<String>>,
    typed: BTreeSet<String>,
    /// The task under a lease, and the tokens printed since it was claimed.
    held: Option<(String, usize)>,
    spent: Vec<usize>,
    /// Named ends that were met, the newest last.
    met: Vec<Outcome>,
    lost: usize,
    story: String,
    wrong: Vec<String>,
}

/// Walks.
pub fn walk(kind: Kind, seed: u64) -> Report {
    let mut walk = Walk::begin(kind, seed);
    let before = walk.health();
    let mut start = "orch".to_owned();
    let begin = *walk.chance.one(&STARTS);
    if orch::cli::commands::one(begin).is_some() {
        start.push_str(&format!(" {begin}"));
    }
    // Who it is comes from the variable, or it was told to say so.
    if walk.chance.once_in(2) {
        start.push_str(&format!(" --as {AGENT}"));
    } else {
        walk.ws.var("ORCH_ACTOR", Some(AGENT));
    }
    let outcome = walk.go(&start);
    let after = walk.health();
    for new in after.difference(&before) {
        walk.wrong.push(format!("the ledger has got worse: {new}"));
    }
    if outcome == Outcome::Stranded {
        walk.wrong.push("it ended nowhere".to_owned());
    }
    let Walk { spent, story, lost, wrong, .. } = walk;
    Report { outcome, spent, story, lost, wrong }
}

/// What somebody who knows nothing may have been told to type; nothing is `orch` alone.
const STARTS: [&str; 3] = ["", "status", "prime"];

impl Walk {
    fn begin(kind: Kind, seed: u64) -> Self {
        let mut chance = Chance::new(seed ^ ((kind as u64 + 1) << 40));
        Self {
            ws: worlds::make(kind, &mut chance),
            is_json: chance.once_in(2),
            chance,
            kind,
            memory: Vec::new(),
            typed: BTreeSet::new(),
            held: None,
            spent: Vec::new(),
            met: Vec::new(),
            lost: 0,
            story: String::new(),
            wrong: Vec::new(),
        }
    }

    fn go(&mut self, start: &str) -> Outcome {
        let mut begun = 0;
        for _ in 0..MOST_STEPS {
            let command = match self.choose() {
                Some(command) => command,
                None if self.met.is_empty() && begun < 4 => {
                    begun += 1;
                    start.to_owned()
                }
                None => break,
            };
            if let Some(outcome) = self.step(&command) {
                return outcome;
            }
            if self.kind == Kind::Contested && self.chance.once_in(3) {
                let held = self.held.as_ref().map(|(id, _)| id.clone());
                if let Some(what) = worlds::others(&self.ws, &mut self.chance, held.as_deref()) {
                    self.story.push_str(&format!("    {what}\n"));
                    self.typed.clear();
                }
            }
        }
        self.met.last().copied().unwrap_or(Outcome::Stranded)
    }

    /// A command that was printed and not typed since, of the newest answer that has one.
    fn choose(&mut self) -> Option<String> {
        let typed = &self.typed;
        for printed in self.memory.iter().rev() {
            let fresh: Vec<&String> = printed.iter().filter(|c| !typed.contains(*c)).collect();
            if !fresh.is_empty() {
                return Some((*self.chance.one(&fresh)).clone());
            }
        }
        None
    }

    fn step(&mut self, command: &str) -> Option<Outcome> {
        if laws::is_of_git(command) {
            // The files stand in the middle of a merge: that is for people.
            return Some(Outcome::LedgerInvalid);
        }
        let words = match laws::allowed(command) {
            Ok(words) => words,
            Err(why) => {
                self.wrong.push(why);
                return Some(Outcome::Stranded);
            }
        };
        self.typed.insert(command.to_owned());
        let ran = self.type_in(&words);
        let told = ran.stderr.lines().next().filter(|_| ran.exit > 0).unwrap_or_default();
        self.story.push_str(&format!("  {command}: {} {told}\n", ran.exit));
        let verb = words.iter().find(|w| VERBS.contains(&w.as_str()));
        let printed = laws::printed(
            verb.is_none_or(|v| matches!(v.as_str(), "status" | "prime")),
            &ran.stdout,
            &ran.stderr,
        );
        self.look_at(command, &ran, &printed);
        if let Some((_, spent)) = &mut self.held {
            *spent += tokens(&ran);
        }
        if !printed.is_empty() {
            self.memory.push(printed);
        }
        self.judge(&words, &ran)
    }

    fn type_in(&self, words: &[String]) -> Ran {
        let mut words = words.to_vec();
        if self.is_json {
            words.push("--json".to_owned());
        }
        self.ws.run_words(&words, b"")
    }

    /// The laws about an answer, and about each command that it names.
    fn look_at(&mut self, command: &str, ran: &Ran, printed: &[String]) {
        if is_mistake(ran) {
            self.wrong.push(format!("`{command}` ended with {}: {}", ran.exit, ran.stderr));
        }
        // `check` and `doctor` say what is wrong: that is the end of the way.
        if ran.exit > 2 && printed.is_empty() && !says_what_is_wrong(ran) {
            self.wrong.push(format!("`{command}` ended with {} and no way on", ran.exit));
        }
        for printed in printed.iter().filter(|command| !laws::is_of_git(command)) {
            match laws::allowed(printed) {
                Err(why) => self.wrong.push(format!("after `{command}`: {why}")),
                // As printed, in a copy of the world.
                Ok(words) if self.chance.once_in(3) => {
                    let before = self.ws.kept();
                    let ran = self.ws.run_words(&words, b"");
                    self.ws.back_to(&before);
                    if is_mistake(&ran) {
                        self.wrong.push(format!(
                            "after `{command}`: `{printed}` ends with {}: {}",
                            ran.exit, ran.stderr
                        ));
                    }
                }
                Ok(_) => {}
            }
        }
    }

    /// What the answer means to the agent; an outcome where it may stop.
    fn judge(&mut self, words: &[String], ran: &Ran) -> Option<Outcome> {
        let verb = words.iter().find(|w| VERBS.contains(&w.as_str())).map_or("", String::as_str);
        let is_end = match (verb, ran.exit) {
            ("claim", 0) => {
                self.claimed(ran);
                None
            }
            ("submit", 0) => {
                if let Some((_, spent)) = self.held.take() {
                    self.spent.push(spent);
                }
                Some(Outcome::Submitted)
            }
            ("release", 0) => {
                self.held = None;
                Some(Outcome::Released)
            }
            ("init", 0) => Some(Outcome::NoWorkspace),
            // Of no ledger `prime` has nothing to say, so that a session hook cannot break.
            ("prime", 0) if ran.stdout.is_empty() && self.ws.existing(TASKS).is_none() => {
                Some(Outcome::NoWorkspace)
            }
            (_, 3) if ran.stderr.contains("orch init") => Some(Outcome::NoWorkspace),
            (_, 6) => {
                // It is somebody else's now; the agent goes on with something else.
                self.held = None;
                self.lost += 1;
                self.typed.clear();
                self.memory.drain(..self.memory.len().saturating_sub(1));
                return None;
            }
            (_, 7) => Some(Outcome::WaitsForApproval),
            (_, 5) => Some(Outcome::Held),
            (_, 12) => Some(Outcome::NothingReady),
            ("next", 0) if is_nothing_free(ran) => Some(Outcome::NothingReady),
            ("check" | "doctor", 10) if says_what_is_wrong(ran) => Some(Outcome::LedgerInvalid),
            _ => None,
        };
        match is_end? {
            // Refused once is no end while there is something else to try.
            end @ (Outcome::WaitsForApproval | Outcome::Held) => {
                self.met.push(end);
                None
            }
            // One who looks only may find that there is more to try.
            end @ Outcome::NothingReady if verb != "claim" => {
                self.met.push(end);
                None
            }
            end @ (Outcome::Submitted | Outcome::Released) if self.chance.once_in(2) => {
                self.met.push(end);
                self.typed.clear();
                self.memory.drain(..self.memory.len().saturating_sub(1));
                None
            }
            end => Some(end),
        }
    }

    fn claimed(&mut self, ran: &Ran) {
        let answer = serde_json::from_str::<Value>(&ran.stdout).unwrap_or_default();
        let id = answer["data"]["task"]["task_id"].as_str().map(str::to_owned);
        let id = id.or_else(|| ran.stdout.split(' ').next().map(str::to_owned)).unwrap_or_default();
        self.held = Some((id, tokens(ran)));
        self.typed.clear();
        // The work: something is written, and time passes.
        self.ws.write("work.txt", "done\n");
        let most = if self.kind == Kind::Contested { 60 } else { 25 };
        self.ws.clock().advance(mins(1 + self.chance.below(most) as u64));
    }

    /// What `check` and `audit verify` find: lines that must not become more.
    fn health(&self) -> BTreeSet<String> {
        let ran = self.ws.run("check --json --as AUDIT@eve");
        let mut found: BTreeSet<String> = BTreeSet::new();
        let Ok(answer) = serde_json::from_str::<Value>(&ran.stdout) else { return found };
        for finding in answer["data"]["findings"].as_array().into_iter().flatten() {
            // Notes come with time, and others are judged by their own tests.
            if finding["severity"] != "note" {
                found.insert(format!("{} {}", finding["code"], finding["row"]));
            }
        }
        let ran = self.ws.run("audit verify --as AUDIT@eve");
        if ran.exit != 0 && ran.exit != 3 {
            found.insert(format!("audit verify ends with {}", ran.exit));
        }
        found
    }
}

/// A bug, or a command that was printed and cannot be typed. What settings of the
/// workspace are wrong is no fault of a command.
fn is_mistake(ran: &Ran) -> bool {
    ran.exit == 1 || (ran.exit == 2 && !ran.stderr.contains("ORCH/orch.yaml:"))
}

/// Whether an answer with exit 10 names at least one thing that is wrong.
fn says_what_is_wrong(ran: &Ran) -> bool {
    match serde_json::from_str::<Value>(&ran.stdout) {
        Ok(answer) => answer["data"]["findings"].as_array().is_some_and(|list| !list.is_empty()),
        Err(_) => ran.exit == 10 && !ran.stdout.trim().is_empty(),
    }
}

const VERBS: &[&str] = &[
    "claim",
    "submit",
    "release",
    "renew",
    "next",
    "check",
    "doctor",
    "init",
    "show",
    "list",
    "leases",
    "add",
    "status",
    "note",
    "log",
    "approvals",
    "evidence",
    "handover",
    "prime",
];

/// Whether `next` offers nothing, and says of each task why.
fn is_nothing_free(ran: &Ran) -> bool {
    match serde_json::from_str::<Value>(&ran.stdout) {
        Ok(answer) => {
            let tasks = answer["data"]["tasks"].as_array();
            tasks.is_some_and(|tasks| {
                tasks.iter().all(|t| t["claimable"] == false && t["reason"].is_string())
            })
        }
        Err(_) => !ran.stdout.contains("  yes  "),
    }
}

/// Everything that an agent reads of an answer.
fn tokens(ran: &Ran) -> usize {
    let tokenizer = tiktoken_rs::cl100k_base_singleton();
    tokenizer.encode_ordinary(&ran.stdout).len() + tokenizer.encode_ordinary(&ran.stderr).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the laws say of an answer that the tool would have printed.
    fn judged(exit: u8, stdout: &str, stderr: &str) -> usize {
        let mut walk = Walk::begin(Kind::Healthy, 1);
        // Every command that is printed is run.
        walk.chance = Chance::always();
        let ran = Ran {
            command: "x".to_owned(),
            exit,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            tasks_diff: String::new(),
        };
        walk.look_at("orch x", &ran, &laws::printed(true, stdout, stderr));
        walk.wrong.len()
    }

    #[test]
    fn an_answer_that_leads_astray_is_caught() {
        assert_eq!(judged(0, r#"{"next":["orch list","orch next"]}"#, ""), 0);
        assert_eq!(judged(5, "", "error: held\nhint: orch next\n"), 0);
        assert_eq!(judged(10, r#"{"data":{"findings":[{}]},"next":[]}"#, ""), 0);
        for (exit, stdout, stderr) in [
            (0, r#"{"next":["orch drop T-1"]}"#, ""),
            (0, "", "next: orch undo --as WORK@amy\n"),
            (4, "", "error: no\nhint: orch done T-1\n"),
            // Not as it is typed.
            (0, r#"{"next":["orch claim T-1 --tokn 7"]}"#, ""),
            (0, r#"{"next":["orch show"]}"#, ""),
            (5, "", "error: held\n"),
            (10, r#"{"data":{"findings":[]},"next":[]}"#, ""),
            (2, "", "error: wrong\nhint: orch list --help\n"),
            (1, "", "error: a bug\nhint: orch doctor\n"),
        ] {
            assert_eq!(judged(exit, stdout, stderr), 1, "{exit} {stdout} {stderr}");
        }
    }

    #[test]
    fn a_ledger_that_gets_worse_is_noticed() {
        let walk = Walk::begin(Kind::Healthy, 1);
        let before = walk.health();
        let text = walk.ws.read(TASKS);
        walk.ws.write(TASKS, text.replacen("| T-2 |", "| T-1 |", 1));
        assert!(walk.health().difference(&before).next().is_some());
    }
}
