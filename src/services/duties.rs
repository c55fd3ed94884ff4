//! Separation of duties: who may not judge whose work.
//!
//! Here: the one function that decides whether somebody may judge, and its
//! words. Every door calls it: `approve`, `reject`, `done`, `fix`, `undo`,
//! `decide`, `check`. Not here: who is on the other side (`transition`,
//! `approvals`). Invariant: nobody judges what they asked for or did, under
//! whatever name of theirs; and a different person is never refused.

use crate::error::{Error, ErrorKind};
use crate::ledger::tasks::shell_word;
use crate::model::actor::{Actor, Principals};
use crate::model::lookalikes::skeleton;
use unicode_normalization::UnicodeNormalization;

/// What somebody on the other side did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Held the task in this round of work.
    Held,
    /// Asked for the approval.
    Requested,
    /// Wrote the evidence.
    Wrote,
}

impl Duty {
    const fn describe(self) -> &'static str {
        match self {
            Self::Held => "held the task in this round of work",
            Self::Requested => "asked for the approval",
            Self::Wrote => "wrote the evidence",
        }
    }
}

/// Somebody on the other side, as the ledger spells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Their name. Of any spelling: people type into ledgers.
    pub name: String,
    /// What they did.
    pub duty: Duty,
}

/// Why somebody may not judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// They are the same person as this one.
    SamePerson(Party),
    /// They act as a bare role, and this one has a name.
    BareDecider(Party),
}

/// Judges whoever decides or finishes against everybody on the other side.
///
/// | who judges | on the other side | may judge |
/// |---|---|---|
/// | `CMD@eve` | `WORK@ada` | yes |
/// | `CMD@ada` | `WORK@ada`, or another name of hers | no |
/// | `CMD@eve` | `WORK` | yes |
/// | `CMD` | `WORK@ada` | no: it may be her |
/// | `CMD` | `WORK` | yes |
/// | `CMD` | `CMD` | no |
///
/// A name that is no actor is compared by its UTS 39 skeleton, so that look-alikes
/// of one's own name are one's own.
pub fn judge(decider: &Actor, others: &[Party], principals: &Principals) -> Option<Conflict> {
    for other in others {
        let (same, named) = match Actor::parse(&other.name) {
            Some(actor) => (principals.same_person(decider, &actor), !actor.is_bare()),
            None => (looks_like(decider, &other.name, principals), true),
        };
        if same {
            return Some(Conflict::SamePerson(other.clone()));
        }
        if decider.is_bare() && named {
            return Some(Conflict::BareDecider(other.clone()));
        }
    }
    None
}

/// Whether a text that is no actor could be taken for this one, or has a word
/// that could: people write `WORK@ada (by phone)`.
fn looks_like(decider: &Actor, text: &str, principals: &Principals) -> bool {
    let mut words = text.split(ends_word).map(|word| word.trim_matches('.'));
    is_named(decider, text, principals)
        || words.any(|word| !word.is_empty() && is_named(decider, word, principals))
}

/// What stands between words: no part of a name.
fn ends_word(c: char) -> bool {
    let in_names = matches!(c, '.' | '_' | '-' | '@');
    c.is_whitespace()
        || (c.is_ascii_punctuation() && !in_names)
        || matches!(c, '\u{3001}' | '\u{3002}' | '\u{30fb}' | '\u{ff08}' | '\u{ff09}' | '\u{ff0c}')
}

/// The same for one name. What is plain ASCII once it is read as people do is
/// nobody's but its own: `rn` is not `m`.
fn is_named(decider: &Actor, text: &str, principals: &Principals) -> bool {
    let text = read(text);
    let fold = if text.is_ascii() { read } else { folded };
    let text = fold(&text);
    let (_, name) = text.rsplit_once('@').unwrap_or(("", &text));
    let own = match decider.name() {
        Some(own) => principals.names_of(own),
        None => vec![decider.role().as_str().to_owned()],
    };
    text == fold(decider.as_str()) || own.iter().any(|own| name == fold(own))
}

/// What is left of a name when everything that can be mistaken is one:
/// look-alikes (UTS 39), and what [`read`] leaves out.
fn folded(text: &str) -> String {
    skeleton(&read(text)).to_lowercase()
}

/// A name without differences that nobody sees: compatibility forms, case,
/// blanks, what is invisible.
fn read(text: &str) -> String {
    let visible = text
        .nfkc()
        .filter(|c| !c.is_whitespace() && !c.is_control() && !is_ignorable(*c) && *c != '\u{307}');
    visible.collect::<String>().to_lowercase().replace('\u{307}', "")
}

/// Code points that show nothing (`Default_Ignorable_Code_Point`).
const fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}')
}

/// The error for a conflict over a task or an approval.
pub fn error(subject: &str, decider: &Actor, conflict: &Conflict) -> Error {
    let message = match conflict {
        Conflict::SamePerson(Party { name, duty }) => format!(
            "`{decider}` cannot judge `{subject}`: `{name}`, the same person, {}",
            duty.describe()
        ),
        Conflict::BareDecider(Party { name, duty }) => format!(
            "`{decider}` cannot judge `{subject}` as a bare role: `{name}`, who {}, has a name, so \
             whoever judges needs one too, such as `{}@eve`",
            duty.describe(),
            decider.role()
        ),
    };
    Error::new(ErrorKind::SeparationOfDuties, message)
        .about(subject)
        .hint(format!("orch show {}", shell_word(subject)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn held(name: &str) -> Party {
        Party { name: name.to_owned(), duty: Duty::Held }
    }

    fn judged(decider: &str, others: &[&str]) -> Option<Conflict> {
        let groups = BTreeMap::from([("ada".to_owned(), vec!["ada-laptop".to_owned()])]);
        let others: Vec<Party> = others.iter().map(|name| held(name)).collect();
        judge(&Actor::parse(decider).unwrap(), &others, &Principals::new(&groups))
    }

    fn same(decider: &str, other: &str) -> bool {
        judged(decider, &[other]) == Some(Conflict::SamePerson(held(other)))
    }

    fn bare(decider: &str, other: &str) -> bool {
        judged(decider, &[other]) == Some(Conflict::BareDecider(held(other)))
    }

    fn free(decider: &str, other: &str) -> bool {
        judged(decider, &[other]).is_none()
    }

    #[test]
    fn two_people_in_every_combination() {
        assert!(free("CMD@eve", "WORK@ada"));
        assert!(same("CMD@ada", "WORK@ada"));
        assert!(same("CMD@ADA", "WORK@ada-laptop"));
        assert!(bare("CMD", "WORK@ada"));
        assert!(free("CMD", "WORK"));
        assert!(same("CMD", "CMD"));
        assert!(free("CMD@eve", "WORK"));
        assert!(bare("AUDIT", "WORK1"));
        assert!(judged("CMD@eve", &[]).is_none());
        assert!(judged("CMD@eve", &["WORK@ada", "WORK@eve"]).is_some());
        assert!(judged("CMD", &["WORK", "WORK@ada"]).is_some());
    }

    #[test]
    fn a_name_typed_by_hand_is_who_it_looks_like() {
        for own in [
            "bob",
            "Bob",
            "b\u{43e}b",
            "\u{ff42}ob",
            "bo\u{200b}b",
            "bob\u{a0}",
            "WORK@b\u{43e}b",
            "W\u{41e}RK@bob",
            "work@bob",
            "WORK\u{ff20}bob",
            "WORK@bob\u{2009}",
            "\u{feff}bob",
        ] {
            assert!(same("CMD@bob", own), "{own:?}");
        }
        assert!(same("CMD@ada", "\u{430}d\u{430}-laptop"));
        assert!(same("CMD@ian", "WORK@\u{131}an") && same("CMD@ian", "WORK@\u{130}AN"));
        assert!(same("WORK1", "W\u{41e}RK1"));
        assert!(same("CMD", "\u{421}MD"));
        assert!(bare("CMD", "some person"));
        for own in
            ["WORK@bob (by phone)", "`WORK@bob`", "WORK@ada, WORK@bob", "ro bob", "WORK bob."]
        {
            assert!(same("CMD@bob", own), "{own:?}");
        }
        for other in ["\u{5c71}\u{7530}", "bobby", "robob", "WORK@b\u{f6}b", "x@bob@eve"] {
            assert!(free("CMD@bob", other), "{other:?}");
        }
        // Of plain names none is taken for another, with a role or without.
        assert!(free("CMD@adam", "adarn") && free("CMD@rn", "m") && free("CMD@al", "x@a1"));
        assert!(same("CMD@adam", "\u{430}dam") && same("CMD@adam", "\u{ff41}dam"));
        assert!(free("CMD@adam", "WORK@adarn") && free("CMD@al", "WORK@a1"));
        assert!(free("CMD@o", "WORK@0"));
    }

    #[test]
    fn an_error_says_who_did_what() {
        let eve = Actor::parse("CMD@eve").unwrap();
        let party = |duty| Party { name: "WORK@eve".into(), duty };
        for (duty, says) in
            [(Duty::Held, "held"), (Duty::Requested, "asked"), (Duty::Wrote, "wrote")]
        {
            let e = error("A1", &eve, &Conflict::SamePerson(party(duty)));
            assert!(e.message.contains(says) && e.message.contains("WORK@eve"), "{e}");
            assert_eq!(e.kind, ErrorKind::SeparationOfDuties);
            let e = error("A1", &eve, &Conflict::BareDecider(party(duty)));
            assert!(e.message.contains(says) && e.message.contains("CMD@eve"), "{e}");
        }
    }
}
