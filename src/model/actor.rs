//! Who acts: a role, and perhaps a name.
//!
//! Here: the grammar `ROLE` or `ROLE@name`, and when two actors are one person.
//! Names are claims: nothing here proves who somebody is.

use std::collections::BTreeMap;
use std::fmt;

/// What an actor may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Directs.
    Cmd,
    /// Does.
    Work,
    /// Reviews.
    Audit,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Cmd, Self::Work, Self::Audit];

    /// As the ledger spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cmd => "CMD",
            Self::Work => "WORK",
            Self::Audit => "AUDIT",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An actor: `WORK`, `WORK@ada`, or `WORK1` (role WORK, name `WORK1`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Actor {
    role: Role,
    text: String,
}

impl Actor {
    /// Reads an actor; `None` for any other spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let role = match text.split_once('@') {
            Some((role, name)) => {
                if !is_name(name) {
                    return None;
                }
                Role::parse(role)?
            }
            None => Role::parse(text).or_else(|| numbered_role(text))?,
        };
        Some(Self { role, text: text.to_owned() })
    }

    /// A role with a name.
    pub fn named(role: Role, name: &str) -> Option<Self> {
        Self::parse(&format!("{role}@{name}"))
    }

    /// Its role.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Its name; `None` for a bare role.
    pub fn name(&self) -> Option<&str> {
        match self.text.split_once('@') {
            Some((_, name)) => Some(name),
            None if self.text == self.role.as_str() => None,
            None => Some(&self.text),
        }
    }

    /// Whether it is a role without a name.
    pub fn is_bare(&self) -> bool {
        self.name().is_none()
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A name: 1 to 64 of `A-Z a-z 0-9 . _ -`.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Any text as a name: other characters become `-`.
pub fn to_name(text: &str) -> String {
    let name: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .take(64)
        .collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

fn numbered_role(text: &str) -> Option<Role> {
    let letters = text.trim_end_matches(|c: char| c.is_ascii_digit());
    if letters.len() == text.len() || text.len() > 64 {
        return None;
    }
    Role::parse(letters)
}

/// Which names belong to one person: principal to names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principals(BTreeMap<String, String>);

impl Principals {
    /// From `principal: [name, …]`. A principal's own name is one of its names.
    pub fn new<'a>(groups: impl IntoIterator<Item = (&'a String, &'a Vec<String>)>) -> Self {
        let mut map = BTreeMap::new();
        for (principal, names) in groups {
            for name in names.iter().chain([principal]) {
                map.insert(name.to_ascii_lowercase(), principal.to_ascii_lowercase());
            }
        }
        Self(map)
    }

    /// Whether two actors are the same person: their names match without
    /// regard to case, or map to one principal, or both are bare with one role.
    pub fn same_person(&self, a: &Actor, b: &Actor) -> bool {
        match (a.name(), b.name()) {
            (Some(a), Some(b)) => self.key(a) == self.key(b),
            (None, None) => a.role() == b.role(),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// Every name of the person who has this one, in lower case.
    pub fn names_of(&self, name: &str) -> Vec<String> {
        let key = self.key(name);
        let mut names: Vec<String> =
            self.0.iter().filter(|(_, of)| **of == key).map(|(name, _)| name.clone()).collect();
        if names.is_empty() {
            names.push(key);
        }
        names
    }

    fn key(&self, name: &str) -> String {
        let lower = name.to_ascii_lowercase();
        self.0.get(&lower).cloned().unwrap_or(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(text: &str) -> Actor {
        Actor::parse(text).unwrap()
    }

    #[test]
    fn the_grammar() {
        assert_eq!(actor("WORK").name(), None);
        assert_eq!(actor("WORK@ada").name(), Some("ada"));
        assert_eq!(actor("WORK1").name(), Some("WORK1"));
        assert_eq!(actor("AUDIT12").role(), Role::Audit);
        for bad in [
            "",
            "work",
            "WORKER",
            "BOSS",
            "WORK@",
            "WORK@a b",
            "WORK@a@b",
            "WОRK",
            "@ada",
            "1",
            "WORK ",
            "WORK@日本",
        ] {
            assert_eq!(Actor::parse(bad), None, "{bad:?}");
        }
        for (text, fits) in [
            (format!("WORK@{}", "x".repeat(64)), true),
            (format!("WORK@{}", "x".repeat(65)), false),
            (format!("WORK{}", "1".repeat(60)), true),
            (format!("WORK{}", "1".repeat(61)), false),
            (format!("WORK{}", "1".repeat(62)), false),
        ] {
            assert_eq!(Actor::parse(&text).is_some(), fits, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        for text in ["CMD", "WORK@ada", "AUDIT12"] {
            assert_eq!((actor(text).as_str(), actor(text).to_string()), (text, text.to_owned()));
        }
        let named = |role, name| Actor::named(role, name).map(|actor| actor.to_string());
        assert_eq!(named(Role::Audit, "eve").as_deref(), Some("AUDIT@eve"));
        assert_eq!(named(Role::Audit, "e v e"), None);
        assert_eq!(Role::ALL.map(|role| role.to_string()), ["CMD", "WORK", "AUDIT"]);
        assert_eq!(Role::ALL.map(Role::as_str), ["CMD", "WORK", "AUDIT"]);
        assert!(actor("CMD").is_bare() && !actor("CMD@eve").is_bare() && !actor("CMD1").is_bare());
    }

    #[test]
    fn one_person_behind_two_names() {
        let groups = BTreeMap::from([("ada".to_owned(), vec!["ada-laptop".to_owned()])]);
        let principals = Principals::new(&groups);
        let same = |a, b| principals.same_person(&actor(a), &actor(b));
        assert!(same("WORK@ada", "CMD@ADA"));
        assert!(same("WORK@Ada-Laptop", "AUDIT@ada"));
        assert!(same("WORK", "WORK"));
        assert!(!same("WORK", "CMD"));
        assert!(!same("WORK", "WORK@ada"));
        assert!(!same("WORK@ada", "WORK@bob"));
        assert!(same("WORK1", "CMD@work1"));
        assert_eq!(principals.names_of("ADA"), ["ada", "ada-laptop"]);
        assert_eq!(principals.names_of("ada-laptop"), ["ada", "ada-laptop"]);
        assert_eq!(principals.names_of("Bob"), ["bob"]);
    }

    #[test]
    fn an_os_user_becomes_a_name() {
        assert_eq!(to_name("DOMAIN\\ada lovelace"), "DOMAIN-ada-lovelace");
        assert_eq!(to_name(""), "unknown");
        assert!(is_name(&to_name(&"é".repeat(100))));
    }
}
