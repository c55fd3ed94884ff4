//! The shapes that readers of `orch/1` rely on, kept in `tests/golden/schemas`.
//!
//! One file a shape, with the kinds that have it: a member more or less shows in
//! review. `ORCH_UPDATE=1` writes them, but never one that takes something away
//! from readers: that needs a line in `BREAKING`, and `orch/2`.

use super::grown;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// What a release may take away all the same, as `<shape>: <place>`, with the reason.
/// Emptied at each release.
const BREAKING: &[(&str, &str)] = &[];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/schemas")
}

/// The shapes by name: what stands in `data`, its definitions, and the kinds.
fn current() -> BTreeMap<String, Value> {
    let mut shapes: BTreeMap<String, Value> = BTreeMap::new();
    for (kind, mut whole) in super::schemas() {
        let member = if kind == "error" { "error" } else { "data" };
        let defs = whole["$defs"].take();
        let mut data = whole["properties"][member].take();
        let name = data["title"].as_str().unwrap_or(&kind).to_owned();
        data["$defs"] = defs;
        let shape = shapes.entry(name).or_insert_with(|| json!({"kinds": [], "schema": data}));
        assert_eq!(shape["schema"], data, "two shapes of one name: {kind}");
        shape["kinds"].as_array_mut().unwrap().push(Value::from(kind.clone()));
        // What is around it is one shape for all, but for errors.
        whole["title"].take();
        whole["properties"]["kind"].take();
        let around = if kind == "error" { "envelope of errors" } else { "envelope" };
        let envelope = json!({"schema": whole});
        let kept = shapes.entry(around.to_owned()).or_insert_with(|| envelope.clone());
        assert_eq!(*kept, envelope, "{kind} has an envelope of its own");
    }
    shapes
}

fn kept() -> BTreeMap<String, String> {
    let files = fs::read_dir(folder()).into_iter().flatten().flatten();
    files
        .map(|file| {
            let name = file.path().file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(file.path()).unwrap())
        })
        .collect()
}

fn printed(shape: &Value) -> String {
    format!("{shape:#}\n")
}

/// What readers of the kept shapes would miss, as `<shape>: <place>: <what>`.
fn missed(kept: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> Vec<String> {
    // A shape may get another name; its kinds may not.
    let of_kind = |shapes: &BTreeMap<String, Value>| -> Map<String, Value> {
        let mut kinds = Map::new();
        for (name, shape) in shapes {
            let names = shape["kinds"].as_array().map_or_else(|| vec![json!(name)], Clone::clone);
            for kind in names {
                kinds.insert(kind.as_str().unwrap().to_owned(), shape["schema"].clone());
            }
        }
        kinds
    };
    let (before, now) = (of_kind(kept), of_kind(now));
    let mut missed = BTreeSet::new();
    for (kind, schema) in &before {
        match now.get(kind) {
            None => drop(missed.insert(format!("{kind}: the kind is gone"))),
            Some(now) => missed.extend(
                grown::missed(schema, now).into_iter().map(|what| format!("{kind}: {what}")),
            ),
        }
    }
    missed.retain(|what| !BREAKING.iter().any(|(place, _)| what.starts_with(place)));
    missed.into_iter().collect()
}

#[test]
fn shapes_are_as_they_are_kept_and_nothing_goes_away() {
    let (kept, now) = (kept(), current());
    let before: BTreeMap<String, Value> = kept
        .iter()
        .map(|(name, text)| (name.clone(), serde_json::from_str(text).unwrap()))
        .collect();
    let missed = missed(&before, &now);
    assert!(
        missed.is_empty(),
        "`orch/1` never takes away what readers know (ORCH/docs/FORMAT.md):\n{}",
        missed.join("\n")
    );
    let printed: BTreeMap<String, String> =
        now.iter().map(|(name, shape)| (name.clone(), printed(shape))).collect();
    if printed == kept {
        return;
    }
    let different = |name: &&String| kept.get(*name) != printed.get(*name);
    let names: BTreeSet<&String> = kept.keys().chain(printed.keys()).filter(different).collect();
    if std::env::var_os("ORCH_UPDATE").is_none() {
        let first = names.first().expect("something differs");
        let (a, b) = (kept.get(*first), printed.get(*first));
        let diff =
            orch::ledger::unified::unified(first, a.map(String::as_str), b.map(String::as_str));
        panic!("shapes differ: {names:?}; `ORCH_UPDATE=1 cargo test` takes them over\n{diff}");
    }
    fs::create_dir_all(folder()).unwrap();
    for name in names {
        let path = folder().join(format!("{name}.json"));
        match printed.get(name) {
            Some(text) => fs::write(path, text).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
    }
}

#[test]
fn a_kind_that_goes_or_changes_is_missed() {
    let now = current();
    assert_eq!(missed(&now, &now), Vec::<String>::new());
    let mut without = now.clone();
    without.get_mut("Status").unwrap()["schema"]["properties"]
        .as_object_mut()
        .unwrap()
        .shift_remove("root");
    assert_eq!(missed(&now, &without), ["status: $.root: the member is gone"]);
    assert_eq!(missed(&without, &now), Vec::<String>::new(), "a new member is no loss");
    let mut renamed = now.clone();
    let shape = renamed.remove("Status").unwrap();
    renamed.insert("State".to_owned(), shape.clone());
    assert_eq!(missed(&now, &renamed), Vec::<String>::new(), "the shape's name is ours");
    renamed.remove("State");
    assert_eq!(missed(&now, &renamed), ["status: the kind is gone"]);
}
