//! Any bytes are read without a panic, and all three parsers agree.
#![no_main]

#[path = "../../props/documents.rs"]
#[allow(dead_code)]
mod documents;
mod input;
#[path = "../../props/laws.rs"]
#[allow(dead_code, unused_imports)]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    laws::parses_losslessly(data);
    let Some(text) = input::text(data) else { return };
    laws::parses_losslessly(text.as_bytes());
    laws::skeleton_decides_as_the_whole(&text);
    if input::has_odd_blanks(&text) {
        return;
    }
    laws::cells_are_where_pulldown_sees_them(&text);
    laws::comrak_agrees(&text);
});
