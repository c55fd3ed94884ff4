//! Whether a schema only grew: what a program that reads the old answers would miss.
//!
//! Members and kinds may be added, a member may always be there that was not, and one
//! that could be `null` may not be any more. All else takes something away.

use serde_json::Value;
use std::collections::BTreeSet;

/// What is missed, by its place.
pub fn missed(before: &Value, now: &Value) -> Vec<String> {
    let mut missed = Vec::new();
    compare(&Side { root: before, at: before }, &Side { root: now, at: now }, "$", 0, &mut missed);
    missed
}

/// A schema and the document that its references lead into.
struct Side<'s> {
    root: &'s Value,
    at: &'s Value,
}

impl<'s> Side<'s> {
    fn to(&self, at: &'s Value) -> Self {
        Side { root: self.root, at }
    }

    /// The alternatives: what `anyOf` and references lead to.
    fn alternatives(&self) -> Vec<&'s Value> {
        if let Some(reference) = self.at["$ref"].as_str() {
            let target = self.root.pointer(reference.trim_start_matches('#'));
            return self.to(target.expect("a reference leads somewhere")).alternatives();
        }
        match self.at["anyOf"].as_array() {
            Some(any) => any.iter().flat_map(|at| self.to(at).alternatives()).collect(),
            None => vec![self.at],
        }
    }
}

/// The names of types; every one where it does not say.
fn types(alternatives: &[&Value]) -> Option<BTreeSet<String>> {
    let mut types = BTreeSet::new();
    for at in alternatives {
        let name = |name: &Value| name.as_str().map(str::to_owned);
        match &at["type"] {
            Value::String(name) => drop(types.insert(name.clone())),
            Value::Array(names) => types.extend(names.iter().filter_map(name)),
            _ if at["const"].is_string() || at["enum"].is_array() => {
                types.insert("string".to_owned());
            }
            _ => return None,
        }
    }
    Some(types)
}

fn compare(before: &Side<'_>, now: &Side<'_>, place: &str, depth: usize, missed: &mut Vec<String>) {
    assert!(depth < 32, "{place}: a shape in a shape without end");
    let (old, new) = (before.alternatives(), now.alternatives());
    match (types(&old), types(&new)) {
        (None, _) => return,
        (Some(_), None) => return missed.push(format!("{place}: it may be of any type now")),
        (Some(old), Some(new)) => {
            let mut known = old.clone();
            // Every integer is a number.
            if known.contains("number") {
                known.insert("integer".to_owned());
            }
            let more: Vec<_> = new.difference(&known).cloned().collect();
            if !more.is_empty() {
                let old: Vec<_> = old.into_iter().collect();
                missed.push(format!(
                    "{place}: it was {} and may be {} now",
                    old.join(" or "),
                    more.join(" or ")
                ));
            }
        }
    }
    for word in old.iter().flat_map(|at| words(at)) {
        if !new.iter().flat_map(|at| words(at)).any(|other| other == word)
            && new.iter().any(|at| at["enum"].is_array() || !at["const"].is_null())
        {
            missed.push(format!("{place}: it never says {word} any more"));
        }
    }
    for at in &old {
        for (name, member) in at["properties"].as_object().into_iter().flatten() {
            let place = format!("{place}.{name}");
            let Some(other) = new.iter().find_map(|at| at["properties"].get(name)) else {
                missed.push(format!("{place}: the member is gone"));
                continue;
            };
            let is_required = |at: &&Value| list(&at["required"]).any(|r| r.as_str() == Some(name));
            if is_required(at) && !new.iter().any(is_required) {
                missed.push(format!("{place}: the member may be missing now"));
            }
            compare(&before.to(member), &now.to(other), &place, depth + 1, missed);
        }
        for (keyword, step) in [("items", "[]"), ("additionalProperties", ".*")] {
            let Some(inner) = at.get(keyword).filter(|inner| inner.is_object()) else { continue };
            let place = format!("{place}{step}");
            match new.iter().find_map(|at| at.get(keyword)) {
                Some(other) => {
                    compare(&before.to(inner), &now.to(other), &place, depth + 1, missed);
                }
                None => missed.push(format!("{place}: it is not said any more")),
            }
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The words that a value is one of.
fn words(at: &Value) -> Vec<&Value> {
    at.get("const").into_iter().chain(list(&at["enum"])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(member: Value) -> Value {
        json!({"type": "object", "required": ["a"], "properties": {"a": member}})
    }

    #[test]
    fn growth_is_no_loss() {
        let base = object(json!({"type": ["string", "null"]}));
        let mut more = base.clone();
        more["properties"]["b"] = json!({"type": "integer"});
        for (before, now) in [
            (base.clone(), more),
            (base, object(json!({"type": "string"}))),
            (object(json!({"enum": ["x"]})), object(json!({"enum": ["x", "y"]}))),
            (object(json!({"type": "number"})), object(json!({"type": "integer"}))),
            (
                object(json!({"type": "string"})),
                json!({"$ref": "#/$defs/A", "$defs": {"A": object(json!({"type": "string"}))}}),
            ),
            (object(json!(true)), object(json!({"type": "string"}))),
        ] {
            assert_eq!(missed(&before, &now), Vec::<String>::new(), "{before} {now}");
        }
    }

    #[test]
    fn every_loss_is_missed() {
        let string = object(json!({"type": "string"}));
        let optional = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let list = |item: &str| json!({"type": "array", "items": {"type": item}});
        let map = |item: &str| json!({"type": "object", "additionalProperties": {"type": item}});
        let one_of = |name: &str| {
            json!({
                "anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}],
                "$defs": {"A": {"type": "object", "properties": {name: {"type": "string"}}}}
            })
        };
        for (before, now, expected) in [
            (string.clone(), json!({"type": "object"}), "$.a: the member is gone"),
            (
                string.clone(),
                object(json!({"type": "integer"})),
                "$.a: it was string and may be integer now",
            ),
            (
                string.clone(),
                object(json!({"type": ["string", "null"]})),
                "$.a: it was string and may be null now",
            ),
            (string.clone(), optional, "$.a: the member may be missing now"),
            (string, object(json!(true)), "$.a: it may be of any type now"),
            (list("string"), list("object"), "$[]: it was string and may be object now"),
            (map("string"), map("null"), "$.*: it was string and may be null now"),
            (map("string"), json!({"type": "object"}), "$.*: it is not said any more"),
            (one_of("a"), one_of("b"), "$.a: the member is gone"),
            (
                json!({"enum": ["x", "y"]}),
                json!({"enum": ["y"]}),
                "$: it never says \"x\" any more",
            ),
            (json!({"const": "a"}), json!({"const": "b"}), "$: it never says \"a\" any more"),
        ] {
            assert_eq!(missed(&before, &now), [expected], "{before} {now}");
        }
    }
}
