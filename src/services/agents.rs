//! The section for agents in `AGENTS.md` and `CLAUDE.md`.
//!
//! Here: finding it between its markers, and the texts with and without it. Not
//! here: a new workspace (`services::init`). Invariant: every byte outside the
//! markers stays, and where a file cannot be understood no file is written.

use crate::error::{Error, Result};
use crate::ledger::unified::unified;
use crate::services::init::{Lang, Made};
use crate::store::discover::repository_root;
use crate::store::layout::Layout;
use crate::store::prepare::diff_name;
use crate::store::replace::{Durability, Staged, Target, publish, resolve};
use crate::sys::Sys;
use std::ops::Range;

const BEGIN: &str = "<!-- orch:begin -->";
const END: &str = "<!-- orch:end -->";

/// The most bytes that such a file may have.
const LARGEST: u64 = 4 << 20;

/// What is to be written, looked at before anything is.
#[derive(Debug, Default)]
pub struct Plan {
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    target: Target,
    before: Option<String>,
    after: String,
}

/// The files that name the section: `CLAUDE.md` only where it is there, and not
/// where it is a link to `AGENTS.md` or takes it in.
///
/// # Errors
/// `ledger_invalid` with the place, where a file cannot be understood or leads
/// out of the workspace.
pub fn plan(sys: &Sys, layout: &Layout, lang: Option<Lang>, locale: Lang) -> Result<Plan> {
    let mut plan = Plan::default();
    for name in ["AGENTS.md", "CLAUDE.md"] {
        let path = layout.root.join(name);
        let target = if sys.fs.stat(&layout.root).is_ok() {
            resolve(sys, layout, &path).map_err(hinted)?
        } else {
            // A workspace in a folder that is yet to be made.
            Target { path, stat: None, name: name.to_owned() }
        };
        let is_new = target.stat.is_none();
        let twice = plan.files.iter().any(|file| file.target.path == target.path);
        if twice || is_new && name == "CLAUDE.md" {
            continue;
        }
        let before = if is_new { None } else { Some(read(sys, &target)?) };
        let text = before.as_deref().unwrap_or_default();
        if name == "CLAUDE.md" && text.lines().any(takes_in_the_other) {
            continue;
        }
        let place = find(text, name)?;
        let lang = lang.or_else(|| place.clone().map(|at| language(&text[at]))).unwrap_or(locale);
        let after = with_section(text, place, lang);
        plan.files.push(File { target, before, after });
    }
    Ok(plan)
}

impl Plan {
    /// Writes what is not as it should be yet. A dry run only gives the diff.
    ///
    /// # Errors
    /// `busy` where a file is changed meanwhile, `failed` where it cannot be
    /// written.
    pub fn carry_out(self, sys: &Sys, layout: &Layout, dry_run: bool) -> Result<Made> {
        let mut made = Made { files: Vec::new(), diff: String::new() };
        let top = repository_root(sys, layout);
        let mut staged = Vec::new();
        for file in self.files.iter().filter(|file| file.before.as_ref() != Some(&file.after)) {
            made.files.push(file.target.name.clone());
            let name = diff_name(&top, &file.target.path);
            made.diff.push_str(&unified(&name, file.before.as_deref(), Some(&file.after)));
            if !dry_run {
                let (stat, bytes) = (file.target.stat.as_ref(), file.after.as_bytes());
                staged.push(Staged::prepare(sys, &file.target, stat, bytes, Durability::Full)?);
            }
        }
        if !staged.is_empty() {
            publish(staged)?;
        }
        Ok(made)
    }
}

/// The section, with `\n` at each line's end.
pub fn section(lang: Lang) -> &'static str {
    match lang {
        Lang::En => include_str!("../../templates/en/agents.md"),
        Lang::Ja => include_str!("../../templates/ja/agents.md"),
    }
}

/// What is wrong with the file is mended by hand; the command then shows whether it
/// is enough.
fn hinted(mut error: Error) -> Error {
    error.message.push_str("; nothing was written: mend the file by hand, then look again");
    error.hint("orch init --agents --dry-run")
}

fn read(sys: &Sys, target: &Target) -> Result<String> {
    if target.stat.as_ref().is_some_and(|stat| stat.len > LARGEST) {
        let message = format!("`{}` is too large for a file that agents read", target.name);
        return Err(hinted(Error::invalid(message)));
    }
    let bytes = sys.fs.read(&target.path).map_err(|e| Error::io("read", &target.path, &e))?;
    String::from_utf8(bytes).map_err(|e| {
        let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = memchr::memchr_iter(b'\n', good).count() + 1;
        let message = "the line is not UTF-8; nothing was written";
        hinted(Error::invalid(message).at(&target.name, line, 0))
    })
}

/// Whether a line of `CLAUDE.md` takes in `AGENTS.md`.
fn takes_in_the_other(line: &str) -> bool {
    matches!(line.trim(), "@AGENTS.md" | "@./AGENTS.md")
}

/// The language of a section that is there.
fn language(section: &str) -> Lang {
    let is_kana = |c: char| matches!(c, '\u{3040}'..='\u{30ff}');
    if section.contains(is_kana) { Lang::Ja } else { Lang::En }
}

/// Where the section stands, from the first byte of its marker to the last of the
/// other. Markers are lines of their own outside of code blocks.
fn find(text: &str, name: &str) -> Result<Option<Range<usize>>> {
    let refuse = |line: usize, why: &str| {
        let message = format!("{why}; nothing was written");
        Err(hinted(Error::invalid(message).at(name, line, 0)))
    };
    let mut fence: Option<(usize, &str)> = None;
    let mut begin: Option<(usize, usize)> = None;
    let mut end: Option<(usize, usize)> = None;
    let mut at = 0;
    for (n, whole) in text.split_inclusive('\n').enumerate() {
        let line = whole.trim().trim_start_matches('\u{feff}');
        let start = at + whole.find(line).unwrap_or(0);
        at += whole.len();
        let n = n + 1;
        let is_marker = line == BEGIN || line == END;
        match fence {
            Some((_, _)) if is_marker => {
                return refuse(n, &format!("`{line}` stands in a block of code"));
            }
            Some((_, marks)) => {
                let closes =
                    line.starts_with(marks) && line.bytes().all(|b| b == marks.as_bytes()[0]);
                if closes {
                    fence = None;
                }
            }
            None => fence = opening(line).map(|marks| (n, marks)),
        }
        if line == BEGIN {
            if begin.is_some() {
                return refuse(n, &format!("`{BEGIN}` stands here a second time"));
            }
            if end.is_some() {
                return refuse(n, &format!("`{BEGIN}` stands behind its `{END}`"));
            }
            begin = Some((n, start));
        }
        if line == END {
            if end.is_some() {
                return refuse(n, &format!("`{END}` stands here a second time"));
            }
            end = Some((n, start + END.len()));
        }
    }
    match (begin, end, fence) {
        (Some((_, from)), Some((_, to)), _) if from < to => Ok(Some(from..to)),
        (Some((n, _)), None, _) => refuse(n, &format!("`{BEGIN}` has no `{END}` below it")),
        (_, Some((n, _)), _) => refuse(n, &format!("`{END}` has no `{BEGIN}` above it")),
        (None, None, Some((n, _))) => {
            refuse(n, "the block of code that begins here has no end, so nothing can follow it")
        }
        (None, None, None) => Ok(None),
    }
}

/// The marks that open a block of code, if the line does.
fn opening(line: &str) -> Option<&str> {
    let first = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let end = line.find(|c| c != first).unwrap_or(line.len());
    // Marks with more of them behind is code in a line.
    let is_open = end >= 3 && !(first == '`' && line[end..].contains('`'));
    is_open.then(|| &line[..end])
}

/// The text with the section in its place, or at its end.
fn with_section(text: &str, place: Option<Range<usize>>, lang: Lang) -> String {
    let end = match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    };
    let section = section(lang).replace('\n', end);
    let Some(place) = place else {
        let bare = text.trim_start_matches('\u{feff}');
        let gap = match text {
            _ if bare.is_empty() => String::new(),
            text if text.ends_with(&end.repeat(2)) => String::new(),
            text if text.ends_with('\n') => end.to_owned(),
            _ => end.repeat(2),
        };
        return format!("{text}{gap}{section}");
    };
    // What follows the last marker on its line stays, its end included.
    let section = section.trim_end_matches(['\r', '\n']);
    format!("{}{section}{}", &text[..place.start], &text[place.end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, lang: Lang) -> String {
        with_section(text, find(text, "AGENTS.md").unwrap(), lang)
    }

    #[test]
    fn a_section_is_added_once_and_every_other_byte_stays() {
        for text in [
            "",
            "\u{feff}",
            "# Rules\n",
            "# Rules",
            "# Rules\r\n\r\ntext",
            "\u{feff}# A\r\n",
            "a\n\n",
            "```\ncode\n```\n",
            "~~~\n``` <!-- orch:begin -->\n~~~\n",
            "the line `<!-- orch:begin -->` is ours\n",
        ] {
            let once = written(text, Lang::En);
            assert!(once.starts_with(text), "{text:?}: {once:?}");
            assert!(once.ends_with(END) || once.trim_end().ends_with(END), "{once:?}");
            assert_eq!(written(&once, Lang::En), once, "{text:?}");
            assert_eq!(once.contains('\r'), text.contains('\r'), "{once:?}");
            if text.contains('\r') {
                assert_eq!(once.matches('\n').count(), once.matches("\r\n").count());
            }
        }
    }

    #[test]
    fn an_old_section_is_replaced_in_place() {
        for (head, tail) in
            [("", ""), ("a\n\n", "\nb"), ("\u{feff}x\r\n", "\r\n\r\ny\r\n"), ("  ", "")]
        {
            let text = format!("{head}{BEGIN}\nOUTDATED\n{END}{tail}");
            for lang in [Lang::En, Lang::Ja] {
                let new = written(&text, lang);
                assert!(new.starts_with(head) && new.ends_with(tail), "{new:?}");
                assert!(!new.contains("OUTDATED"), "{new:?}");
                assert_eq!(written(&new, lang), new);
                assert_eq!(language(&new), lang);
            }
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_its_line() {
        for (text, line) in [
            (format!("a\n{BEGIN}\n"), 2),
            (format!("a\n\n{END}\n"), 3),
            (format!("{END}\n{BEGIN}\n"), 2),
            (format!("{BEGIN}\n{BEGIN}\n{END}\n"), 2),
            (format!("{BEGIN}\n{END}\n{END}\n"), 3),
            (format!("{BEGIN}\n{END}\n{BEGIN}\n{END}\n"), 3),
            (format!("```md\n{BEGIN}\n{END}\n```\n"), 2),
            ("x\n```\nnever closed\n".to_owned(), 2),
        ] {
            let error = find(&text, "AGENTS.md").unwrap_err();
            assert_eq!(
                error.place.map(|p| (p.path, p.line)),
                Some(("AGENTS.md".into(), line)),
                "{text}"
            );
        }
    }

    #[test]
    fn both_sections_are_short() {
        for lang in [Lang::En, Lang::Ja] {
            let tokens = tiktoken_rs::cl100k_base_singleton().count_ordinary(section(lang));
            assert!(tokens <= 150, "{lang:?}: {tokens}");
        }
    }
}
