//! FLAGS.md: two switches in a text that people edit.
//!
//! Invariant: what cannot be read counts as the safe side, automatic decisions
//! off and the freeze on.

/// The state of automatic decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoDecide {
    /// Decide.
    On,
    /// Only write down what would be decided.
    Shadow,
    /// Do nothing.
    Off,
}

impl AutoDecide {
    /// As the file spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// Both flags, as they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// `AUTO_DECIDE=on|shadow|off`
    pub auto_decide: AutoDecide,
    /// `FREEZE=on|off`
    pub freeze: bool,
}

impl Flags {
    /// What a missing file means.
    pub const OFF: Self = Self { auto_decide: AutoDecide::Off, freeze: false };

    /// Reads the lines `NAME=VALUE`; blanks, list marks and backticks around
    /// them do not matter, other lines are prose. A flag that is not there is
    /// off; of two lines for one flag the safer counts.
    pub fn parse(text: &str) -> Self {
        let mut flags = Self::OFF;
        let mut decided: Option<AutoDecide> = None;
        for line in text.lines() {
            let line = line.trim().trim_start_matches(['-', '*', '+', ' ']).trim_matches('`');
            let Some((name, value)) = line.split_once('=') else { continue };
            let value = value.trim();
            match name.trim() {
                "AUTO_DECIDE" => {
                    let here = match value {
                        "on" => AutoDecide::On,
                        "shadow" => AutoDecide::Shadow,
                        _ => AutoDecide::Off,
                    };
                    decided = Some(match (decided, here) {
                        (Some(AutoDecide::Off), _) | (_, AutoDecide::Off) => AutoDecide::Off,
                        (Some(AutoDecide::Shadow), _) | (_, AutoDecide::Shadow) => {
                            AutoDecide::Shadow
                        }
                        (Some(AutoDecide::On) | None, AutoDecide::On) => AutoDecide::On,
                    });
                }
                "FREEZE" => flags.freeze |= value != "off",
                _ => {}
            }
        }
        flags.auto_decide = decided.unwrap_or(AutoDecide::Off);
        flags
    }
}

/// The text with a flag set: its line keeps what surrounds the value, a flag
/// that is not there gets a line at the end. `None` where it says so already.
/// Of two lines for one flag both are set.
pub fn set(text: &str, name: &str, value: &str) -> Option<String> {
    let mut new = String::with_capacity(text.len() + 32);
    let mut there = false;
    for line in text.split_inclusive('\n') {
        let Some(at) = value_at(line, name) else {
            new.push_str(line);
            continue;
        };
        there = true;
        new.push_str(&line[..at.start]);
        new.push_str(value);
        new.push_str(&line[at.end..]);
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

/// Where a line holds the value of a flag.
fn value_at(line: &str, flag: &str) -> Option<std::ops::Range<usize>> {
    let (name, rest) = line.split_once('=')?;
    let name = name.trim().trim_start_matches(['-', '*', '+', ' ']).trim_start_matches('`');
    if name.trim() != flag {
        return None;
    }
    let value = rest.trim_end().trim_end_matches('`');
    let start = line.len() - rest.len() + (value.len() - value.trim_start().len());
    Some(start..start + value.trim().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_set_where_it_stands() {
        assert_eq!(set("", "FREEZE", "on").unwrap(), "# Flags\n\nFREEZE=on\n");
        let text = "# Flags\r\n- `AUTO_DECIDE = on`  \r\nFREEZE=off";
        let new = set(text, "AUTO_DECIDE", "off").unwrap();
        assert_eq!(new, "# Flags\r\n- `AUTO_DECIDE = off`  \r\nFREEZE=off");
        assert_eq!(Flags::parse(&new), Flags::OFF);
        assert_eq!(set(&new, "FREEZE", "on").unwrap(), new.replace("FREEZE=off", "FREEZE=on"));
        assert_eq!(set(&new, "FREEZE", "off"), None);
        for end in ["", "\n", "\r\n", " \n"] {
            let new = set(&format!("FREEZE={end}"), "FREEZE", "off").unwrap();
            assert_eq!(new, format!("FREEZE=off{end}"));
        }
        assert_eq!(set("no line end", "FREEZE", "on").unwrap(), "no line end\nFREEZE=on\n");
    }

    #[test]
    fn flags_read_safely() {
        assert_eq!(Flags::parse(""), Flags::OFF);
        let on = Flags::parse("# Flags\n\n- AUTO_DECIDE=on\n`FREEZE=off`\n");
        assert_eq!(on, Flags { auto_decide: AutoDecide::On, freeze: false });
        let bad = Flags::parse("AUTO_DECIDE=yes\nFREEZE=maybe\n");
        assert_eq!(bad, Flags { auto_decide: AutoDecide::Off, freeze: true });
        let twice = Flags::parse("AUTO_DECIDE=on\nAUTO_DECIDE=shadow\nFREEZE=on\nFREEZE=off\n");
        assert_eq!(twice, Flags { auto_decide: AutoDecide::Shadow, freeze: true });
    }
}
