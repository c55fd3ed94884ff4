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

#[cfg(test)]
mod tests {
    use super::*;

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
