//! Which `{{…}}` may stand in commands.
//!
//! Not here: what they stand for, and putting it in (`watch`). Invariant: what a
//! task or an alert says is at most an argument. It never names the program.

use super::keys::{Path, closest};
use super::resolve::Fault;

/// What a runner's command may hold.
pub const OF_A_RUN: [&str; 4] = ["id", "title", "prompt", "artifact"];
/// What a command of `notify` may hold.
pub const OF_AN_ALERT: [&str; 6] = ["ts", "kind", "severity", "key", "summary", "state"];

/// Looks at a command, which stands at a path of orch.yaml. With `has_program`
/// its first word is what is started, else a script.
pub(super) fn check(
    argv: &[String],
    known: &[&str],
    has_program: bool,
    path: &Path,
) -> Result<(), Fault> {
    for (index, word) in argv.iter().enumerate() {
        let fault = |message| Fault { path: path.index(index), message };
        for name in names(word, known) {
            if !known.contains(&name.trim()) {
                return Err(fault(unknown(name, known)));
            }
            if has_program && index == 0 {
                return Err(fault(format!("{} cannot name the program to run", spell(name))));
            }
        }
    }
    Ok(())
}

fn unknown(name: &str, known: &[&str]) -> String {
    let written = spell(name);
    if let Some(near) = closest(name.trim(), known.iter().copied(), 0.7) {
        return format!("{written} stands for nothing; did you mean {}?", spell(near));
    }
    let all: Vec<_> = known.iter().map(|name| spell(name)).collect();
    format!("{written} stands for nothing; there are {}", all.join(", "))
}

fn spell(name: &str) -> String {
    format!("`{{{{{name}}}}}`")
}

/// What stands between two pairs of braces. Braces that nobody closes are text,
/// and so is a pair right before a placeholder.
fn names<'w>(word: &'w str, known: &[&str]) -> Vec<&'w str> {
    let mut names = Vec::new();
    let mut rest = word;
    while let Some((_, inside)) = rest.split_once("{{") {
        rest = inside;
        let Some((name, after)) = inside.split_once("}}") else { break };
        if known.contains(&name.trim()) {
            rest = after;
        } else if name.contains("{{") {
            continue;
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found_wherever_they_stand() {
        for (word, found) in [
            ("", vec![]),
            ("a{{id}}b{{ title }}", vec!["id", " title "]),
            ("{\"n\":{\"m\":{{id}}}}", vec!["id"]),
            ("{{{{id}}}}", vec!["id"]),
            ("{{{id}}}", vec!["{id"]),
            ("{{a {{id}} b}}", vec!["id"]),
            ("{{id", vec![]),
            ("}}{{", vec![]),
            ("{{}}日{{本}}", vec!["", "本"]),
        ] {
            assert_eq!(names(word, &OF_A_RUN), found, "{word}");
        }
    }
}
