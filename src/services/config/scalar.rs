//! Single values of the file, each read by a rule.
//!
//! A rule runs inside the YAML reader, because only there the line and column
//! of a value are known: what it refuses is reported at the value itself.
//! Not here: rules over several values (`resolve`). Invariant: a `Scalar<R>` or
//! an `Argv` holds a value that its rule accepted.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

use super::automation::OnFailure;
use super::settings::{Durability, HandEdits, IdStyle, PathStyle, Worktrees};
use super::zone::Zone;
use crate::model::actor::is_name;
use crate::model::id::IdFormat;
use crate::model::task_state::State as TaskState;
use crate::model::{duration, size};

/// How one kind of value is read.
pub(super) trait Rule {
    /// What it becomes.
    type Value;
    /// What a person should have written, for "expected …".
    const EXPECTED: &'static str;
    /// Reads it, or says in a sentence why not.
    fn read(text: &str) -> Result<Self::Value, String>;
}

/// A value read by rule `R`.
pub(super) struct Scalar<R: Rule>(pub(super) R::Value);

impl<'de, R: Rule> Deserialize<'de> for Scalar<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<R>(PhantomData<R>);
        impl<R: Rule> Visitor<'_> for Reader<R> {
            type Value = Scalar<R>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(R::EXPECTED)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Scalar<R>, E> {
                R::read(text).map(Scalar).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Reader(PhantomData))
    }
}

/// A program and its arguments: at least one word, the first not empty.
pub(super) struct Argv(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Argv;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a program and its arguments as a list, such as [cargo, test]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Argv, A::Error> {
                let mut argv: Vec<String> = Vec::new();
                while let Some(word) = words.next_element()? {
                    argv.push(word);
                }
                if argv.first().is_none_or(String::is_empty) {
                    return Err(A::Error::custom("a command needs a program to run"));
                }
                if argv.iter().any(|word| word.contains('\0')) {
                    return Err(A::Error::custom("an argument cannot hold a NUL character"));
                }
                Ok(Argv(argv))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

macro_rules! rules {
    ($($name:ident: $value:ty, $expected:literal, $read:expr;)*) => {$(
        pub(super) enum $name {}
        impl Rule for $name {
            type Value = $value;
            const EXPECTED: &'static str = $expected;
            fn read(text: &str) -> Result<$value, String> {
                let read: fn(&str) -> Result<$value, String> = $read;
                read(text)
            }
        }
    )*};
}

rules! {
    Actor: String, "an actor such as WORK@ada", actor;
    Name: String, "a name", name;
    Word: String, "a word", |text| filled(text, "it cannot be empty");
    Format: IdFormat, "an id format such as T-{:04}", IdFormat::parse;
    Timezone: String, "a time zone such as Asia/Tokyo", |text| Zone::parse(text).map(|_| text.to_owned());
    Span: Duration, "a duration such as 30m", span;
    PositiveSpan: Duration, "a duration such as 30m", positive_span;
    Expiry: Option<Duration>, "a duration such as 14d, or never", expiry;
    Bytes: u64, "a size such as 8MiB", |text| size::parse(text).map_err(|e| e.message);
    Count: u32, "a whole number", whole;
    PositiveCount: u32, "a whole number from 1", positive;
    Number: f64, "a number", number;
    PositiveNumber: f64, "a number above 0", positive_number;
    Glob: String, "a glob such as deploy-*", glob;
    Url: String, "a URL", url;
    Variable: String, "the name of an environment variable", variable;
    State: String, "a state such as READY", state;
    WorktreesWord: Worktrees, "`shared` or `own`",
        |t| one_of(t, &[("shared", Worktrees::Shared), ("own", Worktrees::Own)]);
    DurabilityWord: Durability, "`full` or `fast`",
        |t| one_of(t, &[("full", Durability::Full), ("fast", Durability::Fast)]);
    HandEditsWord: HandEdits, "`trust` or `review`",
        |t| one_of(t, &[("trust", HandEdits::Trust), ("review", HandEdits::Review)]);
    IdStyleWord: IdStyle, "`sequential` or `hash`",
        |t| one_of(t, &[("sequential", IdStyle::Sequential), ("hash", IdStyle::Hash)]);
    PathStyleWord: PathStyle, "`relative` or `windows`",
        |t| one_of(t, &[("relative", PathStyle::Relative), ("windows", PathStyle::Windows)]);
    OnFailureWord: OnFailure, "`leave` or `reject`",
        |t| one_of(t, &[("leave", OnFailure::Leave), ("reject", OnFailure::Reject)]);
}

fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        format!("`{text}` is not {}", known.join(" or "))
    })
}

pub(super) fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not a name: write 1 to 64 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`"))
}

/// `ROLE`, `ROLE@name`, or a role with a number such as `WORK1`.
fn actor(text: &str) -> Result<String, String> {
    let valid = crate::model::actor::Actor::parse(text).is_some();
    if !valid {
        return Err(format!(
            "`{text}` is not an actor: write `CMD`, `WORK` or `AUDIT`, alone or with a name as in `WORK@ada`"
        ));
    }
    // Its approvals count as automatic ones, so nobody may go by this name.
    if text.eq_ignore_ascii_case("AUDIT@auto") {
        return Err(format!("`{text}` is reserved for automatic decisions"));
    }
    Ok(text.to_owned())
}

fn filled(text: &str, otherwise: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err(otherwise.to_owned()) } else { Ok(text.to_owned()) }
}

fn span(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|error| error.message)
}

fn positive_span(text: &str) -> Result<Duration, String> {
    let span = span(text)?;
    if span.is_zero() { Err(format!("`{text}` must be longer than zero")) } else { Ok(span) }
}

fn expiry(text: &str) -> Result<Option<Duration>, String> {
    if text == "never" { Ok(None) } else { positive_span(text).map(Some) }
}

fn whole(text: &str) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.ok_or_else(|| format!("`{text}` is not a whole number from 0 to {}", u32::MAX))
}

fn positive(text: &str) -> Result<u32, String> {
    whole(text).and_then(|n| if n == 0 { Err("it must be at least 1".to_owned()) } else { Ok(n) })
}

fn number(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| format!("`{text}` is not a number"))
}

fn positive_number(text: &str) -> Result<f64, String> {
    number(text).and_then(|n| if n > 0.0 { Ok(n) } else { Err("it must be above 0".to_owned()) })
}

fn glob(text: &str) -> Result<String, String> {
    filled(text, "a glob cannot be empty")?;
    globset::Glob::new(text)
        .map(|_| text.to_owned())
        .map_err(|error| format!("`{text}` is not a glob: {}", error.kind()))
}

fn url(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let odd = |c: char| c.is_whitespace() || c.is_control();
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') && !host.contains(odd) => {
            Ok(text.to_owned())
        }
        _ => Err(format!("`{text}` is not a URL that begins with `http://` or `https://`")),
    }
}

pub(super) fn variable(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(['=', '\0']) {
        return Err(format!("`{text}` cannot be the name of an environment variable"));
    }
    Ok(text.to_owned())
}

fn state(text: &str) -> Result<String, String> {
    TaskState::ALL
        .into_iter()
        .find(|state| text.eq_ignore_ascii_case(state.as_str()))
        .map(|state| state.to_string())
        .ok_or_else(|| {
            format!("`{text}` is not a state: {}", TaskState::ALL.map(TaskState::as_str).join(", "))
        })
}
