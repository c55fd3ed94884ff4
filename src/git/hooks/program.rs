//! How git and its hooks start this program.
//!
//! Here: the word that they use, its spelling in a shell, whether such a program
//! is there. Not here: what they start it for (`script`, `mod`). Invariant: a
//! program is never looked for in the folder that git happens to stand in.

use crate::error::{Error, ErrorKind, Result};
use crate::sys::{FileKind, Sys};
use std::path::{Path, PathBuf};

/// The word on `$PATH`.
const NAME: &str = "orch";

/// `orch` where that is this very program, so that an update is followed; else
/// its own path.
///
/// # Errors
/// `failed` where the system does not say, or the path cannot be written in a
/// script.
pub fn own(sys: &Sys) -> Result<String> {
    let failed = |why: String| Error::new(ErrorKind::Failed, why).hint("orch --version");
    let program = sys.env.program();
    let program = program.map_err(|e| failed(format!("cannot tell which program this is: {e}")))?;
    let ours = sys.fs.stat(&program).ok();
    let on_path = on_path(sys, NAME).and_then(|path| sys.fs.stat(&path).ok());
    if ours.zip(on_path).is_some_and(|(ours, other)| ours.is_same_file(&other)) {
        return Ok(NAME.to_owned());
    }
    match program.to_str() {
        Some(text) if !text.contains(['\n', '\r']) => Ok(text.to_owned()),
        _ => Err(failed(format!(
            "`{}` cannot be written into a script: its name is no plain text",
            program.display()
        ))),
    }
}

/// The first program of this name along `$PATH`, of whose folders only absolute
/// ones count.
fn on_path(sys: &Sys, name: &str) -> Option<PathBuf> {
    let path = sys.env.var("PATH")?;
    let folders = path.split(':').filter(|folder| folder.starts_with('/'));
    folders.map(|folder| Path::new(folder).join(name)).find(|file| can_run(sys, file))
}

fn can_run(sys: &Sys, path: &Path) -> bool {
    let stat = sys.fs.stat(path);
    stat.is_ok_and(|stat| stat.kind == FileKind::File && stat.mode & 0o111 != 0)
}

/// Whether a word still starts a program.
pub fn is_there(sys: &Sys, word: &str) -> bool {
    if word.contains('/') { can_run(sys, Path::new(word)) } else { on_path(sys, word).is_some() }
}

/// The word as a shell reads it back.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The first word of what [`quoted`] began.
pub fn first_word(command: &str) -> String {
    let mut word = String::new();
    let mut rest = command.trim_start();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            ' ' | '\t' | '\n' | ';' => break,
            '\\' => {
                let escaped = rest.chars().next();
                word.extend(escaped);
                rest = &rest[escaped.map_or(0, char::len_utf8)..];
            }
            '\'' | '"' => {
                let end = rest.find(c).unwrap_or(rest.len());
                word.push_str(&rest[..end]);
                rest = rest.get(end + 1..).unwrap_or_default();
            }
            c => word.push(c),
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::sim::Sim;

    #[test]
    fn a_quoted_word_is_read_back() {
        for word in ["orch", "/a b/orch", "/it's/orch", "/a\\b", "/'", "/日本/orch", "/$HOME/`x`"]
        {
            assert_eq!(first_word(&format!("{} merge-driver %O", quoted(word))), word);
            assert_eq!(first_word(&quoted(word)), word);
        }
        assert_eq!(quoted("orch"), "orch");
        assert_eq!(quoted("/it's"), r"'/it'\''s'");
    }

    #[test]
    fn what_is_not_on_the_path_is_named_by_its_place() {
        let sim = Sim::new("/");
        assert_eq!(own(&sim.sys()).unwrap(), "/opt/orch/bin/orch");
        assert!(!is_there(&sim.sys(), "orch") && !is_there(&sim.sys(), "/no/such/orch"));
    }
}
