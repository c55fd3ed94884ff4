//! What is usual: a moving average and a moving variance, and how far a value is
//! from them.
//!
//! Not here: which values, and what is told of (`watch::monitor`). Exponentially
//! weighted, so that what was long ago fades and nothing has to be kept. Source:
//! T. Finch, "Incremental calculation of weighted mean and variance", University
//! of Cambridge, 2009, section 9.

/// How much a new value weighs against all before it: about the last 20 count.
const WEIGHT: f64 = 0.1;

/// How many values make something usual.
pub const ENOUGH: u32 = 10;

/// A moving average and variance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usual {
    count: u32,
    mean: f64,
    variance: f64,
}

/// A value among what was usual before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The value.
    pub value: f64,
    /// The average before it.
    pub mean: f64,
    /// How many standard deviations it is above, or below where negative.
    pub deviations: f64,
}

impl Usual {
    /// Takes a value in, and says how it stood to those before it; `None` where
    /// they were not [`ENOUGH`]. Where all were nearly the same, `least` stands
    /// for their standard deviation, given their average: nothing is so regular
    /// that any other value is odd.
    pub fn take(&mut self, value: f64, least: impl Fn(f64) -> f64) -> Option<Seen> {
        let known = (self.count >= ENOUGH).then(|| {
            let deviation = self.variance.sqrt().max(least(self.mean));
            let (mean, away) = (self.mean, value - self.mean);
            let deviations = if away == 0.0 { 0.0 } else { away / deviation };
            Seen { value, mean, deviations }
        });
        let away = value - self.mean;
        if self.count == 0 {
            self.mean = value;
        } else {
            let step = WEIGHT * away;
            self.mean += step;
            self.variance = (1.0 - WEIGHT) * (self.variance + away * step);
        }
        self.count = self.count.saturating_add(1);
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition: weights that fall by a constant factor.
    fn of(values: &[f64]) -> (f64, f64) {
        let weights: Vec<f64> = (0_i32..)
            .take(values.len())
            .map(|n| {
                let age = i32::try_from(values.len()).unwrap() - 1 - n;
                let first = if n == 0 { 1.0 } else { WEIGHT };
                first * (1.0 - WEIGHT).powi(age)
            })
            .collect();
        let mean: f64 = values.iter().zip(&weights).map(|(v, w)| v * w).sum();
        let variance = values.iter().zip(&weights).map(|(v, w)| w * (v - mean).powi(2)).sum();
        (mean, variance)
    }

    #[test]
    fn average_and_variance_are_those_of_the_definition() {
        let values: Vec<f64> = (0..50).map(|n| f64::from((n * 37) % 11)).collect();
        let mut usual = Usual::default();
        for (n, value) in values.iter().enumerate() {
            usual.take(*value, |_| 0.0);
            let (mean, variance) = of(&values[..=n]);
            assert!((usual.mean - mean).abs() < 1e-9, "{n}");
            assert!((usual.variance - variance).abs() < 1e-9, "{n}");
        }
    }

    #[test]
    fn ten_values_are_usual_and_an_eleventh_can_be_odd() {
        let mut usual = Usual::default();
        let least = |mean: f64| 0.1 * mean;
        for n in 0..10 {
            assert_eq!(usual.take(if n % 2 == 0 { 9.0 } else { 11.0 }, least), None);
        }
        let odd = usual.take(50.0, least).unwrap();
        assert!(odd.deviations > 3.0 && (9.0..11.0).contains(&odd.mean), "{odd:?}");
        // It is a part of the past now, which is wider for it.
        assert!(usual.take(50.0, least).unwrap().deviations < odd.deviations);
    }

    #[test]
    fn what_never_changed_is_not_odd_for_a_hair() {
        let mut usual = Usual::default();
        for _ in 0..20 {
            usual.take(10.0, |mean| 0.1 * mean);
        }
        assert!(usual.take(11.0, |mean| 0.1 * mean).unwrap().deviations < 1.001);
        let mut nothing = Usual::default();
        for _ in 0..20 {
            nothing.take(0.0, |_| 0.0);
        }
        assert!(nothing.take(0.0, |_| 0.0).unwrap().deviations.abs() < f64::EPSILON);
    }
}
