//! The known keys: their order, where they stand in a text, and the nearest to
//! a misspelled one.
//!
//! Not here: what the keys mean (`settings`). Invariant: `KNOWN` has every key
//! that `file` reads, in the order in which settings are listed.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Every key, `[]` standing for the entries of a list.
pub(super) const KNOWN: &[&str] = &[
    "actor",
    "solo",
    "principals",
    "ids.tasks",
    "ids.approvals",
    "ids.style",
    "timezone",
    "worktrees",
    "durability",
    "lock_wait",
    "hand_edits",
    "leases.ttl",
    "leases.grace",
    "leases.max_doing_per_actor",
    "approvals.required",
    "approvals.expire_after",
    "evidence.path_style",
    "evidence.root",
    "auto_decide.commands",
    "auto_decide.commands[].run",
    "auto_decide.commands[].timeout",
    "auto_decide.max_lines",
    "auto_decide.max_files",
    "auto_decide.on_failure",
    "auto_decide.protected",
    "auto_decide.metrics",
    "auto_decide.metrics.file",
    "auto_decide.metrics.min",
    "auto_decide.canary",
    "auto_decide.canary.url",
    "auto_decide.canary.success_required",
    "auto_decide.canary.retry",
    "auto_decide.canary.max_wait",
    "watch.max_parallel",
    "watch.poll",
    "watch.grace",
    "watch.runners",
    "watch.runners[].name",
    "watch.runners[].match",
    "watch.runners[].match.owner",
    "watch.runners[].match.state",
    "watch.runners[].match.id",
    "watch.runners[].match.attr",
    "watch.runners[].run",
    "watch.runners[].actor",
    "watch.runners[].shell",
    "watch.runners[].timeout",
    "watch.runners[].grace",
    "watch.runners[].retries",
    "watch.runners[].retries.max",
    "watch.runners[].retries.backoff",
    "watch.runners[].retries.max_backoff",
    "watch.runners[].max_log",
    "watch.runners[].env",
    "watch.schedules",
    "watch.schedules[].name",
    "watch.schedules[].cron",
    "watch.schedules[].run",
    "watch.schedules[].catch_up",
    "watch.alerts.review_stale",
    "watch.alerts.approval_stale",
    "watch.alerts.ewma",
    "watch.alerts.disk",
    "watch.alerts.memory",
    "watch.alerts.load",
    "watch.notify",
    "watch.notify[].webhook",
    "watch.notify[].secret_env",
    "watch.notify[].command",
];

/// The way to a value: `watch.runners[0].name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// What stands behind the key.
    Value,
}

impl Path {
    pub(super) fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    /// The path of an ignored key. Steps through options and newtypes are left
    /// out: the file has no word for them.
    pub(super) fn of_ignored(path: &serde_ignored::Path<'_>) -> Self {
        use serde_ignored::Path as Ignored;
        match path {
            Ignored::Root => Self(Vec::new()),
            Ignored::Seq { parent, index } => Self::of_ignored(parent).index(*index),
            Ignored::Map { parent, key } => Self::of_ignored(parent).key(key),
            Ignored::Some { parent }
            | Ignored::NewtypeStruct { parent }
            | Ignored::NewtypeVariant { parent } => Self::of_ignored(parent),
        }
    }

    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    /// The value behind this key, where that is at fault and not the key.
    pub(super) fn value(&self) -> Self {
        self.step(Step::Value)
    }

    fn step(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// With `[]` for every index, as in `KNOWN`.
    fn pattern(&self) -> String {
        let steps = self.0.iter().map(|step| match step {
            Step::Key(key) => format!(".{key}"),
            Step::Index(_) => "[]".to_owned(),
            Step::Value => String::new(),
        });
        steps.collect::<String>().trim_start_matches('.').to_owned()
    }

    /// The known key that was probably meant: on the same level if one is close,
    /// else anywhere (`ttl` at the top is `leases.ttl`).
    pub(super) fn nearest(&self) -> Option<String> {
        let Some((Step::Key(leaf), parents)) = self.0.split_last() else { return None };
        let parent = Self(parents.to_vec());
        let prefix = match parent.pattern() {
            pattern if pattern.is_empty() => pattern,
            pattern => format!("{pattern}."),
        };
        let level = KNOWN
            .iter()
            .filter_map(|known| known.strip_prefix(prefix.as_str()))
            .filter_map(|rest| rest.split(['.', '[']).next());
        if let Some(near) = closest(leaf, level, 0.6) {
            return Some(parent.key(near).to_string());
        }
        let leaf_of = |known: &'static str| known.rsplit('.').next().unwrap_or(known);
        // Whole paths are not compared: long common beginnings make all of them alike.
        closest(leaf, KNOWN.iter().map(|known| leaf_of(known)), 0.9)
            .and_then(|near| KNOWN.iter().find(|known| leaf_of(known) == near))
            .map(|known| (*known).to_owned())
    }

    /// The 1-based line and column of the key (or value, or list entry) in the text,
    /// or `None` if it is not there.
    ///
    /// The YAML reader tells positions only in its errors. So the way is walked
    /// once more, with a reader that raises one on arrival; whatever the style
    /// of the text, the position is then the reader's own. Costs one parse.
    pub(super) fn locate(&self, text: &str) -> Option<(usize, usize)> {
        let error = Walk(&self.0).deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
        if !error.to_string().contains(ARRIVED) {
            return None;
        }
        error.location().map(|at| (at.line(), at.column()))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Value => {}
            }
        }
        Ok(())
    }
}

/// The word nearest to a misspelled one, if it is at least this similar (0 to 1).
pub(super) fn closest<'a>(
    text: &str,
    words: impl Iterator<Item = &'a str>,
    least: f64,
) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let text = plain(text);
    let mut best = None;
    for word in words {
        let score = strsim::jaro_winkler(&text, &plain(word));
        // The first of equals wins: the order of `KNOWN` is a person's order.
        if score >= best.map_or(least, |(best, _)| best)
            && best.is_none_or(|(best, _)| score > best)
        {
            best = Some((score, word));
        }
    }
    best.map(|(_, word)| word)
}

const ARRIVED: &str = "the searched key stands here";

/// Walks to a value and raises `ARRIVED` there.
struct Walk<'a>(&'a [Step]);

impl Walk<'_> {
    fn has_arrived(&self) -> bool {
        matches!(self.0, [] | [Step::Value])
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Also the answer for every other kind of value: if the way ends here
        // the position is right, else the walk must not claim it has arrived.
        f.write_str(if self.has_arrived() { ARRIVED } else { "the way to a key" })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom(if self.has_arrived() { ARRIVED } else { "no list" }));
        };
        while let Some(found) = map.next_key_seed(KeyIs { wanted, last: rest.is_empty() })? {
            if found {
                return map.next_value_seed(Walk(rest));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom("no such key"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom(if self.has_arrived() { ARRIVED } else { "no mapping" }));
        };
        for _ in 0..*wanted {
            seq.next_element::<IgnoredAny>()?;
        }
        seq.next_element_seed(Walk(rest))?;
        Err(A::Error::custom("no such entry"))
    }
}

/// Compares one key of a mapping; the last of a way is where the walk arrives.
struct KeyIs<'a> {
    wanted: &'a str,
    last: bool,
}

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        match key == self.wanted {
            true if self.last => Err(E::custom(ARRIVED)),
            same => Ok(same),
        }
    }
}
