//! New ids: above every one that was ever given, or drawn by chance.

use crate::model::id::{IdFormat, is_new_id};
use crate::services::config::IdStyle;
use crate::services::context::Context;
use std::collections::HashSet;

/// What a new id must be different from, and what it looks like.
#[derive(Debug)]
pub struct Given {
    /// The ids of the ledger, in table order.
    pub rows: Vec<String>,
    /// Ids of archives and of the past.
    pub former: HashSet<String>,
    /// The pattern that the settings give.
    pub configured: Option<IdFormat>,
    /// What the first id of all begins with.
    pub prefix: &'static str,
}

/// The next id: it continues the pattern of the last row that has digits.
pub fn next(ctx: &Context, given: Given) -> String {
    several(ctx, given, 1).swap_remove(0)
}

/// The next ids, as many as are asked for.
pub fn several(ctx: &Context, given: Given, count: usize) -> Vec<String> {
    let Given { rows, former, configured, prefix } = given;
    // A row whose pattern would give no lawful id (`日本1`) has no say.
    let lawful = |id: &String| IdFormat::of(id).filter(|f| is_new_id(&f.next([id.as_str()])));
    let last = rows.iter().rev().find_map(lawful);
    let past = || former.iter().max().and_then(lawful);
    let plain = || IdFormat { prefix: prefix.to_owned(), width: 3, suffix: String::new() };
    let format = configured.or(last).or_else(past).unwrap_or_else(plain);
    let mut all = former;
    all.extend(rows);
    let mut ids: Vec<String> = Vec::with_capacity(count);
    for _ in 0..count {
        let id = match (ctx.settings.ids.style, ids.last()) {
            (IdStyle::Hash, _) => by_chance(ctx, &format, &all),
            (IdStyle::Sequential, None) => above(&format, &all, all.iter().map(String::as_str)),
            (IdStyle::Sequential, Some(last)) => above(&format, &all, [last.as_str()]),
        };
        all.insert(id.clone());
        ids.push(id);
    }
    ids
}

/// The first id of a format above these that was not given.
fn above<'a>(
    format: &IdFormat,
    given: &HashSet<String>,
    these: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut id = format.next(these);
    while given.contains(&id) {
        id = format.next([id.as_str()]);
    }
    id
}

/// 40 bits of chance in base 32: two branches do not draw the same.
fn by_chance(ctx: &Context, format: &IdFormat, given: &HashSet<String>) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    loop {
        let mut bytes = [0; 8];
        ctx.sys.entropy.fill(&mut bytes);
        let tail: String = bytes.iter().map(|b| char::from(DIGITS[usize::from(b & 31)])).collect();
        let id = format!("{}{tail}{}", format.prefix, format.suffix);
        if !given.contains(&id) {
            return id;
        }
    }
}
