//! The few text styles a command may use, as ANSI SGR sequences.
//!
//! Lives here: the styles and their bytes. Not here: whether colour is on
//! (`cli::ui`). Invariant: only the sixteen-colour SGR set, so that the
//! reader's own terminal theme decides what red looks like.

/// Ends any style.
pub const RESET: &str = "\x1b[0m";

/// One text style. `Plain` writes no bytes at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// As the terminal writes text.
    #[default]
    Plain,
    /// Faint, for what matters less.
    Dim,
    /// Bold, for headings.
    Bold,
    /// Red.
    Red,
    /// Green.
    Green,
    /// Yellow.
    Yellow,
    /// Blue.
    Blue,
    /// Cyan.
    Cyan,
    /// Magenta.
    Magenta,
}

impl Style {
    /// The bytes that start the style; empty for `Plain`.
    pub const fn open(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "\x1b[2m",
            Self::Bold => "\x1b[1m",
            Self::Red => "\x1b[31m",
            Self::Green => "\x1b[32m",
            Self::Yellow => "\x1b[33m",
            Self::Blue => "\x1b[34m",
            Self::Cyan => "\x1b[36m",
            Self::Magenta => "\x1b[35m",
        }
    }

    /// The bytes that end the style; empty for `Plain`.
    pub const fn close(self) -> &'static str {
        match self {
            Self::Plain => "",
            _ => RESET,
        }
    }

    /// The style where colour is on, else `Plain`.
    #[must_use]
    pub const fn when(self, color: bool) -> Self {
        if color { self } else { Self::Plain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_writes_nothing_and_the_rest_opens_and_closes() {
        assert_eq!((Style::Plain.open(), Style::Plain.close()), ("", ""));
        assert_eq!((Style::Red.open(), Style::Red.close()), ("\x1b[31m", "\x1b[0m"));
        assert_eq!(Style::Red.when(false), Style::Plain);
        assert_eq!(Style::Red.when(true), Style::Red);
    }
}
