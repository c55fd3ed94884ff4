//! The journal's lines as a graph: which operation came after which.
//!
//! Here: the place of a line in the chain, the heads, an order in which parents
//! come first. Not here: what an operation did (`store::entry`), files and
//! questions about the past (`store::journal`). Invariant: nothing depends on
//! where a line stands in its file, since a merge of branches puts the lines of
//! both sides into one file, some of them twice.
//!
//! No JSON is parsed: a line has a canonical beginning (`seq`, `id`, `ts`) and a
//! canonical end (`parents`, `hash`), and what is between them does not matter
//! to the chain.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// The digits of a hash.
const HASH_LEN: usize = 64;
/// What stands before the digits of a line's own hash.
const HASH: &[u8] = b",\"hash\":\"";

/// A line, as far as the chain needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'j> {
    /// 1 + the largest of the parents'; may repeat on branches.
    pub seq: u64,
    /// The operation's id.
    pub id: &'j str,
    /// When, UTC with milliseconds.
    pub ts: &'j str,
    /// The line's own hash, as it says itself.
    pub hash: &'j str,
    /// All of it, without its end.
    pub bytes: &'j [u8],
    /// The members of `parents` in their quotes, with commas.
    parents: &'j str,
}

impl<'j> Line<'j> {
    /// Reads a line's two ends; `None` where one of them is not as it is
    /// written. Cost: the ends, however long the line is.
    pub fn parse(bytes: &'j [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"{\"seq\":")?;
        let (digits, rest) = rest.split_at(rest.iter().position(|b| !b.is_ascii_digit())?);
        let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let (id, rest) = word(rest.strip_prefix(b",\"id\":\"")?)?;
        let (ts, rest) = word(rest.strip_prefix(b",\"ts\":\"")?)?;
        let rest = rest.strip_suffix(b"\"}")?;
        let (rest, hash) = rest.split_at(rest.len().checked_sub(HASH_LEN)?);
        let rest = rest.strip_suffix(HASH)?.strip_suffix(b"]")?;
        let open = memchr::memrchr(b'[', rest)?;
        let parents = std::str::from_utf8(&rest[open + 1..]).ok()?;
        let line = Self { seq, id, ts, hash: digest(hash)?, bytes, parents };
        let whole = parents.is_empty()
            || parents.split(',').all(|p| unquoted(p).and_then(|p| digest(p.as_bytes())).is_some());
        (whole && rest[..open].ends_with(b",\"parents\":")).then_some(line)
    }

    /// The hashes of the lines before.
    pub fn parents(&self) -> impl Iterator<Item = &'j str> + use<'j> {
        self.parents.split(',').filter_map(unquoted)
    }

    /// The bytes that the hash is taken over, but for the brace that ends them.
    pub fn hashed(&self) -> &'j [u8] {
        &self.bytes[..self.bytes.len() - HASH.len() - HASH_LEN - 2]
    }

    /// What lines are ordered by where the chain leaves it open.
    const fn key(&self) -> (&'j str, &'j str, &'j str) {
        (self.ts, self.id, self.hash)
    }
}

/// A text without escapes, up to its closing quote, and what follows.
fn word(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = memchr::memchr(b'"', bytes)?;
    let text = std::str::from_utf8(&bytes[..end]).ok().filter(|text| !text.contains('\\'))?;
    Some((text, &bytes[end + 1..]))
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

fn digest(digits: &[u8]) -> Option<&str> {
    let is_hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
    let fits = digits.len() == HASH_LEN && digits.iter().all(is_hex);
    fits.then(|| std::str::from_utf8(digits).ok()).flatten()
}

/// The lines of a file, without their ends. A line end too many is no line.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let mut rest = bytes;
    let each = std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = (!rest.is_empty()).then(|| &rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
        line
    });
    each.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.is_empty())
}

/// The lines that no line names as its parent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heads<'j> {
    /// By time, then id.
    pub lines: Vec<Line<'j>>,
    /// Whether each line's parent stands right before it: then the order of the
    /// file is the order of the graph.
    pub is_chain: bool,
}

impl<'j> Heads<'j> {
    /// Finds the heads. Lines that are not whole are left out.
    ///
    /// One pass without a table where the lines are one chain: a line that the
    /// next one names is no head. What is left are the last line and those at
    /// the seams of merges; a table of the other names settles them.
    pub fn of(lines: impl Iterator<Item = &'j [u8]> + Clone) -> Self {
        let mut named: HashSet<&str> = HashSet::new();
        let mut loose: Vec<Line<'j>> = Vec::new();
        let mut before: Option<Line<'j>> = None;
        for line in lines.clone().filter_map(Line::parse) {
            let mut follows = false;
            for parent in line.parents() {
                if before.is_some_and(|before| before.hash == parent) {
                    follows = true;
                } else {
                    named.insert(parent);
                }
            }
            loose.extend(before.replace(line).filter(|_| !follows));
        }
        let is_chain = loose.is_empty();
        loose.extend(before);
        loose.retain(|line| !named.contains(line.hash));
        if loose.len() > 1 {
            // A line that stands twice is loose once, and named behind its twin.
            named = lines.filter_map(Line::parse).flat_map(|line| line.parents()).collect();
            loose.retain(|line| !named.contains(line.hash));
            loose.sort_by_key(Line::key);
            loose.dedup_by_key(|line| line.hash);
        }
        Self { lines: loose, is_chain }
    }
}

/// Every line once, parents first.
#[derive(Debug, Default)]
pub struct Graph<'j> {
    lines: Vec<Line<'j>>,
}

impl<'j> Graph<'j> {
    /// Orders lines: parents first, else by time, then id. Lines that are not
    /// whole are left out, as is the second of two with one hash; a parent that
    /// is gone holds nothing up.
    pub fn of(lines: impl Iterator<Item = &'j [u8]>) -> Self {
        let mut nodes: Vec<Line<'j>> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::new();
        for line in lines.filter_map(Line::parse) {
            index.entry(line.hash).or_insert_with(|| {
                nodes.push(line);
                nodes.len() - 1
            });
        }
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        let mut waits: Vec<usize> = vec![0; nodes.len()];
        for (at, line) in nodes.iter().enumerate() {
            for parent in line.parents().filter_map(|parent| index.get(parent)) {
                children[*parent].push(at);
                waits[at] += 1;
            }
        }
        let free = (0..nodes.len()).filter(|at| waits[*at] == 0);
        let mut ready: BinaryHeap<_> = free.map(|at| Reverse((nodes[at].key(), at))).collect();
        let mut lines = Vec::with_capacity(nodes.len());
        while let Some(Reverse((_, at))) = ready.pop() {
            lines.push(nodes[at]);
            for child in &children[at] {
                waits[*child] -= 1;
                if waits[*child] == 0 {
                    ready.push(Reverse((nodes[*child].key(), *child)));
                }
            }
        }
        // Hashes that are what they say form no circle; made-up ones may.
        lines.extend((0..nodes.len()).filter(|at| waits[*at] > 0).map(|at| nodes[at]));
        Self { lines }
    }

    /// The lines in order.
    pub fn lines(&self) -> &[Line<'j>] {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::entry::Entry;

    fn line(seq: u64, id: &str, minute: u32, parents: &[&str]) -> String {
        Entry {
            seq,
            id: id.into(),
            ts: format!("2026-01-01T00:{minute:02}:00.000Z"),
            note: Some("\"parents\":[\"x\"],\"hash\":\"".into()),
            parents: parents.iter().map(|p| hash(p).to_owned()).collect(),
            ..Entry::default()
        }
        .to_line()
    }

    fn hash(line: &str) -> &str {
        Line::parse(line.as_bytes()).unwrap().hash
    }

    /// root ─ a1 ─ a2 ─ merge, and root ─ b1 ─ merge.
    fn branches() -> [String; 5] {
        let root = line(1, "root", 0, &[]);
        let a1 = line(2, "a1", 3, &[&root]);
        let a2 = line(3, "a2", 4, &[&a1]);
        let b1 = line(2, "b1", 1, &[&root]);
        let merge = line(4, "merge", 5, &[&a2, &b1]);
        [root, a1, a2, b1, merge]
    }

    fn heads(lines: &[&String]) -> (Vec<String>, bool) {
        let heads = Heads::of(lines.iter().map(|line| line.as_bytes()));
        (heads.lines.iter().map(|line| line.id.to_owned()).collect(), heads.is_chain)
    }

    fn order(lines: &[&String]) -> Vec<String> {
        let graph = Graph::of(lines.iter().map(|line| line.as_bytes()));
        graph.lines().iter().map(|line| line.id.to_owned()).collect()
    }

    #[test]
    fn the_ends_of_a_line_say_where_it_belongs() {
        let [root, _, a2, b1, merge] = branches();
        let read = Line::parse(merge.as_bytes()).unwrap();
        assert_eq!((read.seq, read.id, read.ts), (4, "merge", "2026-01-01T00:05:00.000Z"));
        assert_eq!(read.parents().collect::<Vec<_>>(), [hash(&a2), hash(&b1)]);
        let entry: Entry = serde_json::from_str(&merge).unwrap();
        assert_eq!(entry.hash, read.hash);
        let hashed = [read.hashed(), b"}"].concat();
        assert_eq!(crate::store::entry::sha256_hex(&hashed), read.hash);
        assert_eq!(Line::parse(root.as_bytes()).unwrap().parents().count(), 0);
        for end in 0..merge.len() {
            assert_eq!(Line::parse(&merge.as_bytes()[..end]), None, "torn at {end}");
        }
        for odd in ["", "{}", "{\"seq\":1}", "not json", "[\"}", "\"}"] {
            assert_eq!(Line::parse(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn heads_are_what_nobody_names() {
        let [root, a1, a2, b1, merge] = &branches();
        assert_eq!(heads(&[]), (vec![], true));
        assert_eq!(heads(&[root, a1, a2]), (vec!["a2".to_owned()], true));
        let both = vec!["b1".to_owned(), "a2".to_owned()];
        assert_eq!(heads(&[root, a1, a2, b1]), (both.clone(), false));
        assert_eq!(heads(&[root, b1, a1, a2]), (both.clone(), false));
        assert_eq!(heads(&[b1, root, a1, b1, a2]), (both, false), "one of them twice");
        let one = vec!["merge".to_owned()];
        assert_eq!(heads(&[root, a1, a2, b1, merge]), (one.clone(), false));
        assert_eq!(heads(&[merge, root, a1, a2, b1]), (one.clone(), false));
        assert_eq!(heads(&[root, a1, a2, b1, merge, merge]), (one.clone(), false));
        // Its twin's child stands right behind it, so that `a1` looks loose.
        assert_eq!(heads(&[root, a1, b1, a1, a2, merge]), (one, false));
    }

    #[test]
    fn any_order_of_lines_is_one_graph() {
        let branches = branches();
        let [root, a1, a2, b1, merge] = &branches;
        let expected = ["root", "b1", "a1", "a2", "merge"];
        let mut seed = 7_usize;
        for _ in 0..200 {
            let mut lines: Vec<&String> = branches.iter().chain([b1, a1]).collect();
            for at in (1..lines.len()).rev() {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                lines.swap(at, (seed >> 33) % (at + 1));
            }
            assert_eq!(order(&lines), expected, "{lines:?}");
            assert_eq!(heads(&lines).0, ["merge"], "{lines:?}");
        }
        assert_eq!(order(&[merge, a2, a1]), ["a1", "a2", "merge"], "without its root");
        assert_eq!(order(&[root, root]), ["root"]);
    }
}
