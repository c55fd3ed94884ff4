//! Settings and flags that a hand edit must not loosen.
//!
//! Here: which settings these are, what loosening means, and what stays in
//! force. Not here: noticing the edit (`services::hand_edits`). Invariant: a
//! looser value counts only once CMD accepted it; a stricter one counts at once.
//!
//! The journal keeps the policy in force as `{"solo":"false",…}`, each value as
//! `orch config` prints it.

use crate::model::flags::{AutoDecide as AutoFlag, Flags};
use crate::services::config::{self, AutoDecide, HandEdits, OnFailure, Present, Settings};
use serde_json::{Map, Value};

/// The settings that count, by the beginning of their key.
const KEYS: [&str; 5] = ["solo", "principals", "hand_edits", "approvals.", "auto_decide."];

/// The policy as the journal keeps it.
pub fn spell(settings: &Settings, flags: Flags) -> Value {
    let mut object = Map::new();
    for entry in settings.entries(&Present::default()) {
        if KEYS.iter().any(|key| entry.key.starts_with(key)) && entry.value != "-" {
            object.insert(entry.key, Value::String(entry.value));
        }
    }
    object.insert("AUTO_DECIDE".into(), flags.auto_decide.as_str().into());
    object.insert("FREEZE".into(), if flags.freeze { "on" } else { "off" }.into());
    Value::Object(object)
}

/// Reads it back; what cannot be read is the default, which is strict.
pub fn read(value: &Value) -> (Settings, Flags) {
    let get = |key: &str| value.get(key).and_then(Value::as_str);
    let mut yaml = String::new();
    let mut section = "";
    for (key, text) in value.as_object().into_iter().flatten() {
        let Some(text) = text.as_str() else { continue };
        match key.split_once('.') {
            Some((outer, inner)) => {
                if outer != section {
                    yaml.push_str(&format!("{outer}:\n"));
                    section = outer;
                }
                yaml.push_str(&format!("  {inner}: {text}\n"));
            }
            None if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
                section = "";
                yaml.push_str(&format!("{key}: {text}\n"));
            }
            None => {}
        }
    }
    let settings = config::load(&yaml, "the journal").map(|l| l.settings).unwrap_or_default();
    let flags = Flags {
        auto_decide: get("AUTO_DECIDE").and_then(AutoFlag::parse).unwrap_or(AutoFlag::Off),
        freeze: get("FREEZE") == Some("on"),
    };
    (settings, flags)
}

/// What of the settings now is looser than before, and keeps the former value:
/// it is put back into `now`. Gives the names of those settings.
pub fn hold(before: &Settings, now: &mut Settings) -> Vec<&'static str> {
    let mut held = Vec::new();
    if now.solo && !before.solo {
        now.solo = false;
        held.push("solo");
    }
    if !same_or_more_people(before, now) {
        now.principals.clone_from(&before.principals);
        held.push("principals");
    }
    if before.hand_edits == HandEdits::Review && now.hand_edits == HandEdits::Trust {
        now.hand_edits = HandEdits::Review;
        held.push("hand_edits");
    }
    let covers = |glob: &String| now.approvals.required.contains(glob);
    let (was, is) = (before.approvals.expire_after, now.approvals.expire_after);
    let later = was.is_some_and(|was| is.is_none_or(|is| is > was));
    if !before.approvals.required.iter().all(covers) || later {
        now.approvals.clone_from(&before.approvals);
        held.push("approvals");
    }
    if !is_as_strict(&before.auto_decide, &now.auto_decide) {
        now.auto_decide.clone_from(&before.auto_decide);
        held.push("auto_decide");
    }
    held
}

/// The same for the flags.
pub fn hold_flags(before: Flags, now: &mut Flags) -> Vec<&'static str> {
    let mut held = Vec::new();
    if now.auto_decide > before.auto_decide {
        now.auto_decide = before.auto_decide;
        held.push("AUTO_DECIDE");
    }
    if before.freeze && !now.freeze {
        now.freeze = true;
        held.push("FREEZE");
    }
    held
}

/// Lets the written value of one of them count.
pub fn accept(name: &str, written: (&Settings, Flags), settings: &mut Settings, flags: &mut Flags) {
    let (file, flag) = written;
    match name {
        "solo" => settings.solo = file.solo,
        "principals" => settings.principals.clone_from(&file.principals),
        "hand_edits" => settings.hand_edits = file.hand_edits,
        "approvals" => settings.approvals.clone_from(&file.approvals),
        "auto_decide" => settings.auto_decide.clone_from(&file.auto_decide),
        "AUTO_DECIDE" => flags.auto_decide = flag.auto_decide,
        "FREEZE" => flags.freeze = flag.freeze,
        _ => {}
    }
}

/// Whether everybody who was one person with somebody still is.
fn same_or_more_people(before: &Settings, now: &Settings) -> bool {
    let lower = |name: &String| name.to_lowercase();
    before.principals.values().all(|names| {
        names.len() < 2
            || now.principals.values().any(|there| {
                let there: Vec<_> = there.iter().map(lower).collect();
                names.iter().all(|name| there.contains(&lower(name)))
            })
    })
}

/// Whether nothing is decided automatically that was not before. More commands,
/// more protected paths and lower limits are stricter; anything else that
/// differs counts as looser.
fn is_as_strict(before: &AutoDecide, now: &AutoDecide) -> bool {
    if now == before || now.commands.is_empty() {
        // Without commands everything is left to people.
        return true;
    }
    !before.commands.is_empty()
        && before.commands.iter().all(|command| now.commands.contains(command))
        && now.max_lines <= before.max_lines
        && now.max_files <= before.max_files
        && before.protected.iter().all(|glob| now.protected.contains(glob))
        && (before.metrics == now.metrics || before.metrics.is_none())
        && (before.canary == now.canary || before.canary.is_none())
        && (before.on_failure == now.on_failure || now.on_failure == OnFailure::Reject)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(yaml: &str) -> Settings {
        config::load(yaml, "orch.yaml").unwrap().settings
    }

    #[test]
    fn a_policy_reads_back() {
        let settings = settings(
            "solo: true\nprincipals: {ada: [ada, ada-laptop]}\nhand_edits: review\n\
             approvals: {required: [\"deploy-*\"], expire_after: 14d}\n\
             auto_decide: {commands: [{run: [cargo, \"a b\"], timeout: 10m}], max_lines: 7}\n",
        );
        let flags = Flags { auto_decide: AutoFlag::Shadow, freeze: true };
        let (back, back_flags) = read(&spell(&settings, flags));
        assert_eq!(back, settings);
        assert_eq!(back_flags, flags);
        assert_eq!(read(&Value::Null), (Settings::default(), Flags::OFF));
    }

    #[test]
    fn looser_values_are_held_and_stricter_ones_are_not() {
        let strict = "principals: {a: [a, b]}\nhand_edits: review\n\
                      approvals: {required: [\"d-*\"], expire_after: 1d}\n\
                      auto_decide: {commands: [{run: [x]}], protected: [p]}\n";
        let loose = [
            ("solo: true\n", "solo"),
            ("principals: {a: [a], b: [b]}\n", "principals"),
            ("hand_edits: trust\n", "hand_edits"),
            ("approvals: {required: [], expire_after: 1d}\n", "approvals"),
            ("approvals: {required: [\"d-*\"]}\n", "approvals"),
            ("auto_decide: {commands: [{run: [y]}], protected: [p]}\n", "auto_decide"),
            ("auto_decide: {commands: [{run: [x]}]}\n", "auto_decide"),
        ];
        for (change, name) in loose {
            let key = change.split(':').next().unwrap();
            let kept = strict.split_inclusive('\n').filter(|line| !line.starts_with(key));
            let text = kept.collect::<String>() + change;
            let (before, mut now) = (settings(strict), settings(&text));
            assert_eq!(hold(&before, &mut now), [name], "{change}");
            assert_eq!(now, before, "{change}");
            if change.contains("run: [y]") {
                // Another command is looser either way.
                continue;
            }
            let mut stricter = settings(strict);
            assert_eq!(hold(&settings(&text), &mut stricter), Vec::<&str>::new(), "{change}");
        }
    }

    #[test]
    fn what_is_accepted_counts_and_nothing_else() {
        let before = settings("hand_edits: review\napprovals: {required: [\"d-*\"]}\n");
        let written = settings("solo: true\nprincipals: {a: [a, b]}\n");
        let frozen = Flags { auto_decide: AutoFlag::Off, freeze: true };
        let (mut now, mut flags) =
            (written.clone(), Flags { auto_decide: AutoFlag::On, freeze: false });
        let mut held = hold(&before, &mut now);
        held.extend(hold_flags(frozen, &mut flags));
        assert_eq!(held, ["solo", "hand_edits", "approvals", "AUTO_DECIDE", "FREEZE"]);
        let loose = Flags { auto_decide: AutoFlag::On, freeze: false };
        for (n, name) in held.iter().enumerate() {
            accept(name, (&written, loose), &mut now, &mut flags);
            let mut settings = now.clone();
            let mut again = hold(&before, &mut settings);
            again.extend(hold_flags(frozen, &mut flags.clone()));
            assert_eq!(again, held[..=n], "each is loose once it is accepted");
        }
        assert_eq!((now, flags), (written, loose));
    }

    #[test]
    fn flags_are_held_on_the_safe_side() {
        let on = Flags { auto_decide: AutoFlag::On, freeze: false };
        let mut now = on;
        let frozen = Flags { auto_decide: AutoFlag::Off, freeze: true };
        assert_eq!(hold_flags(frozen, &mut now), ["AUTO_DECIDE", "FREEZE"]);
        assert_eq!(now, frozen);
        let mut now = frozen;
        assert_eq!(hold_flags(on, &mut now), Vec::<&str>::new());
    }
}
