//! One cell set, one row added, some edits undone: nothing else moves.
//! The last 24 bytes choose what is done, the others are the ledger.
#![no_main]

#[path = "../../props/documents.rs"]
mod documents;
mod input;
#[path = "../../props/laws.rs"]
#[allow(dead_code, unused_imports)]
mod laws;

use documents::Choices;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(text) = input::text(data) else { return };
    if input::has_odd_blanks(&text) {
        return;
    }
    let mut c = Choices::new(&data[data.len().saturating_sub(24)..]);
    let (row, column) = (c.pick(16), c.pick(32));
    let value = documents::value(&mut c);
    laws::a_set_changes_only_its_cell(&text, row, column, &value);
    let other = documents::value(&mut c);
    let values = [(c.pick(16), value.as_str()), (c.pick(16), other.as_str())];
    laws::an_added_row_is_one_line(&text, "NEW-1", &values);
    let cuts = [
        (c.pick(256) * 4, c.pick(64), value.as_str()),
        (c.pick(256), c.pick(8), other.as_str()),
        (c.pick(256), 0, "x"),
    ];
    laws::an_edit_inverts(&text, &cuts);
});
