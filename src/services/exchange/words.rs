//! `key:value` words behind a title: what todo.txt and task lists keep a task's
//! columns in.
//!
//! Only our own keys mean something; `http://…`, `+project`, `@context` and the keys of
//! other tools stay in the title. Invariant: `split(append(title, words))` gives title
//! and words again: a word of the title that looks like one of ours is written with a
//! `\` in front of its colon, which Markdown does not show.

use crate::model::task::Task;
use std::borrow::Cow;

/// The keys that mean a column.
const KEYS: [&str; 7] = ["id", "due", "state", "owner", "depends", "priority", "pri"];

/// A line's title and the words of ours in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Split<'t> {
    /// What is left without the words.
    pub title: String,
    /// Key, value, and where the word begins.
    pub words: Vec<(&'static str, &'t str, usize)>,
}

/// The key of a word of ours, how many backslashes follow it, and what follows those.
fn parts(word: &str) -> Option<(&'static str, usize, &str)> {
    KEYS.into_iter().find_map(|key| {
        let rest = word.strip_prefix(key)?;
        let bare = rest.trim_start_matches('\\');
        bare.starts_with(':').then(|| (key, rest.len() - bare.len(), &bare[1..]))
    })
}

/// Takes the words of ours out of a line. Of a key that stands twice the first counts,
/// the second stays in the title; so does a key without a value.
pub fn split(text: &str) -> Split<'_> {
    let mut split = Split::default();
    let mut title: Vec<Cow<'_, str>> = Vec::new();
    let mut at = 0;
    for word in text.split(' ') {
        let start = at;
        at += word.len() + 1;
        match parts(word) {
            Some((key, 0, value))
                if !value.is_empty() && split.words.iter().all(|(k, ..)| *k != key) =>
            {
                split.words.push((key, value, start));
            }
            Some((key, slashes @ 1.., value)) => {
                title.push(Cow::Owned(format!("{key}{}:{value}", "\\".repeat(slashes - 1))));
            }
            _ => title.push(Cow::Borrowed(word)),
        }
    }
    title.join(" ").trim().clone_into(&mut split.title);
    split
}

/// A title with its look-alikes escaped.
pub fn escaped(title: &str) -> String {
    let word = |word: &str| match parts(word) {
        Some((key, slashes, value)) => format!("{key}{}:{value}", "\\".repeat(slashes + 1)),
        None => word.to_owned(),
    };
    title.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Appends the words of a task, but for its priority; what has a blank in it cannot be
/// one, and is left out.
pub fn append(task: &Task<'_>, to: &mut String) {
    let state = task.state.as_deref().filter(|state| !matches!(*state, "PLAN" | "DONE"));
    let depends = task.depends().collect::<Vec<_>>().join("+");
    for (key, value) in [
        ("id", Some(&*task.id)),
        ("due", task.due.as_deref()),
        ("state", state),
        ("owner", task.owner.as_deref()),
        ("depends", Some(depends.as_str())),
    ] {
        push(key, value.unwrap_or_default(), to);
    }
}

/// Appends one word.
pub fn push(key: &str, value: &str, to: &mut String) {
    if !value.is_empty() && !value.contains(char::is_whitespace) {
        to.extend([" ", key, ":", value]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_our_keys_are_taken() {
        let line = "Call  mom due:2026-01-02 http://x.y rec:1w +home @phone id:7 due:x pri:";
        let split = split(line);
        assert_eq!(split.title, "Call  mom http://x.y rec:1w +home @phone due:x pri:");
        assert_eq!(split.words, [("due", "2026-01-02", 10), ("id", "7", 56)]);
    }

    proptest! {
        #[test]
        fn a_title_comes_back(
            title in "((id|due|pri|a|ab) ?|[:x\\\\台] ?){0,7}",
            due in proptest::option::of("[a-z0-9:]{1,5}"),
        ) {
            let title = title.trim();
            let mut line = escaped(title);
            push("id", "T-1", &mut line);
            push("due", due.as_deref().unwrap_or_default(), &mut line);
            let split = split(&line);
            prop_assert_eq!(&split.title, title);
            let found: Vec<_> = split.words.iter().map(|(key, value, _)| (*key, *value)).collect();
            let expected: Vec<_> = std::iter::once(("id", "T-1"))
                .chain(due.as_deref().map(|due| ("due", due)))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
