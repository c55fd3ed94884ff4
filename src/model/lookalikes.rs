//! Characters that look like plain ones.
//!
//! Here: the part of the confusables of UTS 39 (Unicode Technical Standard 39,
//! `confusables.txt`) whose prototype is ASCII, as one text. Not here: who is
//! mistaken for whom (`services::duties`). Why not the whole table: names are
//! ASCII, and six thousand pointers in a program are relocated each time it
//! starts. A test holds this part against the whole.

/// Each line is a prototype, a blank, and what looks like it.
const TABLE: &str = include_str!("lookalikes.txt");

/// The plain text that a character looks like; none for one that looks like
/// itself only.
pub fn plain(c: char) -> Option<&'static str> {
    TABLE.lines().find_map(|line| {
        let (prototype, alike) = line.split_once(' ')?;
        alike.contains(c).then_some(prototype)
    })
}

/// A text with every character as the plain one that it looks like.
pub fn skeleton(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match plain(c) {
            Some(prototype) => out.push_str(prototype),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The table as UTS 39 has it.
    fn table() -> String {
        let mut lines: BTreeMap<String, String> = BTreeMap::new();
        for c in ('\u{21}'..=char::MAX).filter(|c| !c.is_whitespace() && !c.is_control()) {
            let one = c.to_string();
            let whole: String = unicode_security::confusable_detection::skeleton(&one).collect();
            if whole != one && !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_graphic()) {
                lines.entry(whole).or_default().push(c);
            }
        }
        let mut table = String::new();
        for (prototype, alike) in lines {
            table.push_str(&format!("{prototype} {alike}\n"));
        }
        table
    }

    #[test]
    fn the_table_is_what_the_standard_says() {
        assert_eq!(TABLE, table());
    }

    #[test]
    fn texts_that_look_alike_are_one() {
        assert_eq!(skeleton("b\u{43e}b"), "bob");
        assert_eq!(skeleton("\u{131}an"), "ian");
        assert_eq!(skeleton("m1"), skeleton("rnl"));
        assert_eq!(skeleton("\u{5c71}\u{7530}"), "\u{5c71}\u{7530}");
        assert_eq!(plain('b'), None);
    }
}
