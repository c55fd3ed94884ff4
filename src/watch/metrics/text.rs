//! Figures as text: the exposition format of Prometheus, version 0.0.4.
//!
//! By hand: the library there is (`prometheus-client`) writes `OpenMetrics`, where
//! the type of a counter stands under its name without `_total`. Tried with the
//! reader of our tests, every counter had no type then. This format is read alike
//! by Prometheus and by what collects files for it from cron.

use super::{Data, Figures, Sample};
use std::fmt::Write as _;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text of all figures.
pub fn text(figures: &Figures) -> String {
    let mut out = String::new();
    for family in &figures.families {
        let (name, kind) = (family.name, family.data.kind());
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        match &family.data {
            Data::Gauge(samples) | Data::Counter(samples) => {
                for sample in samples {
                    let _ = writeln!(out, "{name}{} {}", labels(sample), sample.value);
                }
            }
            Data::Histogram(times) => {
                for (end, count) in times.buckets() {
                    let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {count}", bound(end));
                }
                let (sum, count) = (times.sum(), times.count());
                let _ = writeln!(out, "{name}_sum {sum}\n{name}_count {count}");
            }
        }
    }
    out
}

impl Data {
    /// What figures of this kind are called.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Gauge(_) => "gauge",
            Self::Counter(_) => "counter",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// The end of a bucket, as its label has it.
pub fn bound(end: f64) -> String {
    if end.is_infinite() { "+Inf".to_owned() } else { end.to_string() }
}

fn labels(sample: &Sample) -> String {
    if sample.labels.is_empty() {
        return String::new();
    }
    let label = |(name, value): &(&str, String)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{name}=\"{value}\"")
    };
    let labels: Vec<String> = sample.labels.iter().map(label).collect();
    format!("{{{}}}", labels.join(","))
}
