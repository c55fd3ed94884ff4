//! The name of a named lock, and when two of them conflict.
//!
//! Here: the grammar of a NAME, its one canonical spelling, and the question
//! whether two names can be held at once. Not here: who holds what (`lock`),
//! files (`store::named_locks`). Invariant: a canonical spelling parses as
//! itself, and where two names both cover some path, they conflict.
//!
//! A NAME with `/`, `*`, `?`, `[` or `{` is a path, also `.`; anything else is a
//! word. A word conflicts with the same word only: `Cargo.toml` is a word, and
//! the file is `./Cargo.toml`. Paths begin at the workspace's root, wherever the
//! caller stands, and cover what lies below them: `src/parser` covers
//! `src/parser/x.rs`, and `src/*` all that `src` holds.
//!
//! ```text
//!   *  any characters of one folder's or file's name     ?  one of them
//!   [a-z] [!a-z]  one of a set, or none of it            {a,b}  either
//!   **  as a whole part: any folders, none included
//! ```

use crate::error::{Error, Result};
use crate::model::value::refused_char;
use std::collections::HashSet;
use std::fmt;
use std::path::{Component, Path};

/// The longest name in bytes: what two of them are compared by grows with the
/// product of their lengths.
const LONGEST: usize = 512;

/// A word, or a path or glob from the workspace's root, in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockName {
    text: String,
    is_path: bool,
}

impl LockName {
    /// Reads a name. `root` is the workspace's folder, which absolute paths
    /// must lie in.
    ///
    /// # Errors
    /// `usage` for an empty or overlong name, one that leads out of the
    /// workspace, and a glob that is none.
    pub fn parse(typed: &str, root: &Path) -> Result<Self> {
        let wrong = |why: &str| Err(Error::usage(format!("`{typed}` is no name of a lock: {why}")));
        if typed.is_empty() {
            return Err(Error::usage("the name of a lock is empty"));
        }
        if typed.len() > LONGEST {
            return Err(Error::usage(format!(
                "the name of a lock has {} bytes, more than {LONGEST}",
                typed.len()
            )));
        }
        if refused_char(typed).is_some() || typed.trim() != typed {
            return wrong("it holds control characters, or blanks at an end");
        }
        if typed.contains('\\') {
            return wrong("write `/` between folders; `[*]` is a star that means itself");
        }
        if !typed.contains('/') && !is_glob(typed) && !matches!(typed, "." | "..") {
            return Ok(Self { text: typed.to_owned(), is_path: false });
        }
        let Some(parts) = parts(typed, root) else {
            return wrong("it leads out of the workspace");
        };
        let Ok(parts) = parts else {
            return wrong("`..` cannot stand behind a glob");
        };
        let text = match &parts[..] {
            [] => ".".to_owned(),
            [one] if !is_glob(one) => format!("./{one}"),
            parts => parts.join("/"),
        };
        match Pattern::of(&text) {
            Ok(_) => Ok(Self { text, is_path: true }),
            Err(why) => wrong(why),
        }
    }

    /// Reads a canonical spelling; `None` for any other text.
    pub fn canonical(text: &str) -> Option<Self> {
        Self::parse(text, Path::new("/")).ok().filter(|name| name.text == text)
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a path or glob, as opposed to a word.
    pub const fn is_path(&self) -> bool {
        self.is_path
    }

    /// Whether both cannot be held at once: equal words, or paths where one
    /// covers something that the other covers. Where that is unsure they do.
    pub fn conflicts(&self, other: &Self) -> bool {
        if self.text == other.text {
            return true;
        }
        if !self.is_path || !other.is_path {
            return false;
        }
        match (Pattern::of(&self.text), Pattern::of(&other.text)) {
            (Ok(one), Ok(other)) => one.meets(&other),
            _ => true,
        }
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// The parts of a path without `.`, `..` and empty ones. Links are not
/// followed: `a/../b` is `b`.
///
/// `None` where it leads out of the workspace; `Some(Err)` for `..` behind a
/// glob, which names no certain folder.
fn parts<'t>(typed: &'t str, root: &Path) -> Option<Result<Vec<&'t str>, ()>> {
    let mut parts: Vec<&str> = Vec::new();
    for part in typed.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.pop() {
                None => return None,
                Some(glob) if is_glob(glob) => return Some(Err(())),
                Some(_) => {}
            },
            part => parts.push(part),
        }
    }
    if typed.starts_with('/') {
        for part in root.components() {
            let Component::Normal(part) = part else { continue };
            if parts.is_empty() || part != parts.remove(0) {
                return None;
            }
        }
    }
    Some(Ok(parts))
}

/// Characters of one place: those in some range, or those in none.
#[derive(Debug, Clone)]
struct Set {
    ranges: Vec<(char, char)>,
    negated: bool,
}

impl Set {
    fn one(c: char) -> Self {
        Self { ranges: vec![(c, c)], negated: false }
    }

    fn but_slash() -> Self {
        Self { ranges: vec![('/', '/')], negated: true }
    }

    const fn any() -> Self {
        Self { ranges: Vec::new(), negated: true }
    }

    /// Whether some character may be in both; sometimes true where none is.
    fn meets(&self, other: &Self) -> bool {
        match (self.negated, other.negated) {
            (false, false) => {
                self.ranges.iter().any(|(a, b)| other.ranges.iter().any(|(c, d)| a <= d && c <= b))
            }
            (false, true) => other.leaves_some_of(&self.ranges),
            (true, false) => self.leaves_some_of(&other.ranges),
            (true, true) => true,
        }
    }

    fn leaves_some_of(&self, ranges: &[(char, char)]) -> bool {
        let within = |a: char, b: char| self.ranges.iter().any(|(c, d)| *c <= a && b <= *d);
        ranges.iter().any(|(a, b)| !within(*a, *b))
    }
}

/// A path pattern as an automaton over characters. State 0 is where it begins.
#[derive(Debug, Default)]
struct Pattern {
    states: Vec<State>,
    ends: Vec<usize>,
}

#[derive(Debug, Default)]
struct State {
    /// Reached from here without a character.
    free: Vec<usize>,
    /// Reached from here by one.
    by: Vec<(Set, usize)>,
}

impl Pattern {
    fn of(text: &str) -> Result<Self, &'static str> {
        let mut pattern = Self::default();
        let mut at = pattern.state();
        let parts: Vec<&str> = text.split('/').filter(|part| *part != ".").collect();
        if parts.is_empty() {
            // The root covers everything.
            pattern.states[at].by.push((Set::any(), at));
            pattern.ends.push(at);
            return Ok(pattern);
        }
        for (n, part) in parts.iter().enumerate() {
            let is_last = n + 1 == parts.len();
            match *part {
                "**" if is_last => pattern.states[at].by.push((Set::any(), at)),
                "**" => {
                    // Nothing, or anything up to a `/`.
                    let (inside, after) = (pattern.state(), pattern.state());
                    pattern.states[at].free.extend([inside, after]);
                    pattern.states[inside].by.push((Set::any(), inside));
                    pattern.states[inside].by.push((Set::one('/'), after));
                    at = after;
                }
                part => {
                    let chars: Vec<char> = part.chars().collect();
                    at = pattern.part(at, &chars, false)?.0;
                    if !is_last {
                        at = pattern.step(at, Set::one('/'));
                    }
                }
            }
        }
        let below = pattern.step(at, Set::one('/'));
        pattern.states[below].by.push((Set::any(), below));
        pattern.ends.extend([at, below]);
        Ok(pattern)
    }

    fn state(&mut self) -> usize {
        self.states.push(State::default());
        self.states.len() - 1
    }

    fn step(&mut self, from: usize, by: Set) -> usize {
        let to = self.state();
        self.states[from].by.push((by, to));
        to
    }

    /// Reads a part of a path, or one branch of `{…}`, from a state on. Gives
    /// the state behind it and how many characters it took.
    fn part(
        &mut self,
        from: usize,
        chars: &[char],
        in_braces: bool,
    ) -> Result<(usize, usize), &'static str> {
        let (mut at, mut read) = (from, 0);
        while let Some(c) = chars.get(read) {
            match c {
                ',' | '}' if in_braces => break,
                '*' => {
                    if chars.get(read + 1) == Some(&'*') {
                        return Err("`**` stands for whole folders, as in `a/**/b`");
                    }
                    // A state of its own, so that its loop is nobody else's.
                    let any = self.state();
                    self.states[at].free.push(any);
                    self.states[any].by.push((Set::but_slash(), any));
                    at = any;
                }
                '?' => at = self.step(at, Set::but_slash()),
                '[' => {
                    let (set, took) = class(&chars[read + 1..])?;
                    at = self.step(at, set);
                    read += took;
                }
                '{' => {
                    let end = self.state();
                    loop {
                        let begin = self.state();
                        self.states[at].free.push(begin);
                        let (branch, took) = self.part(begin, &chars[read + 1..], true)?;
                        self.states[branch].free.push(end);
                        read += 1 + took;
                        match chars.get(read) {
                            Some(',') => {}
                            Some(_) => break,
                            None => return Err("a `{` is not closed before the next `/`"),
                        }
                    }
                    at = end;
                }
                c => at = self.step(at, Set::one(*c)),
            }
            read += 1;
        }
        Ok((at, read))
    }

    /// What is reached from a state without a character: whether an end is, and
    /// the steps from there.
    fn closure(&self, from: usize) -> (bool, Vec<&(Set, usize)>) {
        let mut seen = vec![false; self.states.len()];
        let (mut is_end, mut steps, mut open) = (false, Vec::new(), vec![from]);
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut seen[at], true) {
                is_end |= self.ends.contains(&at);
                steps.extend(&self.states[at].by);
                open.extend(&self.states[at].free);
            }
        }
        (is_end, steps)
    }

    /// Whether some text leads both to an end.
    fn meets(&self, other: &Self) -> bool {
        let ours: Vec<_> = (0..self.states.len()).map(|s| self.closure(s)).collect();
        let theirs: Vec<_> = (0..other.states.len()).map(|s| other.closure(s)).collect();
        let mut seen = HashSet::from([(0, 0)]);
        let mut open = vec![(0, 0)];
        while let Some((a, b)) = open.pop() {
            let ((our_end, our_steps), (their_end, their_steps)) = (&ours[a], &theirs[b]);
            if *our_end && *their_end {
                return true;
            }
            for (mine, to) in our_steps {
                for (their, their_to) in their_steps {
                    if mine.meets(their) && seen.insert((*to, *their_to)) {
                        open.push((*to, *their_to));
                    }
                }
            }
        }
        false
    }
}

/// Reads a class behind its `[`; gives how many characters it took, `]`
/// included.
fn class(chars: &[char]) -> Result<(Set, usize), &'static str> {
    const OPEN: &str = "a `[` is not closed before the next `/`";
    let negated = matches!(chars.first(), Some('!' | '^'));
    let mut read = usize::from(negated);
    let first = read;
    let mut ranges = Vec::new();
    loop {
        let c = *chars.get(read).ok_or(OPEN)?;
        read += 1;
        if c == ']' && read > first + 1 {
            return Ok((Set { ranges, negated }, read));
        }
        match chars.get(read..read + 2) {
            Some(['-', end]) if *end != ']' => {
                if *end < c {
                    return Err("a range in `[]` runs backward");
                }
                ranges.push((c, *end));
                read += 2;
            }
            _ => ranges.push((c, c)),
        }
    }
}

#[cfg(test)]
#[path = "lock_name_tests.rs"]
mod tests;
