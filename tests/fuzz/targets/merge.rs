//! Three versions of one ledger, or any three texts: no panic, nothing lost,
//! and the same from both sides.
#![no_main]

#[path = "../../props/documents.rs"]
#[allow(dead_code)]
mod documents;
mod input;
#[path = "../../props/laws.rs"]
#[allow(dead_code, unused_imports)]
mod laws;

use documents::Choices;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    laws::a_merge_is_what_the_model_says(&mut Choices::new(data));
    let mut texts = data.split(|byte| *byte == 0xfe).map(input::text);
    if let (Some(Some(base)), Some(Some(ours)), Some(Some(theirs))) =
        (texts.next(), texts.next(), texts.next())
    {
        laws::a_merge_keeps_what_both_did(&base, &ours, &theirs);
    }
    let (document, edits) = data.split_at(data.len() - data.len().min(64));
    let Some(base) = input::text(document) else { return };
    let mut c = Choices::new(edits);
    let (ours, theirs) = (laws::edited(&base, &mut c), laws::edited(&base, &mut c));
    laws::a_merge_keeps_what_both_did(&base, &ours, &theirs);
});
