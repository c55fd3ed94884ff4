//! The settings files that `init` writes.

use super::loaded;
use crate::services::config::{Approvals, Present, Settings};

const EN: &str = include_str!("../../../../templates/en/orch.yaml");
const JA: &str = include_str!("../../../../templates/ja/orch.yaml");
const SOLO: [&str; 2] = [
    include_str!("../../../../templates/en/solo.yaml"),
    include_str!("../../../../templates/ja/solo.yaml"),
];

/// The file with every setting that is commented out put in force.
fn uncommented(text: &str) -> String {
    let is_setting = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ");
        line.split_once(':').is_some_and(|(key, _)| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        })
    };
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(setting) if is_setting(setting) => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn as_written_they_change_nothing() {
    for text in [EN, JA] {
        let found = loaded(text);
        assert_eq!(found.unknown, []);
        assert_eq!(found.settings, Settings::default());
    }
    for (solo, text) in SOLO.iter().zip([EN, JA]) {
        let found = loaded(&format!("{solo}{text}"));
        assert_eq!(found.unknown, []);
        assert_eq!(found.settings, Settings { solo: true, ..Settings::default() });
    }
}

#[test]
fn uncommented_they_name_every_key_with_its_default() {
    let [en, ja] = [EN, JA].map(|text| loaded(&uncommented(text)));
    assert_eq!(en.settings, ja.settings);
    let default = Settings::default().entries(&Present::default());
    for found in [en, ja] {
        assert_eq!(found.unknown, []);
        let present = found.present();
        for (entry, default) in found.settings.entries(&present).iter().zip(&default) {
            let given = present.lines.contains_key(&entry.key);
            assert!(given || entry.key == "solo", "{} is missing", entry.key);
            let unset = ["-", "[]", "{}"].contains(&default.value.as_str());
            assert!(unset || entry.value == default.value, "{}", entry.key);
        }
        assert_eq!(found.settings.approvals, Approvals::default());
    }
}
