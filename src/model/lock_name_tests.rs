//! Names of locks: spelling, and conflicts against brute force.

use super::*;
use globset::{GlobBuilder, GlobMatcher};
use proptest::prelude::*;

fn name(text: &str) -> LockName {
    LockName::parse(text, Path::new("/w")).unwrap()
}

fn conflict(a: &str, b: &str) -> bool {
    let (a, b) = (name(a), name(b));
    assert_eq!(a.conflicts(&b), b.conflicts(&a), "{a} and {b}");
    a.conflicts(&b)
}

#[test]
fn one_spelling_for_each_name() {
    for (typed, text) in [
        ("deploy", "deploy"),
        ("Cargo.toml", "Cargo.toml"),
        ("名前", "名前"),
        ("a b", "a b"),
        ("./a", "./a"),
        ("a/", "./a"),
        ("./a/b", "a/b"),
        ("a//b", "a/b"),
        ("a/./b/", "a/b"),
        ("a/../b", "./b"),
        ("a/../b/c", "b/c"),
        (".", "."),
        ("a/..", "."),
        ("*.md", "*.md"),
        ("./*.md", "*.md"),
        ("src/**", "src/**"),
        ("/w/src/x", "src/x"),
        ("/w/src/../x", "./x"),
        ("/w", "."),
    ] {
        let name = name(typed);
        assert_eq!(name.as_str(), text, "{typed}");
        assert_eq!(LockName::canonical(text), Some(name), "{text}");
    }
    assert!(!name("deploy").is_path() && name("./deploy").is_path());
    for text in ["a/../b", "./a/b", "a/"] {
        assert_eq!(LockName::canonical(text), None, "{text}");
    }
}

#[test]
fn what_is_no_name_is_a_usage_error() {
    let long = "x".repeat(LONGEST + 1);
    for text in [
        "",
        " ",
        " a",
        "a\n",
        "a\u{202e}b",
        "..",
        "../a",
        "a/../../b",
        "/",
        "/etc",
        "/w/../etc",
        "/ww/a",
        r"a\b",
        "*/../a",
        "**/..",
        "a**",
        "a/b**/c",
        "***",
        "{a",
        "{a/b,c}",
        "[a",
        "[a/b]",
        "[b-a]",
        "[]",
        "{**,a}",
        &long,
    ] {
        let error = LockName::parse(text, Path::new("/w")).unwrap_err();
        assert_eq!(error.kind, crate::error::ErrorKind::Usage, "{text}");
    }
}

#[test]
fn words_conflict_when_equal_and_with_no_path() {
    assert!(conflict("deploy", "deploy"));
    assert!(!conflict("deploy", "Deploy"));
    assert!(!conflict("deploy", "./deploy"));
    assert!(!conflict("deploy", "**"));
}

#[test]
fn paths_conflict_where_one_covers_what_the_other_covers() {
    for (a, b) in [
        ("src/parser", "src/parser/x.rs"),
        ("src/parser", "src/parser/**"),
        ("src/**", "src/parser/x.rs"),
        ("src/**", "**/x.rs"),
        ("src/*", "src/parser/x.rs"),
        ("*.rs", "./x.rs"),
        ("a?c", "./abc"),
        ("a[bc]d", "./acd"),
        ("a[!b]d", "./acd"),
        ("{a,b}/x", "b/x"),
        ("{a,b}/x", "{b,c}/*"),
        ("**/a", "./a"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/x/y/b"),
        (".", "any/thing"),
        ("*a*", "*b*"),
        ("**/a/**", "**/b/**"),
    ] {
        assert!(conflict(a, b), "{a} and {b}");
    }
    for (a, b) in [
        ("src/parser", "src/parser2"),
        ("src/parser/**", "src/lexer/**"),
        ("src/parser/x.rs", "src/parser/y.rs"),
        ("*.rs", "./x.md"),
        ("src/*.rs", "src/sub/x.md"),
        ("a?c", "./ac"),
        ("a[bc]d", "./aed"),
        ("a[!b]d", "./abd"),
        ("v[0-4]", "v[5-9]"),
        ("{a,b}/x", "c/x"),
        ("a/**/b", "c/**"),
        ("a*", "b*"),
    ] {
        assert!(!conflict(a, b), "{a} and {b}");
    }
}

/// Every path of up to five characters from a small alphabet.
fn paths() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..5 {
        last = last.iter().flat_map(|p| ["a", "b", "/"].map(|c| format!("{p}{c}"))).collect();
        all.extend(last.iter().cloned());
    }
    let is_path = |p: &String| p.split('/').all(|part| !part.is_empty());
    all.retain(is_path);
    all
}

fn globset(text: &str) -> Option<GlobMatcher> {
    let text = text.strip_prefix("./").unwrap_or(text);
    Some(GlobBuilder::new(text).literal_separator(true).build().ok()?.compile_matcher())
}

/// Whether a path or a folder above it matches, as another implementation sees
/// it.
fn covers(glob: &GlobMatcher, path: &str) -> bool {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.into_iter().any(|end| glob.is_match(&path[..end]))
}

/// What both cover by brute force they conflict over. Says whether they do.
fn sound(a: &str, b: &str, paths: &[String]) -> bool {
    let (Ok(x), Ok(y)) = (LockName::parse(a, Path::new("/w")), LockName::parse(b, Path::new("/w")))
    else {
        return false;
    };
    let (Some(p), Some(q)) = (globset(x.as_str()), globset(y.as_str())) else { return false };
    let conflict = x.conflicts(&y);
    assert_eq!(conflict, y.conflicts(&x), "{x} and {y}");
    if let Some(path) = paths.iter().find(|path| covers(&p, path) && covers(&q, path)) {
        assert!(x.is_path() != y.is_path() || conflict, "{x} and {y} both cover {path}");
        return conflict;
    }
    false
}

const PARTS: [&str; 16] = [
    "a", "b", "ab", "*", "?", "a*", "*b", "**", "[ab]", "[!a]", "{a,b}", "{a,b*}b", "a?", "[a-b]a",
    "{,a}b", "?*",
];

#[test]
fn whatever_two_short_globs_both_cover_they_conflict_over() {
    let paths = paths();
    let globs: Vec<String> = PARTS
        .iter()
        .map(|part| format!("./{part}"))
        .chain(PARTS.iter().flat_map(|a| PARTS.map(|b| format!("{a}/{b}"))))
        .collect();
    let names: Vec<_> = globs.iter().map(|glob| name(glob)).collect();
    let covered: Vec<Vec<bool>> = names
        .iter()
        .map(|name| {
            let glob = globset(name.as_str()).unwrap();
            paths.iter().map(|path| covers(&glob, path)).collect()
        })
        .collect();
    let (mut conflicts, mut pairs) = (0, 0);
    for (n, a) in names.iter().enumerate() {
        for (m, b) in names.iter().enumerate().skip(n) {
            let both = covered[n].iter().zip(&covered[m]).any(|(x, y)| *x && *y);
            assert!(!both || a.conflicts(b), "{a} and {b}");
            pairs += 1;
            conflicts += usize::from(a.conflicts(b));
        }
    }
    assert!(conflicts > 1_000 && conflicts < pairs, "{conflicts} of {pairs}");
}

proptest! {
    #[test]
    fn and_so_do_any_others(
        a in proptest::collection::vec(proptest::sample::select(&PARTS[..]), 1..5),
        b in proptest::collection::vec(proptest::sample::select(&PARTS[..]), 1..5),
        text in r"[ab/\*\?\[\]\{\},!-]{1,8}",
    ) {
        let paths = paths();
        sound(&a.join("/"), &b.join("/"), &paths);
        sound(&text, &a.join("/"), &paths);
        sound(&text, &text, &paths);
    }
}
