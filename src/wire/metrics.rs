//! Figures for a monitoring system, as JSON.

use serde::Serialize;
use std::collections::BTreeMap;

/// `orch metrics`.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct Metrics {
    /// The figures, name by name.
    pub metrics: Vec<Metric>,
}

/// The figures of one name.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// `gauge`, `counter` or `histogram`.
    pub kind: &'static str,
    /// What it is.
    pub help: &'static str,
    /// The figures; none of a histogram.
    pub samples: Vec<Sample>,
    /// A histogram's: how many were up to how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<Bucket>>,
    /// A histogram's: all together, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
    /// A histogram's: how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// One figure.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct Sample {
    /// What it is of.
    pub labels: BTreeMap<&'static str, String>,
    /// The figure.
    pub value: u64,
}

/// A bucket of a histogram.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct Bucket {
    /// Its upper end in seconds, or `+Inf`.
    pub le: String,
    /// How many were up to that.
    pub count: u64,
}
