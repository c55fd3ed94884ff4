//! Paths that only people decide on: those of the settings, `ORCH/**`, and
//! whatever begins with `.git` at any depth.
//!
//! Here: by which spelling, link or name of old a diff could reach one. Not
//! here: what the diff does to it. Invariant: where a path could be read in two
//! ways, the way counts that is protected. So case does not matter, nor do
//! backslashes, blanks and dots at the end of a name, or characters that some
//! file systems pass over.

use super::Measured;
use crate::ledger::git_diff::FileDiff;
use crate::services::config::AutoDecide;
use crate::services::decide::scratch::Applied;
use crate::sys::{FileKind, Fs, Sys};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::path::{Path, PathBuf};

/// The condition's name.
pub const NAME: &str = "protected";

/// Looks at the names of a diff, and at the links that they lead through in the
/// work tree at `top`, as it is before. `prefix` leads from there to the
/// workspace.
pub fn measure(
    sys: &Sys,
    files: &[FileDiff],
    top: &Path,
    prefix: &str,
    auto: &AutoDecide,
) -> Measured {
    let guard = Guard::new(&auto.protected, prefix);
    let mut reasons = Vec::new();
    for file in files {
        for path in file.paths() {
            let through = || guard.through_links(&*sys.fs, top, path);
            reasons.extend(guard.covers(path).or_else(through));
        }
        if let Some(target) = file.symlink_target() {
            reasons.extend(file.paths().filter_map(|path| guard.covers_target(path, &target)));
        }
    }
    told(reasons, &guard)
}

/// Looks at what applying a diff really changed in the scratch copy at `top`.
pub fn measure_applied(
    sys: &Sys,
    changed: &[Applied],
    top: &Path,
    prefix: &str,
    auto: &AutoDecide,
) -> Measured {
    let guard = Guard::new(&auto.protected, prefix);
    let reasons = changed.iter().filter_map(|Applied { path, .. }| {
        guard.covers(path).or_else(|| guard.through_links(&*sys.fs, top, path))
    });
    let reasons = reasons.collect();
    told(reasons, &guard)
}

fn told(mut reasons: Vec<String>, guard: &Guard) -> Measured {
    reasons.sort();
    reasons.dedup();
    let measured = match reasons.len() {
        0 => "no path",
        1 => "1 path",
        _ => "several paths",
    };
    let limit = format!("none of {}", guard.rules.join(", "));
    Measured::unless(NAME, measured.to_owned(), limit, &reasons)
}

/// What is protected.
#[derive(Debug)]
pub struct Guard {
    set: GlobSet,
    /// For each glob of the set, the one of the settings that it is made from.
    of: Vec<usize>,
    /// Globs as the settings have them; the last two are always there.
    rules: Vec<String>,
    /// Parts of the path from the repository's top to the workspace.
    prefix: Vec<String>,
    /// A glob that cannot be used: then nothing is free.
    broken: Option<String>,
}

impl Guard {
    /// Globs are from the workspace, and from the top of the repository too.
    pub fn new(globs: &[String], prefix: &str) -> Self {
        let (mut set, mut of, mut broken) = (GlobSetBuilder::new(), Vec::new(), None);
        for (at, glob) in globs.iter().enumerate() {
            for pattern in patterns(glob) {
                // A star that crosses `/` protects more, which is the safe side.
                let built = GlobBuilder::new(&pattern).literal_separator(false).build();
                match built {
                    Ok(built) => {
                        set.add(built);
                        of.push(at);
                    }
                    Err(_) => broken = Some(glob.clone()),
                }
            }
        }
        let set = set.build().unwrap_or_else(|_| {
            broken = Some(globs.join(", "));
            GlobSet::empty()
        });
        let rules = globs.iter().map(String::as_str).chain(["ORCH/**", ".git*"]);
        Self {
            set,
            of,
            rules: rules.map(|rule| format!("`{rule}`")).collect(),
            prefix: parts(prefix).unwrap_or_default(),
            broken,
        }
    }

    /// Why a path is protected.
    pub fn covers(&self, path: &str) -> Option<String> {
        let Some(parts) = parts(path) else {
            return Some(format!("`{path}` leads out of the repository"));
        };
        Some(format!("`{path}` is protected ({})", self.rule_for(&parts)?))
    }

    fn rule_for(&self, parts: &[String]) -> Option<String> {
        if let Some(broken) = &self.broken {
            return Some(format!("`{broken}` is no glob, so that nothing is free"));
        }
        if parts.iter().any(|part| part.starts_with(".git") || part.starts_with("git~")) {
            return Some("`.git*`".to_owned());
        }
        let from_workspace = parts.strip_prefix(&self.prefix[..]);
        for view in [Some(parts), from_workspace].into_iter().flatten() {
            if view.first().is_some_and(|first| first == "orch") {
                return Some("`ORCH/**`".to_owned());
            }
            let matched = self.set.matches(view.join("/"));
            if let Some(at) = matched.first().and_then(|at| self.of.get(*at)) {
                return Some(self.rules[*at].clone());
            }
        }
        None
    }

    /// Why a link at a path may not lead to a target.
    fn covers_target(&self, path: &str, target: &str) -> Option<String> {
        let why = |why: &str| Some(format!("the link `{path}` would lead to `{target}`, {why}"));
        if target.starts_with(['/', '\\']) || target.get(1..2) == Some(":") {
            return why("out of the repository");
        }
        let mut folder = parts(path)?;
        folder.pop();
        folder.push(target.to_owned());
        let Some(parts) = parts(&folder.join("/")) else {
            return why("out of the repository");
        };
        if let Some(rule) = self.rule_for(&parts) {
            return why(&format!("which is protected ({rule})"));
        }
        // A folder above a protected one: what goes through the link later would
        // have another name.
        let is_above = |below: &[String]| below.len() > parts.len() && below.starts_with(&parts);
        let orch: Vec<String> = self.prefix.iter().cloned().chain(["orch".to_owned()]).collect();
        let mut stems = self.rules.iter().filter_map(|rule| stem(rule.trim_matches('`')));
        if parts.is_empty() || is_above(&orch) || stems.any(|stem| is_above(&stem)) {
            return why("and protected paths lie below");
        }
        None
    }

    /// Why a path is protected that links lead elsewhere: those that stand in a
    /// folder, and the path itself.
    fn through_links(&self, fs: &dyn Fs, top: &Path, path: &str) -> Option<String> {
        let outside = || Some(format!("`{path}` leads through a link out of the repository"));
        let nowhere = || Some(format!("`{path}` leads through a link that leads nowhere"));
        let whole: PathBuf = parts_as_written(path)?.iter().collect();
        for inside in whole.ancestors() {
            let Ok(stat) = fs.lstat(&top.join(inside)) else { continue };
            let rest = whole.strip_prefix(inside).unwrap_or(Path::new(""));
            let Ok(real) = fs.canonicalize(&top.join(inside)) else {
                // A link that leads nowhere: nobody knows what it means elsewhere.
                return if stat.kind == FileKind::Symlink { nowhere() } else { None };
            };
            let top = fs.canonicalize(top).unwrap_or_else(|_| top.to_owned());
            let Ok(real) = real.strip_prefix(&top) else { return outside() };
            let real = if rest.as_os_str().is_empty() { real.to_owned() } else { real.join(rest) };
            if real == whole {
                return None;
            }
            let real = real.to_string_lossy();
            let rule = self.rule_for(&parts(&real)?)?;
            return Some(format!("`{path}` is `{real}` by a link, which is protected ({rule})"));
        }
        None
    }
}

/// The globs that one of the settings stands for: itself, and all below it.
fn patterns(glob: &str) -> Vec<String> {
    let glob = glob.trim().replace('\\', "/").to_lowercase();
    let glob = glob.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
    let stem = glob.strip_suffix("/**").unwrap_or(glob);
    let mut patterns = vec![glob.to_owned(), stem.to_owned(), format!("{stem}/**")];
    // A name alone is meant at any depth, as in .gitignore.
    if !glob.contains('/') {
        patterns.extend([format!("**/{stem}"), format!("**/{stem}/**")]);
    }
    patterns
}

/// The parts of a glob before its first wildcard.
fn stem(glob: &str) -> Option<Vec<String>> {
    let parts = parts(glob)?;
    let literal = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '{']));
    Some(literal.cloned().collect())
}

/// The parts of a path as they are compared: `a/./B/../c ` is `a`, `c`. None
/// for a path that leads out.
fn parts(path: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    for part in path.replace('\\', "/").split('/') {
        let part: String = part.to_lowercase().chars().filter(|c| !is_ignorable(*c)).collect();
        match part.as_str() {
            ".." => {
                out.pop()?;
            }
            // Windows drops dots and blanks at the end of a name, and reads what
            // follows `:` as the name of a stream.
            part => {
                let part = part.split(':').next().unwrap_or_default();
                let part = part.trim_end_matches(['.', ' ']);
                if !part.is_empty() {
                    out.push(part.to_owned());
                }
            }
        }
    }
    let is_absolute = path.starts_with(['/', '\\']);
    (!is_absolute).then_some(out)
}

/// The parts of a path as the file system has them.
fn parts_as_written(path: &str) -> Option<Vec<&str>> {
    let mut out = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            out.pop()?;
        } else {
            out.push(part);
        }
    }
    Some(out)
}

/// Characters that HFS+ passes over when it compares names: joiners, marks of
/// direction, and the byte order mark.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
#[path = "protected_tests.rs"]
mod tests;
