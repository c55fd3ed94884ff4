//! `fmt` keeps every value, and a second time changes nothing.
#![no_main]

#[path = "../../props/documents.rs"]
#[allow(dead_code)]
mod documents;
mod input;
#[path = "../../props/laws.rs"]
#[allow(dead_code, unused_imports)]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(text) = input::text(data) else { return };
    laws::fmt_is_idempotent_and_keeps_values(&text);
});
