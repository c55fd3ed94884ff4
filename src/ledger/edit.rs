//! Edits of a text: sorted, disjoint replacements, with an inverse.

use std::ops::Range;

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty to insert.
    pub span: Range<usize>,
    /// By what.
    pub text: String,
}

/// Replacements of one text. Invariant: sorted by start, disjoint; several
/// insertions at one place keep the order in which they were added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edits(Vec<Edit>);

impl Edits {
    /// No edit.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The edits, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
    }

    /// Adds a replacement; one that changes nothing is left out. A second one
    /// of the very same span replaces the first. `Err` gives an edit back that
    /// overlaps another.
    pub fn replace(
        &mut self,
        text: &str,
        span: Range<usize>,
        by: impl Into<String>,
    ) -> Result<(), Edit> {
        let by = by.into();
        let behind = self.0.partition_point(|e| e.span.start <= span.start);
        if let Some(same) = behind.checked_sub(1).and_then(|i| self.0.get_mut(i))
            && same.span == span
            && !span.is_empty()
        {
            same.text = by;
            return Ok(());
        }
        if text.get(span.clone()) == Some(by.as_str()) {
            return Ok(());
        }
        let at = behind;
        let before = at.checked_sub(1).map(|i| &self.0[i]);
        let edit = Edit { span, text: by };
        if before.is_some_and(|e| e.span.end > edit.span.start)
            || self.0.get(at).is_some_and(|e| e.span.start < edit.span.end)
        {
            return Err(edit);
        }
        self.0.insert(at, edit);
        Ok(())
    }

    /// Forgets the edits inside a range, those at its end included.
    pub fn remove_within(&mut self, range: &Range<usize>) {
        self.0.retain(|e| e.span.end < range.start || e.span.start > range.end);
    }

    /// The text with every edit made; one allocation of the right size.
    pub fn apply(&self, text: &str) -> String {
        let grown: usize = self.0.iter().map(|e| e.text.len()).sum();
        let mut out = String::with_capacity(text.len() + grown);
        let mut at = 0;
        for edit in &self.0 {
            out.push_str(&text[at..edit.span.start]);
            out.push_str(&edit.text);
            at = edit.span.end;
        }
        out.push_str(&text[at..]);
        out
    }

    /// The edits that lead back from `self.apply(text)` to `text`.
    #[must_use]
    pub fn inverse(&self, text: &str) -> Self {
        let mut shift = 0isize;
        let edits = self.0.iter().map(|edit| {
            let start = edit.span.start.wrapping_add_signed(shift);
            shift += edit.text.len().cast_signed() - edit.span.len().cast_signed();
            Edit { span: start..start + edit.text.len(), text: text[edit.span.clone()].to_owned() }
        });
        Self(edits.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_apply_in_order_and_invert() {
        let text = "one two three";
        let mut edits = Edits::new();
        edits.replace(text, 8..13, "3").unwrap();
        edits.replace(text, 0..3, "first").unwrap();
        edits.replace(text, 4..4, "a").unwrap();
        edits.replace(text, 4..4, "b").unwrap();
        let changed = edits.apply(text);
        assert_eq!(changed, "first abtwo 3");
        assert_eq!(edits.inverse(text).apply(&changed), text);
    }

    #[test]
    fn overlaps_and_no_ops() {
        let text = "abcdef";
        let mut edits = Edits::new();
        edits.replace(text, 0..3, "abc").unwrap();
        assert!(edits.is_empty());
        edits.replace(text, 1..3, "x").unwrap();
        assert!(edits.replace(text, 2..4, "y").is_err());
        assert!(edits.replace(text, 0..2, "y").is_err());
        edits.replace(text, 1..3, "z").unwrap();
        edits.replace(text, 3..4, "w").unwrap();
        assert_eq!(edits.apply(text), "azwef");
    }
}
