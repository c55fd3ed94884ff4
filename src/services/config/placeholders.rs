//! `{{id}}` and the like in the arguments of commands.
//!
//! Not here: what they stand for (`watch`). Invariant: what a task or an alert
//! says becomes an argument as it is. It never names the program, is never read
//! by a shell, and is not looked through for placeholders of its own.

use super::automation::Runner;
use super::keys::{Path, closest};
use super::resolve::Fault;

/// What a runner's command may hold.
pub const OF_A_RUN: [&str; 4] = ["id", "title", "prompt", "artifact"];
/// What a command of `notify` may hold.
pub const OF_AN_ALERT: [&str; 6] = ["ts", "kind", "severity", "key", "summary", "state"];

/// A command with the values in their places; names without one stay as they
/// are.
pub fn fill(argv: &[String], value: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let word = |word: &String| {
        pieces(word)
            .map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Name(name) => value(name).unwrap_or_else(|| format!("{{{{{name}}}}}")),
            })
            .collect()
    };
    argv.iter().map(word).collect()
}

impl Runner {
    /// What is started, with the values in their places. With `shell` the first
    /// word is a script that `sh` reads, and the others are its `$1`, `$2`, ….
    pub fn argv(&self, value: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let words = fill(&self.run, value);
        let (true, Some((script, arguments))) = (self.shell, words.split_first()) else {
            return words;
        };
        let shell = ["sh", "-c", script, &self.name].map(str::to_owned);
        shell.into_iter().chain(arguments.iter().cloned()).collect()
    }
}

/// What is wrong with the placeholders of a runner.
pub(super) fn check_run(run: &[String], shell: bool, path: &Path) -> Result<(), Fault> {
    check(run, &OF_A_RUN, path, |name| {
        if shell {
            format!(
                "a shell would read what `{{{{{name}}}}}` stands for: make it the next word of the list, and write \"$1\" in the script"
            )
        } else {
            not_the_program(name)
        }
    })
}

/// What is wrong with the placeholders of a command of `notify`.
pub(super) fn check_alert(command: &[String], path: &Path) -> Result<(), Fault> {
    check(command, &OF_AN_ALERT, path, not_the_program)
}

fn not_the_program(name: &str) -> String {
    format!("`{{{{{name}}}}}` cannot name the program to run")
}

fn check(
    argv: &[String],
    known: &[&str],
    path: &Path,
    in_program: impl Fn(&str) -> String,
) -> Result<(), Fault> {
    for (index, word) in argv.iter().enumerate() {
        for name in names(word) {
            let message = if !known.contains(&name) {
                unknown(name, known)
            } else if index == 0 {
                in_program(name)
            } else {
                continue;
            };
            return Err(Fault { path: path.index(index), message });
        }
    }
    Ok(())
}

fn unknown(name: &str, known: &[&str]) -> String {
    let spell = |name: &str| format!("`{{{{{name}}}}}`");
    let written = spell(name);
    if let Some(near) = closest(name.trim(), known.iter().copied(), 0.7) {
        return format!("{written} stands for nothing; did you mean {}?", spell(near));
    }
    let all: Vec<_> = known.iter().map(|name| spell(name)).collect();
    format!("{written} stands for nothing; there are {}", all.join(", "))
}

fn names(word: &str) -> impl Iterator<Item = &str> {
    pieces(word).filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) => None,
    })
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// A word in pieces. Braces that nobody closes are text.
fn pieces(word: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = word;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let inside = rest.strip_prefix("{{").and_then(|inside| inside.split_once("}}"));
        if let Some((name, after)) = inside {
            rest = after;
            return Some(Piece::Name(name));
        }
        // The braces themselves, where nobody closes them, and what follows.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..].find("{{").map_or(rest.len(), |at| at + first);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(word: &str) -> String {
        let value = |name: &str| match name {
            "id" => Some("7".to_owned()),
            "title" => Some("$(touch x) {{id}} `y`".to_owned()),
            _ => None,
        };
        fill(&[word.to_owned()], value).concat()
    }

    #[test]
    fn values_go_in_once_and_as_they_are() {
        for (word, result) in [
            ("", ""),
            ("plain", "plain"),
            ("{{id}}", "7"),
            ("a{{id}}b{{id}}", "a7b7"),
            ("{{title}}", "$(touch x) {{id}} `y`"),
            ("{\"n\":{{id}}}", "{\"n\":7}"),
            ("{{other}} {{ id }}", "{{other}} {{ id }}"),
            ("{{id", "{{id"),
            ("{{{id}}}", "{{{id}}}"),
            ("日{{id}}本", "日7本"),
            ("{ {{id}} } }}", "{ 7 } }}"),
        ] {
            assert_eq!(filled(word), result);
        }
    }

    #[test]
    fn a_script_gets_values_as_arguments_only() {
        let text =
            "watch: {runners: [{name: a, shell: true, run: ['echo \"$1\"', 't={{title}}']}]}";
        let settings = super::super::load(text, "orch.yaml").unwrap().settings;
        let argv = settings.watch.runners[0].argv(|_| Some("$(touch x)".to_owned()));
        assert_eq!(argv, ["sh", "-c", "echo \"$1\"", "a", "t=$(touch x)"]);
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_the_word(word in "[{}a日 ]{0,12}") {
            let whole: String = pieces(&word).map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Name(name) => format!("{{{{{name}}}}}"),
            }).collect();
            proptest::prop_assert_eq!(whole, word);
        }
    }
}
