//! How much an answer holds: what an agent reads from a claim to a submit is at most
//! 1,500 tokens, whatever the ledger holds.
//!
//! Tokens are those of `cl100k`, which is not in the program: here they are estimated,
//! and never too low (the tests compare). What people wrote is cut to what is left
//! beside ids, actors and the commands to type, and `cut` names what was.

use serde_json::Value;

/// Tokens of the answer to a claim, with the commands that follow it.
pub const CLAIM: usize = 1_000;
/// Of every other answer on the way: submit, renew, release, handover.
pub const STEP: usize = 470;

/// What people write: its place, the tokens that it may always have, and its share of
/// the room, in thousandths. What others leave goes to the first that need more.
const PARTS: [(&str, usize, usize); 24] = [
    ("task.title", 8, 80),
    ("claimed.title", 8, 80),
    ("handover.text", 0, 220),
    ("criteria", 0, 200),
    ("task.notes", 0, 120),
    ("claimed.notes", 0, 120),
    ("detail", 0, 200),
    ("depends_on", 0, 120),
    ("task.artifact", 8, 40),
    ("claimed.artifact", 8, 40),
    ("handover.actor", 8, 40),
    ("task.extra", 1, 40),
    ("claimed.extra", 1, 40),
    ("task.depends", 1, 40),
    ("claimed.depends", 1, 40),
    ("reaped", 1, 20),
    // Ours, unless somebody typed something else.
    ("task.state", 8, 0),
    ("task.owner", 80, 0),
    ("claimed.owner", 80, 0),
    ("task.due", 30, 0),
    ("claimed.due", 30, 0),
    ("task.lock", 120, 0),
    ("task.lock_owner", 80, 0),
    ("task.lock_expires_at", 30, 0),
];

/// Cuts what people wrote so that the answer and the commands after it stay within so
/// many tokens. Gives the places that were cut.
pub fn fit(data: &mut Value, next: &[String], tokens: usize) -> Vec<String> {
    let next: usize = next.iter().map(|command| 2 + weight(command)).sum();
    // `{"schema":"orch/1","kind":…,"data":…,"warnings":[],"next":[…]}`
    let whole = 30 + next + cost(data);
    if whole <= tokens {
        return Vec::new();
    }
    let mut wants: Vec<(&str, usize, usize)> = Vec::new();
    let (mut parts, mut floors) = (0, 0);
    for (place, floor, share) in PARTS {
        let Some(want) = data.pointer(&pointer(place)).map(cost).filter(|w| *w > floor) else {
            continue;
        };
        parts += want;
        floors += floor;
        wants.push((place, want, floor * 1000 + share));
    }
    // `cut` itself.
    let room = tokens.saturating_sub(whole - parts + floors + 24);
    let mut grants: Vec<usize> = wants
        .iter()
        .map(|(_, want, share)| (*want).min(share / 1000 + room * (share % 1000) / 1000))
        .collect();
    let mut left = (room + floors).saturating_sub(grants.iter().sum());
    for ((_, want, _), grant) in wants.iter().zip(&mut grants) {
        let more = left.min(want - *grant);
        *grant += more;
        left -= more;
    }
    let mut cut = Vec::new();
    for ((place, want, _), grant) in wants.iter().zip(grants) {
        if let Some(part) = data.pointer_mut(&pointer(place)).filter(|_| grant < *want) {
            shorten(part, grant);
            cut.push((*place).to_owned());
        }
    }
    cut
}

fn pointer(place: &str) -> String {
    format!("/{}", place.replace('.', "/"))
}

/// Cuts a text behind as much as goes, or a list behind the last thing that does.
fn shorten(part: &mut Value, tokens: usize) {
    match part {
        Value::String(text) => *text = beginning(text, tokens),
        Value::Array(list) => {
            let each = (tokens / 4).max(24);
            for item in list.iter_mut() {
                shorten_texts(item, each);
            }
            let mut room = tokens.saturating_sub(1);
            let fits = list.iter().take_while(|item| {
                let cost = cost(item);
                let fits = cost <= room;
                room = room.saturating_sub(cost);
                fits
            });
            let count = fits.count();
            list.truncate(count);
        }
        Value::Object(_) => {
            shorten_texts(part, tokens / 2);
            if cost(part) > tokens {
                *part = Value::Object(serde_json::Map::new());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Cuts every text in a thing.
fn shorten_texts(item: &mut Value, tokens: usize) {
    match item {
        Value::String(text) if weight(text) > tokens => *text = beginning(text, tokens),
        Value::Object(members) => members.values_mut().for_each(|v| shorten_texts(v, tokens)),
        _ => {}
    }
}

/// As much of a text as goes into so many tokens, `…` included.
fn beginning(text: &str, tokens: usize) -> String {
    let mut meter = Meter::default();
    let room = 10 * tokens.saturating_sub(3);
    let mut end = 0;
    for (at, c) in text.char_indices() {
        meter.add_in_json(c);
        if meter.tenths > room {
            break;
        }
        end = at + c.len_utf8();
    }
    format!("{}…", text[..end].trim_end())
}

/// Tokens of a value in JSON, never too low.
fn cost(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(number) => number.to_string().len().div_ceil(3),
        Value::String(text) => 2 + weight(text),
        Value::Array(list) => 1 + list.iter().map(|item| 1 + cost(item)).sum::<usize>(),
        Value::Object(members) => {
            let name = |name: &str| {
                if is_plain(name) { 2 + name.matches('_').count() } else { 2 + weight(name) }
            };
            1 + members.iter().map(|(key, value)| name(key) + cost(value)).sum::<usize>()
        }
    }
}

/// Whether a name is one of ours and not of a column.
fn is_plain(name: &str) -> bool {
    name.len() <= 16 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// Tokens of a text in JSON, never too low.
pub fn weight(text: &str) -> usize {
    let mut meter = Meter::default();
    text.chars().for_each(|c| meter.add_in_json(c));
    meter.tenths.div_ceil(10)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Class {
    #[default]
    Start,
    Lower,
    Upper,
    Digit,
    Blank,
    Sign,
    Other,
}

/// Counts tenths of tokens, character by character.
#[derive(Debug, Default)]
struct Meter {
    tenths: usize,
    class: Class,
    run: usize,
}

impl Meter {
    /// A character as JSON spells it.
    fn add_in_json(&mut self, c: char) {
        match c {
            '"' | '\\' => {
                self.add('\\');
                self.add(c);
            }
            '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => {
                self.add('\\');
                self.add('n');
            }
            c if c.is_ascii_control() => self.tenths += 50,
            c => self.add(c),
        }
    }

    fn add(&mut self, c: char) {
        let class = match c {
            'a'..='z' => Class::Lower,
            'A'..='Z' => Class::Upper,
            '0'..='9' => Class::Digit,
            ' ' => Class::Blank,
            c if c.is_ascii() => Class::Sign,
            _ => Class::Other,
        };
        self.run = if class == self.class { self.run + 1 } else { 0 };
        self.tenths += match class {
            // A word and the blank before it are seldom more than two or three.
            Class::Lower if self.run > 0 || self.class == Class::Upper => 6,
            Class::Upper if self.run > 0 => 8,
            Class::Digit if !self.run.is_multiple_of(3) => 0,
            Class::Blank if self.run > 0 => 3,
            Class::Blank => 2,
            Class::Sign if self.run > 0 => 8,
            Class::Other => of_other(c),
            _ => 10,
        };
        self.class = class;
    }
}

/// Beyond ASCII a character may be as many tokens as it has bytes; those that are
/// written often are fewer.
fn of_other(c: char) -> usize {
    match c {
        '\u{3001}'..='\u{3011}' => 14,
        '\u{3041}'..='\u{30fe}' => 20,
        c => 10 * c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fmt::Write as _;
    use tiktoken_rs::cl100k_base_singleton;

    fn tokens(text: &str) -> usize {
        cl100k_base_singleton().encode_ordinary(text).len()
    }

    /// Random letters of one kind, from a seed.
    fn random(seed: u64, len: usize, letters: &[char]) -> String {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap_or_default()
        };
        (0..len).map(|_| letters[next() % letters.len()]).collect()
    }

    fn kinds() -> Vec<(&'static str, Vec<char>)> {
        let range = |from: char, to: char| (from..=to).collect::<Vec<char>>();
        let text = |text: &str| text.chars().collect::<Vec<char>>();
        vec![
            ("lower", range('a', 'z')),
            ("words", text("etaoin shrdlu the and ")),
            ("upper", range('A', 'Z')),
            ("hex", text("0123456789abcdef")),
            ("base64", [range('a', 'z'), range('A', 'Z'), range('0', '9'), text("+/")].concat()),
            ("printable", range(' ', '~')),
            ("signs", text("!@#$%^&*()_+-=[]{};:,.<>/?|`~\"\\'")),
            ("digits", range('0', '9')),
            ("blanks", text("  \n\t")),
            ("kana", range('\u{3041}', '\u{3096}')),
            ("katakana", range('\u{30a1}', '\u{30fa}')),
            ("kanji", range('\u{4e00}', '\u{9fff}')),
            ("hangul", range('\u{ac00}', '\u{d7a3}')),
            ("latin", range('\u{a1}', '\u{24f}')),
            ("greek", range('\u{370}', '\u{3ff}')),
            ("cyrillic", range('\u{400}', '\u{45f}')),
            ("marks", text("a\u{300}\u{301}\u{35f}\u{489}")),
            ("arabic", range('\u{620}', '\u{64a}')),
            ("thai", range('\u{e01}', '\u{e3a}')),
            ("emoji", range('\u{1f300}', '\u{1f6ff}')),
            ("family", text("\u{1f468}\u{200d}\u{1f469}\u{fe0f}")),
            ("rare", range('\u{20000}', '\u{20fff}')),
            ("tags", range('\u{e0020}', '\u{e007e}')),
            ("mixed", text("aZ9 .\u{3042}\u{6f22}\u{1f600}\u{e9}-")),
        ]
    }

    #[test]
    fn a_weight_is_never_too_low() {
        let mut table = String::new();
        for (name, letters) in kinds() {
            let mut worst = 0.0_f64;
            for seed in 0..40 {
                for len in [3, 17, 64, 400] {
                    let text = random(seed, len, &letters);
                    let json = Value::from(text.as_str()).to_string();
                    let (is, said) = (tokens(&json), cost(&Value::from(text)));
                    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
                    let ratio = is as f64 / said as f64;
                    worst = worst.max(ratio);
                }
            }
            let _ = writeln!(table, "{name}: {worst:.2}");
        }
        let low = table.lines().filter(|line| {
            let ratio = line.rsplit(' ').next().and_then(|r| r.parse::<f64>().ok());
            ratio.is_none_or(|ratio| ratio > 1.0)
        });
        assert_eq!(low.count(), 0, "{table}");
    }

    #[test]
    fn what_is_cut_fits_and_is_named() {
        for (name, letters) in kinds() {
            let text = |seed, len| random(seed, len, &letters);
            let mut data = json!({
                "task": {"task_id": text(1, 64), "title": text(2, 900), "notes": text(3, 9000),
                         "depends": [text(4, 60), text(5, 60)], "extra": {text(6, 40): text(7, 900)}},
                "detail": text(8, 100_000),
                "criteria": (9..60).map(|n| json!({"text": text(n, 300), "done": false})).collect::<Vec<_>>(),
                "depends_on": (60..110).map(|n| json!({"task_id": text(n, 64), "title": text(n, 200)})).collect::<Vec<_>>(),
                "handover": {"ts": "2026-01-01T09:00:00Z", "actor": "WORK@ada", "text": text(200, 16_000)},
                "already": false,
            });
            let cut = fit(&mut data, &[], CLAIM);
            assert!(cut.contains(&"detail".to_owned()), "{name}: {cut:?}");
            let is = tokens(&data.to_string());
            assert!(is <= CLAIM - 30, "{name}: {is} tokens\n{data:#}");
        }
        let mut small = json!({"task": {"title": "x"}, "detail": "Text."});
        let before = small.clone();
        assert_eq!(fit(&mut small, &[], CLAIM), Vec::<String>::new());
        assert_eq!(small, before);
    }

    #[test]
    fn a_text_is_cut_at_a_letter() {
        assert_eq!(beginning("漢字かな", 3), "…");
        assert!(beginning("word word word word", 5).ends_with('…'));
        let mut list = json!(["a", "b"]);
        shorten(&mut list, 1);
        assert_eq!(list, json!([]));
    }
}
