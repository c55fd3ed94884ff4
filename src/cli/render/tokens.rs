//! How much text costs a language model: an upper bound, without a vocabulary.
//!
//! Lives here: the bound for the encoding `cl100k_base`. Not here: what is worth
//! saying (`render::prime`). Invariant: no text has more tokens than [`at_most`]
//! says; a test holds it against the encoding itself.
//!
//! Why a bound can be had: the encoding first cuts text into pieces by a pattern
//! (a word with the blank before it, up to three digits, a run of signs) and then
//! merges bytes within each piece, so that a piece never has more tokens than
//! bytes. Pieces that are one token are listed: words of our own commands and
//! sentences. Everything else counts by its bytes, whatever its script.

use std::iter::Peekable;
use std::str::CharIndices;

/// Pieces of one token each, with a blank before them and without.
const ONE: &[&str] = &[
    "\"",
    "\",",
    "\".",
    "\";",
    "#",
    ",",
    "-",
    "--",
    ".",
    ":",
    ";",
    "A",
    "Add",
    "And",
    "Ask",
    "C",
    "CMD",
    "Change",
    "DONE",
    "DROP",
    "FIX",
    "Free",
    "ID",
    "N",
    "Nobody",
    "PLAN",
    "READY",
    "Rules",
    "Run",
    "TEXT",
    "Tasks",
    "Then",
    "UTC",
    "WORK",
    "Waiting",
    "Warning",
    "You",
    "all",
    "alone",
    "an",
    "and",
    "approval",
    "are",
    "as",
    "at",
    "back",
    "before",
    "best",
    "by",
    "check",
    "claim",
    "command",
    "data",
    "dir",
    "doctor",
    "done",
    "each",
    "ends",
    "first",
    "for",
    "free",
    "give",
    "given",
    "hand",
    "hold",
    "in",
    "instruction",
    "is",
    "it",
    "judge",
    "lease",
    "leases",
    "ledger",
    "like",
    "list",
    "may",
    "more",
    "next",
    "no",
    "none",
    "nothing",
    "on",
    "once",
    "only",
    "op",
    "or",
    "orch",
    "other",
    "others",
    "over",
    "own",
    "pending",
    "prime",
    "release",
    "request",
    "review",
    "run",
    "same",
    "says",
    "see",
    "starts",
    "state",
    "status",
    "submit",
    "take",
    "task",
    "tasks",
    "text",
    "that",
    "the",
    "their",
    "then",
    "through",
    "to",
    "token",
    "until",
    "wait",
    "was",
    "why",
    "work",
    "yet",
    "you",
    "your",
];

/// Pieces of two.
const TWO: &[&str] = &[
    ".md",
    "/STATE",
    "@ada",
    "AUDIT",
    "DOING",
    "FREEZE",
    "HOLD",
    "ORCH",
    "Quoted",
    "REVIEW",
    "Trouble",
    "Warnings",
    "approvals",
    "approves",
    "finishes",
    "itself",
    "keeps",
    "lasts",
    "mend",
    "planned",
    "renew",
];

/// At least as many as the tokens of `text`.
pub fn at_most(text: &str) -> usize {
    let mut sum = 0;
    let mut chars = text.char_indices().peekable();
    while let Some(&(start, first)) = chars.peek() {
        let end = piece(&mut chars, first).unwrap_or(text.len());
        sum += cost(&text[start..end], &text[..start], &text[end..]);
    }
    sum
}

/// Steps over a piece and gives where it ends; none at the end of the text.
///
/// What the pattern would cut elsewhere, as it may where scripts mix, only makes
/// pieces of other bytes, and those count one by one.
fn piece(chars: &mut Peekable<CharIndices<'_>>, first: char) -> Option<usize> {
    let _ = chars.next();
    let kind = Kind::of(first);
    let next = chars.peek().map(|(_, c)| *c);
    let run = match (kind, next.map(Kind::of)) {
        (Kind::Letter, _) | (Kind::Blank | Kind::Sign, Some(Kind::Letter)) => Kind::Letter,
        (Kind::Digit, _) => {
            // At most three.
            for _ in 0..2 {
                let _ = chars.next_if(|(_, c)| Kind::of(*c) == Kind::Digit);
            }
            return chars.peek().map(|(at, _)| *at);
        }
        (Kind::Sign, _) | (Kind::Blank, Some(Kind::Sign)) => {
            while chars.next_if(|(_, c)| Kind::of(*c) == Kind::Sign).is_some() {}
            Kind::End
        }
        (Kind::Blank | Kind::End, _) => kind,
    };
    while chars.next_if(|(_, c)| Kind::of(*c) == run).is_some() {}
    chars.peek().map(|(at, _)| *at)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Digit,
    Sign,
    Blank,
    End,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            '\r' | '\n' => Self::End,
            c if c.is_whitespace() => Self::Blank,
            c if c.is_alphabetic() => Self::Letter,
            c if c.is_numeric() => Self::Digit,
            _ => Self::Sign,
        }
    }
}

fn cost(piece: &str, before: &str, after: &str) -> usize {
    let bare = piece.strip_prefix(' ').unwrap_or(piece);
    // What this file takes for a letter may be none to the pattern, or the other
    // way round, outside of ASCII only.
    let is_plain = before.chars().next_back().is_none_or(|c| c.is_ascii())
        && after.chars().next().is_none_or(|c| c.is_ascii());
    // A blank that follows a blank, and an apostrophe's letters, are cut otherwise.
    let follows_blank = before.ends_with(char::is_whitespace) && bare.len() < piece.len();
    if !is_plain || follows_blank || before.ends_with('\'') {
        return piece.len();
    }
    if ONE.contains(&bare) || (1..=3).contains(&piece.len()) && is_digits(piece) {
        1
    } else if TWO.contains(&bare) {
        2
    } else {
        piece.len()
    }
}

fn is_digits(piece: &str) -> bool {
    piece.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str) -> usize {
        tiktoken_rs::cl100k_base_singleton().count_ordinary(text)
    }

    #[test]
    fn the_listed_pieces_are_what_they_are_said_to_be() {
        for (list, count) in [(ONE, 1), (TWO, 2)] {
            for piece in list {
                assert!(tokens(piece) <= count, "`{piece}`: {}", tokens(piece));
                let spaced = format!(" {piece}");
                assert!(tokens(&spaced) <= count, "`{spaced}`: {}", tokens(&spaced));
            }
        }
        for number in 0..1000 {
            for text in [format!("{number}"), format!("{number:02}"), format!("{number:03}")] {
                assert_eq!(tokens(&text), 1, "{text}");
            }
        }
    }

    #[test]
    fn a_bound_is_near_for_our_own_words_and_never_below() {
        let own = "orch claim --next --as WORK@ada # take the best free task; or claim ID\n";
        assert!(at_most(own) <= tokens(own) + 6, "{} for {}", at_most(own), tokens(own));
        for text in ["", " ", "\n", "'state", "12½", "a\u{301}claim", "  orch", "claim\u{345}x"] {
            assert!(at_most(text) >= tokens(text), "{text:?}");
        }
    }

    fn mixed() -> impl Strategy<Value = String> {
        let word = proptest::sample::select([ONE, TWO].concat());
        let part = prop_oneof![
            word.prop_map(str::to_owned),
            Just(" ".to_owned()),
            Just("\n".to_owned()),
            "[ -~]{1,4}",
            "[A-Za-z0-9+/]{1,12}",
            "[\\u{3040}-\\u{30ff}\\u{4e00}-\\u{9fff}]{1,3}",
            "\\PC{1,3}",
            any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn no_text_has_more_tokens_than_the_bound(text in mixed()) {
            prop_assert!(at_most(&text) >= tokens(&text), "{:?}", text);
        }
    }
}
