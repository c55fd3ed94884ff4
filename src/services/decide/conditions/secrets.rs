//! Keys and passwords that a diff would bring in.

use super::{Measured, count};
use crate::ledger::git_diff::FileDiff;
use crate::model::secrets;

/// The condition's name.
pub const NAME: &str = "secrets";

/// Looks for them in the lines that come and in the names of files. The reason
/// says where one is, and never what.
pub fn measure(files: &[FileDiff]) -> Measured {
    let found: Vec<String> = files.iter().flat_map(in_file).collect();
    let measured = count(found.len() as u64, "secret");
    Measured::unless(NAME, measured, "0 secrets", &found)
}

fn in_file(file: &FileDiff) -> Vec<String> {
    let mut found = Vec::new();
    for path in file.paths() {
        for secret in secrets::find(path) {
            let path = secrets::redact(path);
            found.push(format!("the name `{path}` has a secret in it ({})", secret.kind));
        }
    }
    // As one text: a key may go over many lines.
    let (mut text, mut starts) = (String::new(), Vec::new());
    for (number, line) in file.added_lines() {
        starts.push((text.len(), number));
        text.push_str(&line.text);
        text.push('\n');
    }
    let path = secrets::redact(file.paths().last().unwrap_or_default());
    for secret in secrets::find(&text) {
        let line = starts.partition_point(|(start, _)| *start <= secret.range.start);
        let number = line.checked_sub(1).map_or(0, |line| starts[line].1);
        found.push(format!("`{path}` would get a secret in line {number} ({})", secret.kind));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::git_diff::parse;
    use crate::services::decide::conditions::Holds;

    fn of(lines: &str) -> Measured {
        let added = lines.lines().filter(|line| !line.starts_with('-')).count();
        let removed = lines.lines().filter(|line| !line.starts_with('+')).count();
        let head = "diff --git a/x b/x\n--- a/x\n+++ b/x\n";
        measure(&parse(&format!("{head}@@ -7,{removed} +7,{added} @@\n{lines}")).unwrap())
    }

    #[test]
    fn only_what_comes_counts_and_only_its_place_is_told() {
        let token = format!("{}_{}", "ghp", "a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8");
        let found = of(&format!(" a\n+b\n+x = '{token}'\n"));
        assert_eq!(found.holds, Holds::Breach);
        assert_eq!(
            found.reason.as_deref(),
            Some("`x` would get a secret in line 9 (github-token)")
        );
        assert_eq!(of(&format!(" {token}\n-{token}\n+b\n")).holds, Holds::Yes);
        let two = of(&format!("+{token}\n a\n+{token}\n"));
        assert_eq!(two.measured, "2 secrets");
        assert!(two.reason.is_some_and(|r| r.ends_with("line 7 (github-token) (and 1 more)")));
    }

    #[test]
    fn a_key_over_many_lines_and_a_name_are_found() {
        let (line, mark) =
            ("+aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7bC9dE1f\n", "PRIVATE KEY-----");
        let key = format!("+-----BEGIN {mark}\n{line}{line}+-----END {mark}\n");
        assert!(of(&key).reason.is_some_and(|r| r.contains("line 7 (private-key)")));
        let token = format!("{}_{}", "ghp", "a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8");
        let diff = format!("diff --git a/{token} b/{token}\nold mode 100644\nnew mode 100755\n");
        let reason = measure(&parse(&diff).unwrap()).reason.unwrap();
        assert_eq!(reason, "the name `[REDACTED github-token]` has a secret in it (github-token)");
    }
}
