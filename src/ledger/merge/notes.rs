//! Notes that both sides appended to.
//!
//! Invariant: what both appended stands in the result once; nothing of the
//! former notes moves. Two values for one attribute are no notes but two
//! decisions, and give no result.

use crate::model::value::attributes;

/// What separates notes from each other; `orch note` writes the first.
const SEPARATOR: char = '・';
const SEPARATORS: [char; 7] = [SEPARATOR, ' ', ',', ';', '、', '。', '\u{3000}'];

/// Both sides' notes as one, where both only appended to the base's. Texts are
/// trimmed, and empty where the cell is.
pub(super) fn both(base: &str, ours: &str, theirs: &str) -> Option<String> {
    let a = appended(base, ours)?;
    let b = appended(base, theirs)?;
    let (parts_a, parts_b) = (parts(a), parts(b));
    if holds(&parts_a, &parts_b) {
        return Some(ours.to_owned());
    }
    if holds(&parts_b, &parts_a) {
        return Some(theirs.to_owned());
    }
    // What one side says in whole is no contradiction of the other.
    if contradict(a, b) {
        return None;
    }
    // One order, whichever side is called ours.
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let same = common(first, second);
    let mut notes = format!("{base}{first}");
    let rest = &second[same..];
    if !rest.starts_with(is_separator) && !rest.starts_with("<br") {
        notes.push(SEPARATOR);
    }
    notes.push_str(rest);
    Some(notes)
}

/// What was appended, if it begins as something of its own: `done` to `done1`
/// is another word, not another note.
fn appended<'a>(base: &str, now: &'a str) -> Option<&'a str> {
    let tail = now.strip_prefix(base)?;
    let begins = base.is_empty()
        || tail.is_empty()
        || tail.starts_with(is_separator)
        || tail.starts_with("<br")
        || base.ends_with(is_separator);
    begins.then_some(tail)
}

fn is_separator(c: char) -> bool {
    SEPARATORS.contains(&c)
}

/// Whether both say something about one attribute, and not the same.
fn contradict(a: &str, b: &str) -> bool {
    attributes(a).any(|x| attributes(b).any(|y| x.key == y.key && x.value != y.value))
}

fn parts(text: &str) -> Vec<&str> {
    text.split(SEPARATOR).map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// Whether the notes `all` hold the notes `some`, in their order; others may
/// stand between, as after an earlier merge.
fn holds(all: &[&str], some: &[&str]) -> bool {
    let mut rest = all.iter();
    some.iter().all(|part| rest.any(|other| other == part))
}

/// How far two texts are the same notes.
fn common(a: &str, b: &str) -> usize {
    let mut ends = b.char_indices().filter(|(at, c)| *c == SEPARATOR && *at > 0).map(|(at, _)| at);
    ends.rfind(|at| {
        a.strip_prefix(&b[..*at]).is_some_and(|r| r.is_empty() || r.starts_with(SEPARATOR))
    })
    .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(base: &str, ours: &str, theirs: &str, both_: Option<&str>) {
        assert_eq!(both(base, ours, theirs).as_deref(), both_);
        assert_eq!(both(base, theirs, ours).as_deref(), both_, "the other way round");
        for side in [ours, theirs] {
            if let Some(all) = both_ {
                assert_eq!(both(base, all, side).as_deref(), Some(all), "merged again with {side}");
            }
        }
    }

    #[test]
    fn both_append() {
        is("", "a", "b", Some("a・b"));
        is("n", "n・b", "n・a", Some("n・a・b"));
        is("n", "n・a", "n・a", Some("n・a"));
        is("n", "n・a", "n・a・b", Some("n・a・b"));
        is("n", "n・a・b", "n・a・c", Some("n・a・b・c"));
        is("n", "n; x", "n・y", Some("n; x・y"));
        is("n", "n<br>x", "n・y", Some("n<br>x・y"));
        is("n", "n・x", "n・ax", Some("n・ax・x"));
        is("", "p=HIGH・p=LOW", "p=LOW", Some("p=HIGH・p=LOW"));
    }

    #[test]
    fn other_changes_do_not_merge() {
        is("done", "done1", "done2", None);
        is("n", "m・a", "n・b", None);
        is("n", "", "n・b", None);
        is("n", "n・priority=HIGH", "n・priority=LOW", None);
        is("n", "n・priority=HIGH", "n・priority=HIGH・x", Some("n・priority=HIGH・x"));
    }
}
