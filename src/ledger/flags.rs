//! FLAGS.md: two switches in a text that people edit.
//!
//! Invariant: what cannot be read counts as the safe side, automatic decisions
//! off and the freeze on.

use crate::model::flags::{AutoDecide, Flag, Flags};
use std::ops::Range;

/// A line `NAME=VALUE`, of whatever name. Blanks, list marks and backticks around
/// it do not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// What stands before the `=`.
    pub name: &'a str,
    /// What stands after it.
    pub value: &'a str,
    /// Where both stand in the line.
    pub at: Range<usize>,
}

/// Reads a line; none where it is prose.
pub fn line(line: &str) -> Option<Line<'_>> {
    let text = line.trim_start().trim_start_matches(['-', '*', '+', ' ']).trim_start_matches('`');
    let text = text.trim_start();
    let (name, value) = text.split_once('=')?;
    let start = line.len() - text.len();
    let value = value.trim_end().trim_end_matches('`');
    let end = start + name.len() + 1 + value.trim_end().len();
    Some(Line { name: name.trim_end(), value: value.trim(), at: start..end })
}

/// Reads both flags. One that is not there is off; of two lines for one flag the
/// safer counts.
pub fn parse(text: &str) -> Flags {
    let mut flags = Flags::OFF;
    let mut decided: Option<AutoDecide> = None;
    for Line { name, value, .. } in text.lines().filter_map(line) {
        match name {
            "AUTO_DECIDE" => {
                let here = AutoDecide::parse(value).unwrap_or(AutoDecide::Off);
                decided = Some(decided.map_or(here, |before| before.min(here)));
            }
            "FREEZE" => flags.freeze |= value != "off",
            _ => {}
        }
    }
    flags.auto_decide = decided.unwrap_or(AutoDecide::Off);
    flags
}

/// The text with a flag set: its line keeps what surrounds the value, a flag
/// that is not there gets a line at the end. `None` where it says so already.
/// Of two lines for one flag both are set.
pub fn set(text: &str, flag: Flag) -> Option<String> {
    let (name, value) = (flag.name(), flag.value());
    let mut new = String::with_capacity(text.len() + 32);
    let mut there = false;
    for text in text.split_inclusive('\n') {
        let Some(Line { value: before, at, .. }) = line(text).filter(|line| line.name == name)
        else {
            new.push_str(text);
            continue;
        };
        there = true;
        new.push_str(&text[..at.end - before.len()]);
        new.push_str(value);
        new.push_str(&text[at.end..]);
    }
    if !there {
        let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
        if text.is_empty() {
            new.push_str(&format!("# Flags{ending}{ending}"));
        } else if !text.ends_with('\n') {
            new.push_str(ending);
        }
        new.push_str(&format!("{name}={value}{ending}"));
    }
    (new != text).then_some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREEZE: Flag = Flag::Freeze(true);
    const THAW: Flag = Flag::Freeze(false);

    #[test]
    fn a_flag_is_set_where_it_stands() {
        assert_eq!(set("", FREEZE).unwrap(), "# Flags\n\nFREEZE=on\n");
        let text = "# Flags\r\n- `AUTO_DECIDE = on`  \r\nFREEZE=off";
        let new = set(text, Flag::AutoDecide(AutoDecide::Off)).unwrap();
        assert_eq!(new, "# Flags\r\n- `AUTO_DECIDE = off`  \r\nFREEZE=off");
        assert_eq!(parse(&new), Flags::OFF);
        assert_eq!(set(&new, FREEZE).unwrap(), new.replace("FREEZE=off", "FREEZE=on"));
        assert_eq!(set(&new, THAW), None);
        for end in ["", "\n", "\r\n", " \n"] {
            let new = set(&format!("FREEZE={end}"), THAW).unwrap();
            assert_eq!(new, format!("FREEZE=off{end}"));
        }
        assert_eq!(set("no line end", FREEZE).unwrap(), "no line end\nFREEZE=on\n");
    }

    #[test]
    fn flags_read_safely() {
        assert_eq!(parse(""), Flags::OFF);
        let on = parse("# Flags\n\n- AUTO_DECIDE=on\n`FREEZE=off`\n");
        assert_eq!(on, Flags { auto_decide: AutoDecide::On, freeze: false });
        let bad = parse("AUTO_DECIDE=yes\nFREEZE=maybe\n");
        assert_eq!(bad, Flags { auto_decide: AutoDecide::Off, freeze: true });
        let twice = parse("AUTO_DECIDE=on\nAUTO_DECIDE=shadow\nFREEZE=on\nFREEZE=off\n");
        assert_eq!(twice, Flags { auto_decide: AutoDecide::Shadow, freeze: true });
    }
}
