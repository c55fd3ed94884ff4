//! What the bytes of the fuzzer mean.
//!
//! A first byte 0xff, which no text begins with, means choices for the writer
//! of messy ledgers; else the bytes are the ledger itself, so that the corpus
//! can be given as it is.

use crate::documents::{self, Choices};
use std::borrow::Cow;

/// The ledger; `None` where the bytes are no text.
pub fn text(data: &[u8]) -> Option<Cow<'_, str>> {
    match data {
        [0xff, choices @ ..] => Some(Cow::Owned(documents::document(&mut Choices::new(choices)))),
        text => std::str::from_utf8(text).ok().filter(|t| !t.contains('\0')).map(Cow::Borrowed),
    }
}

/// Line tabulation and form feed are padding to both Markdown parsers and
/// content to us: the one documented disagreement about cells.
#[allow(dead_code)]
pub fn has_odd_blanks(text: &str) -> bool {
    text.contains(['\u{b}', '\u{c}'])
}
