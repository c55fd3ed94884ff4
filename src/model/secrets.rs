//! Secrets that stand in a text: keys, tokens, passwords.
//!
//! Here: their well-known shapes, and how random a value has to look where
//! only its name speaks of a secret. Not here: where texts come from and what a
//! secret in them means (`services`). Invariant: time grows with the length of
//! the text and no faster, whatever the text.
//!
//! What stands for a secret without being one passes: `CHANGEME`, `xxxx`,
//! `<token>`, `${TOKEN}`, `{{ token }}`, `your-token-here`, and whatever has
//! `EXAMPLE` in it. So do hashes and UUIDs that no name calls a secret.

use regex::Regex;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What it is, such as `github-token`.
    pub kind: &'static str,
    /// Its bytes: the value alone, without its name and its quotes.
    pub range: Range<usize>,
}

/// The secrets in a text, in its order; none overlaps another.
pub fn find(text: &str) -> Vec<Secret> {
    let mut found = private_keys(text);
    for rule in &*RULES {
        rule.search(text, &mut found);
    }
    // The stable sort lets the rule that knows more name what two rules found.
    found.sort_by_key(|secret| secret.range.start);
    found.dedup_by(|later, kept| {
        let overlaps = later.range.start < kept.range.end;
        if overlaps {
            kept.range.end = kept.range.end.max(later.range.end);
        }
        overlaps
    });
    found
}

/// The text with `[REDACTED <kind>]` in the place of each secret.
pub fn redact(text: &str) -> Cow<'_, str> {
    let found = find(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for secret in found {
        out.push_str(&text[from..secret.range.start]);
        out.push_str("[REDACTED ");
        out.push_str(secret.kind);
        out.push(']');
        from = secret.range.end;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

// ---- shapes ----------------------------------------------------------------

/// A kind of secret.
struct Rule {
    kind: &'static str,
    /// Its last group is the value, else the whole match is.
    pattern: Regex,
    /// Whether the value may only begin where a word does, and end where one
    /// ends: tokens do, values in quotes need not.
    is_word: bool,
    accept: fn(&str) -> bool,
}

impl Rule {
    fn search(&self, text: &str, found: &mut Vec<Secret>) {
        for captures in self.pattern.captures_iter(text) {
            if captures.name("rest").is_some_and(|rest| names_no_value(rest.as_str())) {
                continue;
            }
            let Some(value) = captures.iter().flatten().last() else { continue };
            let stands_alone = !self.is_word || is_alone(text, &value.range());
            if stands_alone && !is_placeholder(value.as_str()) && (self.accept)(value.as_str()) {
                found.push(Secret { kind: self.kind, range: value.range() });
            }
        }
    }
}

/// Whether the bytes on both sides belong to no longer word.
fn is_alone(text: &str, range: &Range<usize>) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let before = range.start.checked_sub(1).and_then(|at| text.as_bytes().get(at));
    !is_word(before) && !is_word(text.as_bytes().get(range.end))
}

/// The rules, those that know more first.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |kind, pattern: &str, is_word, accept| Rule {
        kind,
        pattern: Regex::new(pattern).expect("the patterns are constant, and a test compiles them"),
        is_word,
        accept,
    };
    let token = |kind, pattern, accept| rule(kind, pattern, true, accept);
    let assigned = |kind, names: &str, value: &str, accept: fn(&str) -> bool| {
        rule(kind, &format!("(?:{names}){ASSIGN}{value}"), false, accept)
    };
    let is_aws_secret: fn(&str) -> bool = |v| v.len() == 40 && is_base64(v);
    vec![
        token("aws-access-key", "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}", |_| true),
        assigned("aws-secret-key", AWS_SECRET, QUOTED, is_aws_secret),
        assigned("aws-secret-key", AWS_SECRET, BARE, is_aws_secret),
        token("github-token", "gh[pousr]_[A-Za-z0-9]+", |v| v.len() >= 36),
        token("github-token", "github_pat_[A-Za-z0-9_]+", |v| v.len() >= 40),
        token("gitlab-token", "gl(?:pat|ptt|rt|dt|cbt)-[A-Za-z0-9_.-]+", |v| v.len() >= 20),
        token("slack-token", "xox[abceoprs]-[A-Za-z0-9-]+", |v| v.len() >= 15),
        token("slack-webhook", "hooks\\.slack\\.com/services/(T[A-Za-z0-9/]+)", |v| v.len() >= 30),
        token("google-key", "AIza[A-Za-z0-9_-]+", |v| v.len() == 39),
        token("stripe-key", "[sr]k_live_[A-Za-z0-9]+", |v| v.len() >= 24),
        token("api-key", "sk-[A-Za-z0-9_-]+", |v| v.len() >= 24 && is_random(v)),
        token("npm-token", "npm_[A-Za-z0-9]+", |v| v.len() >= 40),
        token("pypi-token", "pypi-[A-Za-z0-9_-]+", |v| v.len() >= 40),
        token("huggingface-token", "hf_[A-Za-z0-9]+", |v| v.len() >= 34),
        token("docker-token", "dckr_pat_[A-Za-z0-9_-]+", |v| v.len() >= 30),
        token("digitalocean-token", "do[opr]_v1_[a-f0-9]+", |v| v.len() >= 60),
        token("sendgrid-key", "SG\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+", |v| v.len() >= 50),
        token("jwt", "eyJ[A-Za-z0-9_-]+\\.eyJ[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+", |v| v.len() >= 60),
        rule("account-key", "(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/=]+)", false, |v| {
            v.len() >= 40
        }),
        // Such as `postgres://ada:…@db`; what follows is no part of the match.
        rule("url-password", "://[^\\s/?#:@\"'`<>]*:([^\\s/?#@\"'`<>]+)@", false, |v| v.len() >= 3),
        rule("bearer-token", "(?:[Bb]earer|BEARER) ([A-Za-z0-9._~+/=-]+)", false, |v| {
            v.len() >= 20 && is_random(v)
        }),
        assigned("password", NAMES, QUOTED, is_random),
        assigned("password", NAMES, BARE, is_very_random),
    ]
});

/// Names that call their value a secret, whatever stands before them.
const NAMES: &str = "(?i-u:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key\
    |auth[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|credentials?)\
    |パスワード|トークン|シークレット|秘密鍵";

const AWS_SECRET: &str =
    "(?i-u:aws[_-]?secret(?:[_-]?(?:access[_-]?)?key)?|secret[_-]?access[_-]?key)";

/// What stands between a name and its value; a name may go on, as `token_v2`.
const ASSIGN: &str = "(?<rest>[A-Za-z0-9_.-]*)[\"'`\\\\\\]]*[ \\t　]*(?::=|=>|[:=：＝])[ \\t　]*";

/// A value in quotes, those of strings within strings too.
const QUOTED: &str = "(?:[brf]?\\\\?\"([^\"\\\\\\s]+)\\\\?\"|[brf]?\\\\?'([^'\\\\\\s]+)\\\\?'\
    |`([^`\\s]+)`|「([^」\\s]+)」)";

/// A value without quotes, up to a blank, a comma, what closes quotes or
/// brackets around it, or the end of line or cell.
const BARE: &str = "([A-Za-z0-9_+/=.~!@#$%^&*-]+)(?:[\\s,;|、。<\"'`}\\])]|$)";

/// Whether a name is not that of a secret, though it begins like one.
fn names_no_value(rest: &str) -> bool {
    let lower = rest.to_ascii_lowercase();
    ["hash", "sha1", "sha256", "sha512", "digest", "checksum", "fingerprint", "public"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Private keys between the marks of PEM, with their marks.
fn private_keys(text: &str) -> Vec<Secret> {
    static MARK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new("-----(BEGIN|END) [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
            .expect("the pattern is constant, and a test compiles it")
    });
    let mut found = Vec::new();
    let mut push = |range: Range<usize>, body: &str| {
        if is_key_material(body) {
            found.push(Secret { kind: "private-key", range });
        }
    };
    // Where the last open key begins, and its body does.
    let mut open: Option<(usize, usize)> = None;
    let mut last = 0;
    for captures in MARK.captures_iter(text) {
        let (Some(mark), Some(word)) = (captures.get(0), captures.get(1)) else { continue };
        let is_begin = word.as_str() == "BEGIN";
        match open.take() {
            Some((from, body)) => {
                let to = if is_begin { mark.start() } else { mark.end() };
                push(from..to, &text[body..mark.start()]);
            }
            // The end of a key whose beginning was cut off.
            None if !is_begin => {
                let body = key_lines_at_end(&text[last..mark.start()]);
                push(mark.start() - body.len()..mark.end(), body);
            }
            None => {}
        }
        if is_begin {
            open = Some((mark.start(), mark.end()));
        }
        last = mark.end();
    }
    if let Some((from, body)) = open {
        push(from..text.len(), &text[body..]);
    }
    found
}

/// The last lines of a text that look like the inside of a key, and what stands
/// before the mark behind them.
fn key_lines_at_end(text: &str) -> &str {
    let is_inside = |line: &&str| {
        let line = line.trim_end_matches(['\n', '\r']).trim_start_matches([' ', '+', '-']);
        line.len() >= 16 && is_base64(line)
    };
    let marked = text.len() - text.rfind('\n').map_or(0, |at| at + 1);
    let whole = text[..text.len() - marked].split_inclusive('\n').rev();
    let length = marked + whole.take_while(is_inside).map(str::len).sum::<usize>();
    &text[text.len() - length..]
}

/// Whether there is a key between the marks: many words of documentation name
/// the marks and have none.
fn is_key_material(body: &str) -> bool {
    let is_inside = |word: &&str| {
        word.len() >= 40
            && is_base64(word)
            && !is_placeholder(word)
            && [u8::is_ascii_digit, u8::is_ascii_uppercase, u8::is_ascii_lowercase]
                .iter()
                .all(|class| word.bytes().any(|b| class(&b)))
    };
    // Within JSON and source text a line end is `\n`.
    body.split(|c: char| c.is_whitespace() || matches!(c, '\\' | '"' | '\'' | ',')).any(|word| {
        let word = word.strip_prefix(['n', 'r']).unwrap_or(word);
        Some(word).as_ref().is_some_and(is_inside)
    })
}

// ---- how random a value looks ----------------------------------------------

fn is_base64(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

/// Whether a value that its name calls a secret looks like one: letters and
/// digits, neither a word nor a path nor a call nor a plain number.
fn is_random(value: &str) -> bool {
    let has = |class: fn(&u8) -> bool| value.bytes().any(|b| class(&b));
    let is_code = value.contains(['(', ')', '{', '}', '[', ']', '<', '>', '|'])
        || value.contains("://")
        || value.contains("::");
    value.len() >= 8
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !is_code
        && !is_name_with_number(value)
        && !is_time(value)
        && is_mixed(value)
}

/// The same for a value without quotes, which may be a name of the program.
fn is_very_random(value: &str) -> bool {
    let digits = value.as_bytes().windows(2);
    let runs = digits.filter(|pair| !pair[0].is_ascii_digit() && pair[1].is_ascii_digit()).count()
        + usize::from(value.starts_with(|c: char| c.is_ascii_digit()));
    value.len() >= 10 && runs >= 2 && is_random(value)
}

/// Words with a number at the end of one, such as `oauth2-token` or
/// `config.v2.token`: names, and no values.
fn is_name_with_number(value: &str) -> bool {
    let is_word = |word: &str| {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        word.len() - letters.len() <= 2 && letters.bytes().all(|b| b.is_ascii_alphabetic())
    };
    value.contains(['_', '-', '.', '/']) && value.split(['_', '-', '.', '/']).all(is_word)
}

/// `2026-01-01T09:00:00Z` and the like.
fn is_time(value: &str) -> bool {
    let b = value.as_bytes();
    let is = |at: usize, byte: u8| b.get(at) == Some(&byte);
    b.iter().take(4).all(u8::is_ascii_digit) && is(4, b'-') && is(7, b'-') && is(10, b'T')
}

/// Whether its Shannon entropy is 2.5 bits a byte or more: with n bytes, of which
/// each kind occurs c times, whether n log n - (sum of c log c) >= 2.5 n.
///
/// In whole numbers: with floats their `log2` would be the one thing for which
/// the system has to load its library of mathematics at every start of the program.
fn is_mixed(text: &str) -> bool {
    let mut counts = [0_u64; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let times_log = |n: u64| u128::from(n) * u128::from(log2(n));
    let length = counts.iter().sum::<u64>();
    let part: u128 = counts.iter().filter(|count| **count > 0).map(|c| times_log(*c)).sum();
    2 * (times_log(length) - part) >= u128::from(5 * length) << LOG_BITS
}

/// How many bits behind the point a logarithm has.
const LOG_BITS: u32 = 24;

/// The logarithm to base 2 of a number above 0, in units of 2^-24, not above the
/// true one. That of 2n is exactly one more than that of n.
///
/// Digit by digit: a mantissa of 1 to 2 is squared, and where that gives 2 or more
/// the next digit is one (Knuth, The Art of Computer Programming, section 1.2.2).
fn log2(n: u64) -> u64 {
    let mut mantissa = (n << n.leading_zeros()) >> 32;
    let mut log = u64::from(n.ilog2());
    for _ in 0..LOG_BITS {
        mantissa = (mantissa * mantissa) >> 31;
        let digit = mantissa >> 32;
        mantissa >>= digit;
        log = 2 * log + digit;
    }
    log
}

/// Whether a value only shows where a secret goes.
fn is_placeholder(value: &str) -> bool {
    const WORDS: [&str; 11] = [
        "example",
        "changeme",
        "change-me",
        "change_me",
        "placeholder",
        "redacted",
        "dummy",
        "replace",
        "xxxx",
        "****",
        "....",
    ];
    // The rest of a word after its mark, such as `ghp_`.
    let tail = value.rsplit(['_', '-']).next().unwrap_or(value);
    let is_one_character = |text: &str| {
        let mut chars = text.chars();
        chars.next().is_some_and(|first| chars.all(|c| c == first))
    };
    let is_hole = |open: char, close: char| {
        value.contains(open) && value[value.find(open).unwrap_or(0)..].contains(close)
    };
    let is_variable = value.starts_with(['$', '%']) && {
        let name = value.trim_matches(['$', '%', '{', '}']);
        name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    if is_one_character(value)
        || is_one_character(tail) && tail.len() >= 4
        || is_hole('<', '>')
        || value.contains("${")
        || value.contains("$(")
        || value.contains("{{")
        || is_variable
    {
        return true;
    }
    let lower = value.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
        || ["your-", "your_", "my-", "my_"].iter().any(|word| lower.starts_with(word))
        || lower.ends_with("-here")
        || lower.ends_with("_here")
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
