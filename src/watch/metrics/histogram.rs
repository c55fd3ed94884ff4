//! How long things took: how many took up to how long.

use std::time::Duration;

/// Counts of observations by their size, as Prometheus has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The upper ends of the buckets in seconds, ascending; one more has no end.
    bounds: &'static [f64],
    /// How many fell into each bucket, and into none before it.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// None yet.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// One more.
    pub fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let at = self.bounds.iter().position(|bound| seconds <= *bound);
        self.counts[at.unwrap_or(self.bounds.len())] += 1;
        self.sum += seconds;
    }

    /// The same of milliseconds; a clock that went back makes it none.
    pub fn observe_ms(&mut self, ms: i64) {
        self.observe(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together, in seconds.
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// Each bucket's upper end in seconds, and how many were up to that.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let ends = self.bounds.iter().copied().chain([f64::INFINITY]);
        ends.zip(&self.counts).scan(0, |so_far, (end, count)| {
            *so_far += count;
            Some((end, *so_far))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_is_up_to_their_end() {
        let mut histogram = Histogram::new(&[0.5, 2.0]);
        for ms in [500, 501, 2000, 90_000, -7] {
            histogram.observe_ms(ms);
        }
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!(buckets, [(0.5, 2), (2.0, 4), (f64::INFINITY, 5)]);
        assert_eq!(histogram.count(), 5);
        assert!((histogram.sum() - 93.001).abs() < 1e-9);
    }
}
