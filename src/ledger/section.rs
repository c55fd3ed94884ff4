//! Detail sections: a heading that begins with an id, up to the next heading of
//! its level.

use crate::ledger::scan::Heading;
use crate::ledger::source;
use std::collections::HashMap;
use std::ops::Range;

/// What may follow the id that a heading begins with.
const BEHIND: [char; 7] = [' ', '\u{3000}', ':', '：', '(', '（', '\t'];

/// A heading's text without its markers, and where it begins.
pub fn title<'a>(text: &'a str, heading: &Heading) -> (&'a str, usize) {
    let end = source::line_end(text, heading.span.start);
    let title = text[heading.span.start..end].trim_start_matches([' ', '#']);
    (title.trim_end(), end - title.len())
}

/// The ids that a heading of this text could begin with, the shortest first.
pub fn ids(title: &str) -> impl Iterator<Item = &str> {
    let ends = title.match_indices(BEHIND).map(|(end, _)| end);
    ends.chain([title.len()]).map(|end| &title[..end])
}

/// Finds the section of an id: the span of its heading and of its body.
pub fn find(text: &str, headings: &[Heading], id: &str) -> Option<(Range<usize>, Range<usize>)> {
    let at = headings.iter().position(|h| {
        let (title, _) = title(text, h);
        title.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with(BEHIND))
    })?;
    Some(spans(text, headings, at))
}

/// The span of a heading and of its body.
fn spans(text: &str, headings: &[Heading], at: usize) -> (Range<usize>, Range<usize>) {
    let heading = &headings[at];
    let end = headings[at + 1..]
        .iter()
        .find(|h| h.level <= heading.level)
        .map_or(text.len(), |h| source::line_start(text, h.span.start));
    let body = heading.span.end.min(end)..end;
    (heading.span.clone(), body)
}

/// The sections of a document by the ids that their headings could begin with: for
/// whoever asks for many.
#[derive(Debug)]
pub struct Sections<'a> {
    text: &'a str,
    headings: &'a [Heading],
    first: HashMap<&'a str, usize>,
}

impl<'a> Sections<'a> {
    /// Looks through the headings once.
    pub fn new(text: &'a str, headings: &'a [Heading]) -> Self {
        let mut first = HashMap::new();
        for (at, heading) in headings.iter().enumerate() {
            for id in ids(title(text, heading).0) {
                first.entry(id).or_insert(at);
            }
        }
        Self { text, headings, first }
    }

    /// As [`find`].
    pub fn of(&self, id: &str) -> Option<(Range<usize>, Range<usize>)> {
        self.first.get(id).map(|at| spans(self.text, self.headings, *at))
    }
}

/// The level that detail sections of this document use, else 3.
pub fn level(text: &str, headings: &[Heading], mut ids: impl Iterator<Item = String>) -> u8 {
    let sections = Sections::new(text, headings);
    ids.find_map(|id| sections.first.get(id.as_str()).map(|at| headings[*at].level)).unwrap_or(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::scan;

    const TEXT: &str =
        "# T\n\n### T-1 first\n\nbody\n\n#### deeper\n\nmore\n\n### T-10: other\nx\n## End\n";

    fn body(id: &str) -> Option<&'static str> {
        let headings = scan::blocks(TEXT).headings;
        find(TEXT, &headings, id).map(|(_, body)| &TEXT[body])
    }

    #[test]
    fn a_section_ends_at_the_next_heading_of_its_level() {
        assert_eq!(body("T-1"), Some("\nbody\n\n#### deeper\n\nmore\n\n"));
        assert_eq!(body("T-10"), Some("x\n"));
        assert_eq!(body("T-100"), None);
        assert_eq!(body("T"), Some(&TEXT[4..]));
    }

    #[test]
    fn one_look_finds_what_many_do() {
        let headings = scan::blocks(TEXT).headings;
        let sections = Sections::new(TEXT, &headings);
        for id in ["T-1", "T-10", "T-100", "T", "deeper", "T-1 first", "T-10: other", "End", "x"] {
            assert_eq!(sections.of(id), find(TEXT, &headings, id), "{id}");
        }
    }
}
