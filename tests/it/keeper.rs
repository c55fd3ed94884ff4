//! Keepers of real commands: what they end, and what is known of it afterwards.
//!
//! Each test starts the binary as a watch would, as a process of its own, and
//! speaks to it by files and signals. When a command is to end is tested without
//! processes beside the code (`watch::keeper`). Linux only, as the keeper's hold
//! of what leaves its group is.
#![cfg(target_os = "linux")]

mod ends;
mod output;
mod place;

use crate::support::Workspace;

#[test]
fn nobody_is_told_of_the_hidden_verb() {
    let ws = Workspace::new();
    for line in ["--help", "help", "man", "completions bash", "completions zsh", "schema"] {
        let ran = ws.run(line);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        // Not as a part of a word: `orch lock run` is nobody's secret.
        let mut words = said.split(|c: char| !c.is_alphanumeric() && c != '_');
        assert!(!said.is_empty() && words.all(|word| word != "__run"), "{line}");
    }
}
