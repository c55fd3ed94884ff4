//! The lines of `ORCH/.gitattributes`.
//!
//! Here: which of ours are missing in a text, and adding them. Not here: which
//! attributes hold in the end, since other files may say otherwise
//! (`repository`). Invariant: no byte that was there is changed.

/// What `init` writes.
pub const TEMPLATE: &str = include_str!("../../../templates/gitattributes");

/// Our lines for whose pattern a text has none.
pub fn missing(text: &str) -> Vec<&'static str> {
    let pattern = |line: &str| line.split_ascii_whitespace().next().map(str::to_owned);
    let there: Vec<String> = text.lines().filter_map(pattern).collect();
    let ours = TEMPLATE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    ours.filter(|line| pattern(line).is_some_and(|pattern| !there.contains(&pattern))).collect()
}

/// The text with what is missing at its end, in its own kind of lines.
pub fn completed(text: &str) -> String {
    if text.trim().is_empty() {
        return TEMPLATE.to_owned();
    }
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut out = text.to_owned();
    if !text.ends_with('\n') {
        out.push_str(end);
    }
    for line in missing(text) {
        out.push_str(line);
        out.push_str(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_added() {
        assert_eq!(missing(TEMPLATE), [""; 0]);
        assert_eq!(completed(""), TEMPLATE);
        let own = "# mine\r\nSTATE/TASKS.md  merge=union\r\n*.png binary";
        let text = completed(own);
        assert!(text.starts_with(own) && text.ends_with("merge=orch\r\n"), "{text:?}");
        assert_eq!(text.matches("STATE/TASKS.md").count(), 1, "theirs stays: {text:?}");
        assert_eq!(missing(&text), [""; 0]);
        assert!(!text.replace("\r\n", "").contains('\n'), "{text:?}");
    }
}
