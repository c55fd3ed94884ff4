//! Which tokens of one sequence stand in another, in order.
//!
//! Here: matching by what is unique on both sides (patience), so that 100,000
//! rows cost no more than sorting them; the rest by `similar`. Not here: what a
//! token is (`side`), what is made of it (`weave`). Invariant: matches ascend
//! on both sides, and equal sequences match as a whole.

use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;

/// How much work `similar` may have with a stretch in which nothing is unique:
/// its lines times its other lines.
const PATIENCE: usize = 4_000_000;

/// For each token of `a`, where it stands in `b`.
pub(super) fn matches(a: &[u32], b: &[u32]) -> Vec<Option<usize>> {
    let mut found = vec![None; a.len()];
    let mut open = vec![(0..a.len(), 0..b.len())];
    while let Some((mut left, mut right)) = open.pop() {
        while !left.is_empty() && !right.is_empty() && a[left.start] == b[right.start] {
            found[left.start] = Some(right.start);
            left.start += 1;
            right.start += 1;
        }
        while !left.is_empty() && !right.is_empty() && a[left.end - 1] == b[right.end - 1] {
            left.end -= 1;
            right.end -= 1;
            found[left.end] = Some(right.end);
        }
        if left.is_empty() || right.is_empty() {
            continue;
        }
        let anchors = anchors(a, b, &left, &right);
        if anchors.is_empty() {
            by_lines(a, b, &left, &right, &mut found);
            continue;
        }
        let (mut i, mut j) = (left.start, right.start);
        for (x, y) in anchors {
            found[x] = Some(y);
            open.push((i..x, j..y));
            (i, j) = (x + 1, y + 1);
        }
        open.push((i..left.end, j..right.end));
    }
    found
}

/// The longest ascending run of pairs that stand once on each side.
fn anchors(a: &[u32], b: &[u32], left: &Range<usize>, right: &Range<usize>) -> Vec<(usize, usize)> {
    let mut places: HashMap<u32, (Option<usize>, bool)> = HashMap::with_capacity(right.len());
    for j in right.clone() {
        places.entry(b[j]).and_modify(|p| p.0 = None).or_insert((Some(j), false));
    }
    let mut twice: HashMap<u32, usize> = HashMap::with_capacity(left.len());
    for i in left.clone() {
        *twice.entry(a[i]).or_insert(0) += 1;
    }
    let pairs: Vec<(usize, usize)> = left
        .clone()
        .filter(|i| twice[&a[*i]] == 1)
        .filter_map(|i| Some((i, places.get(&a[i])?.0?)))
        .collect();
    ascending(&pairs)
}

/// The longest subsequence of pairs whose second parts ascend (Schensted 1961).
fn ascending(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; pairs.len()];
    for (n, (_, y)) in pairs.iter().enumerate() {
        let at = ends.partition_point(|end| pairs[*end].1 < *y);
        before[n] = at.checked_sub(1).map(|last| ends[last]);
        if at == ends.len() {
            ends.push(n);
        } else {
            ends[at] = n;
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(n) = next {
        run.push(pairs[n]);
        next = before[n];
    }
    run.reverse();
    run
}

fn by_lines(
    a: &[u32],
    b: &[u32],
    left: &Range<usize>,
    right: &Range<usize>,
    found: &mut [Option<usize>],
) {
    // Beyond that nothing matches: a larger conflict, never a wrong line.
    if left.len().saturating_mul(right.len()) > PATIENCE {
        return;
    }
    let ops = capture_diff_slices(Algorithm::Myers, &a[left.clone()], &b[right.clone()]);
    for op in ops {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            for n in 0..len {
                found[left.start + old_index + n] = Some(right.start + new_index + n);
            }
        }
    }
}

/// One stretch that a side has otherwise than the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    /// What it replaces.
    pub base: Range<usize>,
    /// By what.
    pub side: Range<usize>,
}

/// The stretches between the matches.
pub(super) fn hunks(found: &[Option<usize>], side_len: usize) -> Vec<Hunk> {
    let mut hunks = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (at, place) in found.iter().copied().chain([Some(side_len)]).enumerate() {
        let Some(place) = place else { continue };
        if i < at || j < place {
            hunks.push(Hunk { base: i..at, side: j..place });
        }
        (i, j) = (at + 1, place + 1);
    }
    hunks
}

/// Compares ids as people count: `T-9` comes before `T-10`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a, b);
    while let (Some(p), Some(q)) = (x.chars().next(), y.chars().next()) {
        let (m, n) = (digits(x), digits(y));
        if m > 0 && n > 0 {
            let (u, v) = (x[..m].trim_start_matches('0'), y[..n].trim_start_matches('0'));
            let order = u.len().cmp(&v.len()).then_with(|| u.cmp(v));
            if order.is_ne() {
                return order;
            }
            (x, y) = (&x[m..], &y[n..]);
        } else if p == q {
            (x, y) = (&x[p.len_utf8()..], &y[q.len_utf8()..]);
        } else {
            return p.cmp(&q);
        }
    }
    x.len().cmp(&y.len()).then_with(|| a.cmp(b))
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn matches_ascend_and_are_equal(
            a in proptest::collection::vec(0_u32..12, 0..30),
            b in proptest::collection::vec(0_u32..12, 0..30),
        ) {
            let found = matches(&a, &b);
            let pairs: Vec<(usize, usize)> =
                found.iter().enumerate().filter_map(|(i, j)| Some((i, (*j)?))).collect();
            for pair in &pairs {
                proptest::prop_assert_eq!(a[pair.0], b[pair.1]);
            }
            proptest::prop_assert!(pairs.windows(2).all(|w| w[0].1 < w[1].1));
            let mut built = Vec::new();
            let mut at = 0;
            for hunk in hunks(&found, b.len()) {
                built.extend_from_slice(&a[at..hunk.base.start]);
                built.extend_from_slice(&b[hunk.side]);
                at = hunk.base.end;
            }
            built.extend_from_slice(&a[at..]);
            proptest::prop_assert_eq!(built, b);
        }

        #[test]
        fn natural_is_an_order(a in "[T0-2-]{0,5}", b in "[T0-2-]{0,5}", c in "[T0-2-]{0,5}") {
            proptest::prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            proptest::prop_assert_eq!(natural(&a, &b).is_eq(), a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                proptest::prop_assert!(natural(&a, &c).is_le());
            }
        }
    }

    #[test]
    fn ids_are_counted() {
        let mut ids = ["T-10", "T-9", "T-009", "T-1a", "S-3", "T"];
        ids.sort_by(|a, b| natural(a, b));
        assert_eq!(ids, ["S-3", "T", "T-1a", "T-009", "T-9", "T-10"]);
    }

    #[test]
    fn a_moved_row_is_the_only_one_that_does_not_match() {
        assert_eq!(matches(&[1, 2, 3, 4], &[2, 3, 4, 1]), [None, Some(0), Some(1), Some(2)]);
    }
}
