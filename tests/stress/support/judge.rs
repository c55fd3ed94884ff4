//! The verdict: old or new, nothing in between, and the journal says which.

use sha2::{Digest as _, Sha256};

use super::ground::{Files, Ground, HEAD, Ran, is_temporary, row};
use serde_json::Value;
use std::collections::BTreeSet;

/// The row that only the judge touches.
pub const PROBE: &str = "Z-9";

/// The key under which each scene's command runs.
pub const KEY: &str = "the-key";

/// What goes before, and the command that is tortured.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    pub before: &'static [&'static str],
    pub line: &'static str,
}

const CLAIM: &str = "claim T-1 --as WORK@ada";
const SUBMIT: &str = "submit T-1 --as WORK@ada";

/// One file and the first journal line with its folders; one file and a mirror;
/// two files, rows going either way; both ledgers.
pub const SCENES: [Scene; 5] = [
    Scene { before: &["drop T-2 --as CMD@boss"], line: "archive --as CMD@boss" },
    Scene { before: &["note T-3 x --as CMD@boss"], line: CLAIM },
    Scene { before: &[], line: "add Title --as WORK@ada" },
    Scene {
        before: &["drop T-2 --as CMD@boss", "drop T-3 --as CMD@boss", "archive --as CMD@boss"],
        line: "reopen T-2 --note why --as CMD@boss",
    },
    Scene {
        before: &[CLAIM, SUBMIT, "request T-1 --op deploy --as WORK@ada"],
        line: "fix T-1 --note wrong --as CMD@boss",
    },
];

/// A scene that is ready: the files before it and what it makes of them.
pub struct Stage {
    pub scene: Scene,
    pub start: Ground,
    pub old: Files,
    pub new: Files,
    reads: [String; 2],
}

/// Which of the two the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Old,
    New,
}

impl Scene {
    pub fn stage(self) -> Stage {
        let rows: String =
            ["T-1", "T-2", "T-3"].iter().map(|id| row(id, "Title", "READY")).collect();
        let start = Ground::with(format!("{HEAD}{rows}{}\nText.\n", row(PROBE, "Probe", "PLAN")));
        for line in self.before {
            let _ = start.run(line).ok();
        }
        let clean = start.copy();
        clean.run(&self.keyed()).ok();
        let reads = [reading(&start), reading(&clean)];
        let (old, new) = (normal(start.ledgers()), normal(clean.ledgers()));
        assert_ne!(old, new, "`{}` changes something", self.line);
        Stage { scene: self, start, old, new, reads }
    }

    /// The command with its key.
    pub fn keyed(self) -> String {
        format!("{} --op-id {KEY} --json", self.line)
    }
}

/// What a reader sees.
fn reading(ground: &Ground) -> String {
    let ran = ground.run("list --format csv").ok();
    seen_by(&ran)
}

/// The rows that a reader printed, but for the judge's own.
fn seen_by(ran: &Ran) -> String {
    let mark = format!("{PROBE},");
    let rows = timeless(&ran.out);
    rows.split_inclusive('\n').filter(|line| !line.starts_with(&mark)).collect()
}

impl Stage {
    /// The files as they lie there are old or new, each for itself.
    #[track_caller]
    pub fn each_is_whole(&self, ground: &Ground, at: &str) {
        let [old, new] = [&self.old, &self.new].map(|side| without_probe(side.clone()));
        for (name, bytes) in without_probe(normal(ground.ledgers())) {
            let known = [old.get(&name), new.get(&name)];
            assert!(known.contains(&Some(&bytes)), "{at}: `{name}` is neither old nor new");
        }
    }

    /// What a reader sees now, before anybody mends anything.
    #[track_caller]
    pub fn readable(&self, ground: &Ground, at: &str) -> Side {
        let files = ground.files();
        let ran = ground.run("list --format csv");
        assert_eq!(ran.exit, 0, "{at}: a reader is refused: {ran:?}");
        assert_eq!(ground.files(), files, "{at}: a reader wrote");
        let seen = seen_by(&ran);
        assert!(self.reads.contains(&seen), "{at}: a reader sees neither old nor new: {seen}");
        if seen == self.reads[0] { Side::Old } else { Side::New }
    }

    /// Lets the next changing command mend what is there and judges all of it.
    /// Then repeats the command with its key, which must end in exactly one.
    #[track_caller]
    pub fn settle(&self, ground: &Ground, at: &str) -> Side {
        let seen = self.readable(ground, at);
        let probe = ground.run(&format!("set {PROBE} due=2031-01-01 --as CMD@boss"));
        assert_eq!(probe.exit, 0, "{at}: the next command: {probe:?}");
        let side = self.judge(ground, at);
        // A table that readers see as new must not turn old again.
        assert!(seen == Side::Old || side == Side::New, "{at}: what readers saw was taken back");
        let again = ground.run(&self.scene.keyed());
        assert_eq!(again.exit, 0, "{at}: repeated: {again:?}");
        let already = again.json()["data"]["already"] == true;
        assert_eq!(already, side == Side::New, "{at}: repeated: {again:?}");
        assert_eq!(self.judge(ground, at), Side::New, "{at}");
        side
    }

    /// Whether everything is old or new: ledgers, journal, no temporary file.
    #[track_caller]
    pub fn judge(&self, ground: &Ground, at: &str) -> Side {
        ground.no_temporaries(at);
        let now = without_probe(normal(ground.ledgers()));
        let is = |side: &Files| now == without_probe(side.clone());
        let whole = is(&self.old) || is(&self.new);
        let text = |(name, bytes): (&String, &Vec<u8>)| {
            format!("\n{name}:\n{}", String::from_utf8_lossy(bytes))
        };
        assert!(
            whole,
            "{at}: neither old nor new:{}",
            now.iter().map(text).collect::<Vec<_>>().concat()
        );
        let side = if is(&self.new) { Side::New } else { Side::Old };
        let journal = chain(&ground.journal_text(), at);
        let said = journal.iter().filter(|line| line["op_id"] == KEY).count();
        assert_eq!(
            said,
            usize::from(side == Side::New),
            "{at}: {side:?}, and {said} journal lines"
        );
        side
    }

    /// Nothing at all was changed: ledgers, journal, evidence, settings.
    #[track_caller]
    pub fn untouched(&self, ground: &Ground, at: &str) {
        let visible = |ground: &Ground| {
            let mut files = ground.files();
            files.retain(|name, _| !is_temporary(name) && !name.ends_with(".gitignore"));
            files.retain(|name, bytes| !(name.ends_with("journal.jsonl") && bytes.is_empty()));
            files
        };
        let (now, old) = (visible(ground), visible(&self.start));
        for name in now.keys().chain(old.keys()) {
            assert_eq!(now.get(name), old.get(name), "{at}: `{name}` changed");
        }
    }
}

fn without_probe(files: Files) -> Files {
    let cut = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        let mark = format!("| {PROBE} |");
        let kept: String = text.split_inclusive('\n').filter(|l| !l.starts_with(&mark)).collect();
        kept.into_bytes()
    };
    files.into_iter().map(|(name, bytes)| (name, cut(bytes))).collect()
}

fn normal(files: Files) -> Files {
    let one = |bytes: Vec<u8>| timeless(&String::from_utf8(bytes).unwrap()).into_bytes();
    files.into_iter().map(|(name, bytes)| (name, one(bytes))).collect()
}

/// The text with one moment for every moment of it.
pub fn timeless(text: &str) -> String {
    const SHAPE: &[u8; 20] = b"dddd-dd-ddTdd:dd:ddZ";
    let bytes = text.as_bytes();
    let fits = |at: usize| {
        bytes.get(at..at + 20).is_some_and(|slice| {
            slice
                .iter()
                .zip(SHAPE)
                .all(|(b, s)| if *s == b'd' { b.is_ascii_digit() } else { b == s })
        })
    };
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        if fits(at) {
            out.extend_from_slice(b"2026-01-01T00:00:00Z");
            at += 20;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Parses a journal and checks its chain without the tool's code: whole lines,
/// each with its hash over the rest, its parent and the next number.
#[track_caller]
pub fn chain(text: &str, at: &str) -> Vec<Value> {
    let mut before: Option<Value> = None;
    let mut ids = BTreeSet::new();
    let mut entries = Vec::new();
    assert!(text.is_empty() || text.ends_with('\n'), "{at}: the journal's last line is torn");
    for line in text.lines() {
        let entry: Value =
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{at}: {e}: {line}"));
        let (bare, hash) = line.rsplit_once(",\"hash\":\"").expect("the hash comes last");
        let hash = hash.strip_suffix("\"}").expect("and ends the line");
        assert_eq!(sha256(format!("{bare}}}").as_bytes()), hash, "{at}: {line}");
        let (seq, parents) = match &before {
            None => (1, Vec::new()),
            Some(before) => (before["seq"].as_u64().unwrap() + 1, vec![before["hash"].clone()]),
        };
        assert_eq!(entry["seq"].as_u64(), Some(seq), "{at}: {line}");
        assert_eq!(entry["parents"].as_array(), Some(&parents), "{at}: {line}");
        let id = entry["id"].as_str().unwrap().to_owned();
        assert!(ids.insert(id), "{at}: an id twice: {line}");
        entries.push(entry.clone());
        before = Some(entry);
    }
    entries
}

/// The journal joins up with the file: each operation began with the bytes
/// that the one before left, or says that they were respelled, and the last left
/// those of now. A save into a file that was displaced already spoils the base of
/// the next comparison: then it is known that bytes changed, and not which.
#[track_caller]
pub fn unbroken(ground: &Ground, at: &str) -> Vec<Value> {
    const NAME: &str = "ORCH/STATE/TASKS.md";
    let journal = chain(&ground.journal_text(), at);
    let mut sha = None;
    for entry in &journal {
        if let (Some(sha), Some(from)) = (&sha, entry["sha_in"].get(NAME)) {
            let respelled = entry["respelled"].as_array().into_iter().flatten();
            let is_said = respelled.into_iter().any(|name| name == NAME);
            assert!(from == sha || is_said, "{at}: operation {}", entry["seq"]);
        }
        if let Some(to) = entry["sha_out"].get(NAME) {
            sha = Some(to.clone());
        }
    }
    assert_eq!(sha, Some(Value::from(sha256(ground.text().as_bytes()))), "{at}");
    journal
}

/// The tool's own checks find nothing, as far as it has them.
#[track_caller]
pub fn sound(ground: &Ground, at: &str) {
    for line in ["doctor", "audit verify", "check"] {
        let ran: Ran = ground.run(line);
        let unknown = ran.exit == 2 && ran.err.contains("unrecognized subcommand");
        assert!(ran.exit == 0 || unknown, "{at}: {line}: {ran:?}");
    }
}
