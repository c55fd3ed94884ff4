//! The rules of the house that no compiler keeps: who imports whom, what only
//! one layer may touch, what a file looks like.
//!
//! Each rule is a function from a path and a text to what it found, and has a
//! small text that breaks it, so that no rule passes because it sees nothing.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "reads the sources")]

use std::fs;
use std::path::{Path, PathBuf};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Files below a folder by their path from the top, with their text; those that
/// are not text are left out.
fn texts(folder: &str) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    if top().join(folder).is_dir() {
        walk(&top().join(folder), &mut paths);
    }
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let name = path.strip_prefix(top()).unwrap().to_string_lossy().replace('\\', "/");
            Some((name, fs::read_to_string(&path).ok()?))
        })
        .collect()
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let mut texts = texts(folder);
    texts.retain(|(name, _)| {
        Path::new(name).extension().is_some_and(|ext| ext == "rs") && !name.contains("/target/")
    });
    texts
}

type Rule = fn(&str, &str) -> Vec<String>;

#[track_caller]
fn holds(rule: Rule, files: &[(String, String)]) {
    assert!(!files.is_empty());
    let found: Vec<_> = files.iter().flat_map(|(name, text)| rule(name, text)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[track_caller]
fn breaks(rule: Rule, name: &str, text: &str) {
    assert!(!rule(name, text).is_empty(), "the rule sees nothing wrong with {name}: {text}");
}

#[track_caller]
fn allows(rule: Rule, name: &str, text: &str) {
    assert_eq!(rule(name, text), Vec::<String>::new());
}

/// A line without strings and without a comment at its end: a word in a message
/// is not a call. Good enough for lines as the formatter leaves them.
fn code(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => {
                chars.next();
            }
            '\'' if !in_string && chars.peek() == Some(&'"') => {
                chars.next();
            }
            '"' => in_string = !in_string,
            '/' if !in_string && chars.peek() == Some(&'/') => break,
            c if !in_string => out.push(c),
            _ => {}
        }
    }
    out
}

/// Lines of code by number, up to a test module at the end of the file.
fn lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().map(code).enumerate().map(|(n, line)| (n + 1, line))
}

/// The same without the test module that ends a file.
fn lines_of_code(text: &str) -> Vec<(usize, String)> {
    let all: Vec<_> = text.lines().collect();
    let end = all.iter().position(|l| l.trim() == "#[cfg(test)]").unwrap_or(all.len());
    lines(text).take(end).collect()
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("/tests/")
}

// ---- who imports whom ------------------------------------------------------

const LAYERS: [(&str, &[&str]); 12] = [
    ("error", &[]),
    ("model", &["error"]),
    ("ledger", &["model", "error"]),
    ("wire", &["model", "error"]),
    ("sys", &["error"]),
    ("store", &["ledger", "model", "sys", "error"]),
    ("services", &["store", "ledger", "model", "sys", "error"]),
    ("watch", &["services", "store", "ledger", "model", "sys", "error"]),
    ("git", &["services", "store", "ledger", "model", "sys", "error"]),
    ("answer", &["services", "store", "ledger", "model", "sys", "error", "wire"]),
    ("mcp", &["answer", "services", "store", "ledger", "model", "sys", "error", "wire"]),
    (
        "cli",
        &[
            "answer", "mcp", "watch", "git", "services", "store", "ledger", "model", "sys",
            "error", "wire",
        ],
    ),
];

/// Names that follow a path such as `crate::`: one, or those of a group.
fn roots(rest: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut depth, mut names, mut at) = (0, vec![String::new()], 0);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(String::new());
                at += 1;
                continue;
            }
            _ => {}
        }
        names[at].push(c);
    }
    names.iter().map(|name| word(name)).filter(|name| !name.is_empty()).collect()
}

/// The top modules that a file names, with the line.
fn imports(name: &str, text: &str) -> Vec<(usize, String)> {
    // src/store/journal.rs is `store::journal`: two steps up is the top.
    let inside = name.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let depth = inside.split('/').count();
    let code: Vec<String> = text.lines().map(code).collect();
    let whole = code.join("\n");
    let mut found = Vec::new();
    let line_of = |at: usize| whole[..at].matches('\n').count() + 1;
    for prefix in ["crate::", "orch::"] {
        for (at, _) in whole.match_indices(prefix) {
            let before = whole[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let names = roots(&whole[at + prefix.len()..]);
            found.extend(names.into_iter().map(|n| (line_of(at), n)));
        }
    }
    let up = "super::".repeat(depth);
    for (at, _) in whole.match_indices(&up) {
        if !whole[..at].ends_with("super::") {
            let rest = &whole[at + up.len()..];
            if !rest.starts_with("super::") {
                found.extend(roots(rest).into_iter().map(|n| (line_of(at), n)));
            }
        }
    }
    found
}

fn arrows(name: &str, text: &str) -> Vec<String> {
    let layer = name.trim_start_matches("src/").split(['/', '.']).next().unwrap_or_default();
    let Some((_, allowed)) = LAYERS.iter().find(|(l, _)| *l == layer) else {
        return match layer {
            "main" | "lib" => Vec::new(),
            _ => vec![format!("{name}: `{layer}` is no layer that the house knows")],
        };
    };
    let known = |root: &str| LAYERS.iter().any(|(l, _)| *l == root);
    imports(name, text)
        .into_iter()
        .filter(|(_, root)| known(root) && root != layer && !allowed.contains(&root.as_str()))
        .map(|(line, root)| format!("{name}:{line}: {layer} must not import {root}"))
        .collect()
}

#[test]
fn layers_import_downward_only() {
    breaks(arrows, "src/model/x.rs", "use crate::ledger::table::Grid;");
    breaks(arrows, "src/model/x.rs", "use crate::{error::Error, sys::Sys};");
    breaks(arrows, "src/ledger/x.rs", "use super::super::store::lock;");
    breaks(arrows, "src/ledger/mod.rs", "fn f() { super::sys::x() }");
    breaks(arrows, "src/ledger/a/b.rs", "use super::super::super::sys::Sys;");
    breaks(arrows, "src/services/x.rs", "fn f() -> crate::wire::Task { todo() }");
    breaks(arrows, "src/sys/x.rs", "use crate::model::time::Timestamp;");
    breaks(arrows, "src/helpers/x.rs", "");
    allows(arrows, "src/ledger/x.rs", "use super::table; use crate::model::id; // crate::sys");
    allows(arrows, "src/ledger/a/b.rs", "use super::super::table::Grid;");
    allows(arrows, "src/store/x.rs", "let text = \"crate::cli::ui\"; use crate::sys::Sys;");
    holds(arrows, &sources("src"));
}

// ---- the outside -----------------------------------------------------------

/// Only `sys` touches files, processes, time and surroundings; `main` hands the
/// arguments on. What these lines name is data, not contact.
const HARMLESS: [&str; 4] =
    ["std::env::VarError", "std::env::consts", "std::process::ExitCode", "std::env::args_os"];

const OUTSIDE: [&str; 10] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::net",
    "SystemTime::now",
    "Instant::now",
    "thread::sleep",
    "Utc::now",
    "Local::now",
    "getrandom::",
];

fn outside(name: &str, text: &str) -> Vec<String> {
    if name.starts_with("src/sys/") || name == "src/main.rs" || is_test_file(name) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (n, line) in lines_of_code(text) {
        let bare = HARMLESS.iter().fold(line, |line, harmless| line.replace(harmless, ""));
        for word in OUTSIDE.iter().filter(|word| bare.contains(**word)) {
            found.push(format!("{name}:{n}: `{word}` belongs into sys"));
        }
    }
    found
}

#[test]
fn only_sys_touches_the_outside() {
    for word in OUTSIDE {
        breaks(outside, "src/store/x.rs", &format!("use {word}::read;"));
        allows(outside, "src/sys/disk.rs", &format!("use {word}::read;"));
        allows(outside, "src/store/x.rs", &format!("// not {word}\nlet x = \"{word}\";"));
    }
    allows(outside, "src/store/x.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use std::fs; }");
    holds(outside, &sources("src"));
}

fn printing(name: &str, text: &str) -> Vec<String> {
    if name == "src/main.rs" || is_test_file(name) {
        return Vec::new();
    }
    let words = ["println!", "eprintln!", "print!", "eprint!", "process::exit", "process::abort"];
    let has = |line: &str, word: &str| {
        line.match_indices(word)
            .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    lines_of_code(text)
        .into_iter()
        .filter(|(_, line)| words.iter().any(|word| has(line, word)))
        .map(|(n, line)| format!("{name}:{n}: {}", line.trim()))
        .collect()
}

#[test]
fn nothing_prints_or_exits_by_itself() {
    breaks(printing, "src/cli/x.rs", "    println!(\"hi\");");
    breaks(printing, "src/services/x.rs", "eprint!(\"hi\")");
    breaks(printing, "src/cli/mod.rs", "std::process::exit(1)");
    allows(printing, "src/cli/x.rs", "writeln!(out, \"println!\")?; // println!");
    holds(printing, &sources("src"));
}

// ---- what is never left ----------------------------------------------------

/// Spelled in two parts, so that this file does not find itself.
fn leftovers() -> [String; 6] {
    ["to|do!", "unimpl|emented!", "db|g!", "FIX|ME", "XX|X", "HA|CK"].map(|w| w.replace('|', ""))
}

fn unfinished(name: &str, text: &str) -> Vec<String> {
    let whole_word = |line: &str, word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let after = line[at + word.len()..].starts_with(is_word) && !word.ends_with('!');
            !line[..at].ends_with(is_word) && !after
        })
    };
    let mut found = Vec::new();
    for (n, line) in text.lines().enumerate() {
        for word in leftovers().iter().filter(|word| whole_word(line, word)) {
            found.push(format!("{name}:{}: `{word}`", n + 1));
        }
    }
    found
}

#[test]
fn nothing_is_left_unfinished() {
    for word in leftovers() {
        breaks(unfinished, "src/x.rs", &format!("fn f() {{ {word} }}"));
        breaks(unfinished, "src/x.rs", &format!("// {word}: later"));
    }
    allows(unfinished, "src/x.rs", &format!("let mktemp = \"a{}\";", leftovers()[4]));
    holds(unfinished, &[sources("src"), sources("tests"), sources("examples")].concat());
}

fn said_first(name: &str, text: &str) -> Vec<String> {
    match text.lines().next() {
        Some(line) if line.starts_with("//! ") => Vec::new(),
        _ => vec![format!("{name}:1: a file begins with `//!` and what lives in it")],
    }
}

#[test]
fn every_file_says_first_what_lives_in_it() {
    breaks(said_first, "src/x.rs", "use std::fs;\n//! Late.");
    breaks(said_first, "src/x.rs", "");
    allows(said_first, "src/x.rs", "//! What lives here.\n");
    holds(said_first, &[sources("src"), sources("tests"), sources("examples")].concat());
}

fn length(name: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let long = (lines > 600).then(|| format!("{name}: {lines} lines; find the second noun"));
    long.into_iter().collect()
}

#[test]
fn no_file_is_longer_than_six_hundred_lines() {
    breaks(length, "src/x.rs", &"x\n".repeat(601));
    allows(length, "src/x.rs", &"x\n".repeat(600));
    holds(length, &[sources("src"), sources("tests"), sources("examples")].concat());
}

// ---- tests -----------------------------------------------------------------

fn honest(name: &str, text: &str) -> Vec<String> {
    let words = ["#[ig|nore", "thread::sl|eep", "assert!(tr|ue", "Instant::n|ow"];
    let words = words.map(|w| w.replace('|', ""));
    let real_clock = name.starts_with("src/sys/");
    // A bench measures the real clock; that is all it is for.
    let measures = name.starts_with("tests/bench/");
    lines(text)
        .filter(|(_, line)| words.iter().any(|word| line.contains(word.as_str())))
        .filter(|(_, line)| !(measures && line.contains(words[3].as_str())))
        .filter(|(_, line)| !(real_clock && line.contains(words[1].as_str())))
        .filter(|(_, line)| !(real_clock && line.contains(words[3].as_str())))
        .map(|(n, line)| format!("{name}:{n}: {}", line.trim()))
        .collect()
}

#[test]
fn tests_neither_sleep_nor_are_skipped_nor_empty() {
    let line = |parts: [&str; 2]| parts.concat();
    breaks(honest, "tests/it/x.rs", &line(["#[ig", "nore]"]));
    breaks(honest, "tests/it/x.rs", &line(["#[ig", "nore = \"slow\"]"]));
    breaks(honest, "src/x.rs", &line(["std::thread::sl", "eep(d);"]));
    breaks(honest, "tests/it/x.rs", &line(["assert!(tr", "ue);"]));
    allows(honest, "src/sys/clock.rs", &line(["std::thread::sl", "eep(d);"]));
    allows(honest, "src/sys/net.rs", &line(["Instant::n", "ow()"]));
    allows(honest, "tests/bench/x.rs", &line(["Instant::n", "ow()"]));
    breaks(honest, "tests/it/x.rs", &line(["Instant::n", "ow()"]));
    holds(honest, &[sources("src"), sources("tests")].concat());
}

// ---- the repository --------------------------------------------------------

const VISIBLE: [&str; 11] = [
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "ORCH",
    "templates",
    "tests",
    "examples",
    "README.md",
    "README.ja.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

/// The name at the top that a path begins with, if it has no place there.
fn stranger(path: &str) -> Option<&str> {
    let first = path.split('/').next().unwrap_or(path);
    (!first.starts_with('.') && !VISIBLE.contains(&first)).then_some(first)
}

/// What git has, or would take: the build's own folder is not the house.
fn tracked() -> Vec<String> {
    let output = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(top())
        .output();
    match output {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            let names = String::from_utf8_lossy(&output.stdout).into_owned();
            let names = names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned);
            names.filter(|name| top().join(name).exists()).collect()
        }
        // A published crate has no repository: what is packed is what there is.
        _ => {
            let all = ["src", "templates", "tests", "examples", "ORCH"].into_iter().flat_map(texts);
            all.map(|(name, _)| name).collect()
        }
    }
}

#[test]
fn the_top_level_holds_what_the_house_names() {
    assert_eq!(stranger("notes/x.md"), Some("notes"));
    assert_eq!(stranger("TODO.md"), Some("TODO.md"));
    assert_eq!(stranger("src/x.rs").or(stranger(".gitignore")).or(stranger("Cargo.toml")), None);
    let tracked = tracked();
    assert!(tracked.iter().any(|name| name == "src/lib.rs"));
    let found: Vec<_> = tracked.iter().filter_map(|name| stranger(name)).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Places of one machine, and where packages came from. `/tmp/` and `/home/`
/// may stand in tests, as text that is only text.
fn machine(name: &str, text: &str) -> Vec<String> {
    let everywhere = ["/ro|ot/", "/wo|rk/", "inde|x.crates.io", "regis|try+", "sparse+ht|tp"];
    let not_in_tests = ["/ho|me/", "/tm|p/"];
    let join = |word: &str| word.replace('|', "");
    let is_test = name.starts_with("tests/") || is_test_file(name);
    let mut found = Vec::new();
    let end = text.lines().position(|l| l.trim() == "#[cfg(test)]").unwrap_or(usize::MAX);
    for (n, line) in text.lines().enumerate() {
        let quiet = is_test || n >= end;
        let words = everywhere.iter().chain(not_in_tests.iter().filter(|_| !quiet));
        for word in words.map(|word| join(word)).filter(|word| has_place(line, word)) {
            found.push(format!("{name}:{}: `{word}`", n + 1));
        }
    }
    found
}

/// A place begins a path: what stands before it is no part of one.
fn has_place(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let inside = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '~');
        !word.starts_with('/') || !line[..at].ends_with(inside)
    })
}

#[test]
fn no_file_names_a_machine() {
    let place = |parts: [&str; 2]| parts.concat();
    breaks(machine, "src/x.rs", &place(["\"/ho", "me/ada/x\""]));
    breaks(machine, "src/x.rs", &place(["\"/tm", "p/x\""]));
    breaks(machine, "tests/it/x.rs", &place(["\"/ro", "ot/x\""]));
    breaks(machine, "Cargo.toml", &place(["registry-index = \"sparse+ht", "tps://mirror\""]));
    allows(machine, "tests/it/x.rs", &place(["\"/tm", "p/x\""]));
    allows(machine, "src/x.rs", "layout.root/work/x");
    let files: Vec<_> = tracked()
        .into_iter()
        // The lock file names the registry of every package: cargo writes it.
        .filter(|name| !name.ends_with("Cargo.lock"))
        .filter_map(|name| Some((name.clone(), fs::read_to_string(top().join(&name)).ok()?)))
        .collect();
    holds(machine, &files);
    let lock = fs::read_to_string(top().join("Cargo.lock")).unwrap();
    let public = place(["regis", "try+https://github.com/rust-lang/crates.io-index"]);
    let other = lock.lines().filter(|l| l.starts_with("source = ") && !l.contains(&public));
    assert_eq!(other.collect::<Vec<_>>(), Vec::<&str>::new(), "one public registry, no mirror");
}
