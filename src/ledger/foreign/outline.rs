//! Headings and list items of a document, outside of quotes.
//!
//! pulldown-cmark decides, so that fences, comments and quotes hide what is in
//! them.

use crate::ledger::scan::{self, Heading};
use crate::ledger::source;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::ops::Range;

/// An item of a list that is in no other list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListItem {
    /// Its lines, those of what is nested in it included, without blank ones at
    /// the end.
    pub span: Range<usize>,
    /// Where its text begins, behind the marker.
    pub text: usize,
    /// Whether its box is ticked, where it has one.
    pub ticked: Option<bool>,
}

/// What a document is made of, as far as tasks are written in it.
#[derive(Debug)]
pub(super) struct Outline {
    pub headings: Vec<Heading>,
    pub items: Vec<ListItem>,
}

impl Outline {
    pub fn of(text: &str) -> Self {
        let headings = scan::blocks(text).headings;
        let start = source::body_start(text);
        let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
        let (mut quotes, mut depth, mut items) = (0usize, 0usize, Vec::<ListItem>::new());
        let mut text_of_top = false;
        for (event, range) in Parser::new_ext(&text[start..], options).into_offset_iter() {
            let range = range.start + start..range.end + start;
            match event {
                Event::Start(Tag::BlockQuote(_)) => quotes += 1,
                Event::End(TagEnd::BlockQuote(_)) => quotes -= 1,
                Event::Start(Tag::Item) => {
                    depth += 1;
                    if depth == 1 && quotes == 0 {
                        items.push(item(text, &range));
                    }
                    text_of_top = depth == 1 && quotes == 0;
                }
                Event::End(TagEnd::Item) => depth -= 1,
                Event::TaskListMarker(ticked) if text_of_top => {
                    if let Some(item) = items.last_mut() {
                        item.ticked = Some(ticked);
                        item.text = range.end;
                    }
                }
                _ => {}
            }
        }
        Self { headings, items }
    }

    /// The items whose line begins in a range.
    pub fn items_in(&self, range: Range<usize>) -> impl Iterator<Item = &ListItem> {
        let first = self.items.partition_point(|item| item.span.start < range.start);
        self.items[first..].iter().take_while(move |item| item.span.start < range.end)
    }
}

fn item(text: &str, range: &Range<usize>) -> ListItem {
    let content = text[range.clone()].trim_end();
    let end = range.start + content.len();
    let marker = content.find([' ', '\t']).map_or(content.len(), |at| at);
    let rest = content[marker..].trim_start_matches([' ', '\t']);
    ListItem {
        span: source::line_start(text, range.start)..source::next_line(text, end),
        text: range.start + content.len() - rest.len(),
        ticked: None,
    }
}
