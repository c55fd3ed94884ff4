//! Findings as SARIF 2.1.0, which code hosts and editors read.
//!
//! Source: OASIS, Static Analysis Results Interchange Format 2.1.0 (errata 01).
//! Here: one run with every rule and its results. Columns count code points, as
//! everywhere in this tool. Invariant: a path is a relative URI reference, so
//! that a report says nothing of the machine that made it.

use crate::wire::check::{CheckFinding, Explained};
use serde::Serialize;

/// Where the shape is written down.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The whole report.
#[derive(Debug, Serialize)]
pub struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<SarifResult>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    short_description: Text,
    full_description: Text,
    help: Text,
    default_configuration: Configuration,
}

#[derive(Debug, Serialize)]
struct Configuration {
    level: String,
}

#[derive(Debug, Serialize)]
struct Text {
    text: String,
}

impl Text {
    const fn of(text: String) -> Self {
        Self { text }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: String,
    message: Text,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
}

#[derive(Debug, Serialize)]
struct Suppression {
    kind: &'static str,
    justification: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_column: usize,
}

impl Log {
    /// One run of a version of the tool. `prefix` leads from the repository's top
    /// to where the findings' paths begin.
    pub fn of(version: &str, rules: Vec<Explained>, found: &[CheckFinding], prefix: &str) -> Self {
        let index = |code: &str| rules.iter().position(|rule| rule.code == code);
        let results = found
            .iter()
            .map(|finding| SarifResult {
                rule_id: finding.code.clone(),
                rule_index: index(&finding.code),
                level: finding.severity.clone(),
                message: Text::of(match &finding.help {
                    Some(help) => format!("{}\n{help}", finding.message),
                    None => finding.message.clone(),
                }),
                locations: [Location { physical_location: physical(finding, prefix) }],
                suppressions: finding
                    .accepted
                    .then_some(Suppression { kind: "external", justification: "accepted by CMD" })
                    .into_iter()
                    .collect(),
            })
            .collect();
        let rules = rules.into_iter().map(described).collect();
        let driver = Driver { name: "orch", semantic_version: version.to_owned(), rules };
        let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results };
        Self { schema: SCHEMA, version: "2.1.0", runs: [run] }
    }
}

fn described(rule: Explained) -> Rule {
    Rule {
        id: rule.code,
        short_description: Text::of(rule.says),
        full_description: Text::of(rule.why),
        help: Text::of(rule.mend),
        default_configuration: Configuration { level: rule.severity },
    }
}

fn physical(finding: &CheckFinding, prefix: &str) -> Physical {
    let region = finding.line.map(|line| {
        let start = finding.column.unwrap_or(1).max(1);
        Region {
            start_line: line,
            start_column: start,
            end_column: finding.end_column.unwrap_or(start).max(start),
        }
    });
    Physical { artifact_location: Artifact { uri: uri(prefix, &finding.file) }, region }
}

/// A path as a relative reference (RFC 3986): every byte that is not unreserved
/// is `%XX`, and a first part with a colon is no scheme.
fn uri(prefix: &str, path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    for byte in prefix.bytes().chain(path.bytes()) {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(file: &str) -> CheckFinding {
        CheckFinding {
            code: "bad-time".into(),
            severity: "error".into(),
            file: file.into(),
            line: Some(3),
            column: Some(5),
            end_column: Some(9),
            snippet: Some("| 1 |".into()),
            message: "no time".into(),
            help: Some("write UTC".into()),
            row: None,
            accepted: false,
        }
    }

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("", "ORCH/STATE/TASKS.md"), "ORCH/STATE/TASKS.md");
        assert_eq!(uri("sub dir/", "台帳.md"), "sub%20dir/%E5%8F%B0%E5%B8%B3.md");
        assert_eq!(uri("", "a:b%?.md"), "a%3Ab%25%3F.md");
    }

    #[test]
    fn a_result_names_rule_place_and_whether_it_was_accepted() {
        let rule = Explained {
            code: "bad-time".into(),
            severity: "error".into(),
            says: "a".into(),
            why: "b".into(),
            example: "c".into(),
            mend: "d".into(),
        };
        let accepted = CheckFinding { accepted: true, line: None, ..finding("T.md") };
        let log = Log::of("1.2.3", vec![rule], &[finding("T.md"), accepted], "sub/");
        let json = serde_json::to_value(&log).unwrap();
        let run = &json["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["help"]["text"], "d");
        let [first, second] = &run["results"].as_array().unwrap()[..] else { panic!("{run}") };
        assert_eq!(first["ruleIndex"], 0);
        assert_eq!(first["message"]["text"], "no time\nwrite UTC");
        let place = &first["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "sub/T.md");
        assert_eq!(place["region"]["endColumn"], 9);
        assert!(first.get("suppressions").is_none());
        assert_eq!(second["suppressions"][0]["kind"], "external");
        assert!(second["locations"][0]["physicalLocation"].get("region").is_none());
    }
}
