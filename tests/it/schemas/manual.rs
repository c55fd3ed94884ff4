//! The whole manual again, as JSON: each command of `tests/golden` is run with
//! `--json`, and what it prints is valid by the schema of its kind.

use super::{schemas, validator};
use crate::support::transcript;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Commands whose output is no answer of ours: scripts for a shell, a page, other
/// tools' formats, what a program prints that is run under a lock or by git.
const OTHERS: &[&str] = &["completions", "man", "export", "merge-driver", "run", "help"];

fn is_others(words: &[&str]) -> bool {
    words.iter().take(4).any(|word| OTHERS.contains(word))
        || words.iter().any(|w| matches!(*w, "--help" | "-h" | "--version" | "-V"))
        // Who asked for another form gets it.
        || words.iter().any(|word| word.starts_with("--format") || *word == "--hook-json")
}

/// Kinds that the manual cannot show: what they say differs from machine to machine.
/// `every_kind_of_answer_is_what_its_schema_says` has them.
const NOT_IN_THE_MANUAL: &[&str] = &[];

/// What is wrong with what a command printed; its kind where nothing is.
fn kind_of(schemas: &BTreeMap<String, Value>, out: &str) -> Result<String, String> {
    if out.lines().count() != 1 {
        return Err("this is not one object on one line".to_owned());
    }
    let value: Value = serde_json::from_str(out).map_err(|why| why.to_string())?;
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    let schema = schemas.get(&kind).ok_or_else(|| format!("no schema of `{kind}`"))?;
    let errors = validator::errors(schema, &value);
    if errors.is_empty() { Ok(kind) } else { Err(errors.join("\n")) }
}

#[test]
fn every_command_of_the_manual_answers_by_its_schema() {
    let schemas = schemas();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let (mut seen, mut wrong, mut answers) = (BTreeSet::new(), Vec::new(), 0);
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(path).unwrap();
        let heard = transcript::in_json(&text).unwrap_or_else(|why| panic!("{path:?}: {why}"));
        for ran in heard {
            let words: Vec<&str> = ran.command.split(' ').collect();
            // What stands in hooks says nothing where it is not wanted.
            if is_others(&words) || words.contains(&"prime") && ran.stdout.is_empty() {
                continue;
            }
            match kind_of(&schemas, &ran.stdout) {
                Ok(kind) => {
                    answers += 1;
                    seen.insert(kind);
                }
                Err(why) => wrong.push(format!(
                    "{}: orch {}: {why}\n{}{}",
                    path.file_name().unwrap_or_default().to_string_lossy(),
                    ran.command,
                    ran.stdout,
                    ran.stderr
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    let unseen: Vec<_> = schemas.keys().filter(|kind| !seen.contains(*kind)).collect();
    assert_eq!(unseen, NOT_IN_THE_MANUAL, "kinds that no page of the manual prints");
    assert!(answers > 500, "only {answers} answers");
    println!("{answers} answers of {} kinds", seen.len());
}

#[test]
fn an_answer_that_is_otherwise_is_noticed() {
    let schemas = schemas();
    for out in [
        "",
        "text\n",
        "{\"kind\":\"weather\"}\n",
        "{\"schema\":\"orch/1\",\"kind\":\"error\",\"error\":{\"code\":1}}\n",
        "{\"schema\":\"orch/1\",\"kind\":\"status\",\"data\":{},\"warnings\":[],\"next\":[]}\n",
        "{}\n{}\n",
    ] {
        assert!(kind_of(&schemas, out).is_err(), "{out}");
    }
}
