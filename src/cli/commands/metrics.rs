//! `orch metrics`

use crate::cli::answer::{Answer, Cx, End};
use crate::cli::args::Format;
use crate::cli::commands::next::Reader;
use crate::store::alerts::Alerts;
use crate::watch::metrics::{self, Data, Figures, OwnFigures, Source, bound};
use crate::watch::past::Past;
use crate::wire;
use clap::Args;

/// Arguments of `orch metrics`.
#[derive(Debug, Args)]
pub struct MetricsArgs {}

pub(super) fn run(cx: &mut Cx<'_>, _: MetricsArgs) -> End {
    let reader = Reader::open(cx)?;
    let snapshot = reader.snapshot(cx)?;
    let journal = snapshot.journal()?;
    let figures = metrics::collect(&Source {
        settings: &reader.ctx.settings,
        snapshot: &snapshot,
        past: &Past::of(journal),
        alerts: &Alerts::read(&reader.ctx.sys, &reader.ctx.layout)?,
        now: reader.ctx.now(journal.newest()),
        own: &OwnFigures::default(),
    });
    if cx.global.format() == Format::Table {
        let text = metrics::text(&figures);
        let _ = cx.ui.emit(|out, _| out.write_all(text.as_bytes()))?;
        return Ok(None);
    }
    let data = shape(&figures);
    let rows = rows(&data);
    cx.rows(&Answer {
        kind: "metrics",
        data,
        columns: &["name", "labels", "value"],
        flexible: &[],
        rows,
        warnings: &reader.ctx.warnings,
        next: &[],
    })?;
    Ok(None)
}

fn shape(figures: &Figures) -> wire::metrics::Metrics {
    let metric = |family: &metrics::Family| {
        let (name, help) = (family.name, family.help);
        let kind = family.data.kind();
        let metric = wire::metrics::Metric { name, kind, help, ..Default::default() };
        match &family.data {
            Data::Gauge(samples) | Data::Counter(samples) => {
                let sample = |sample: &metrics::Sample| wire::metrics::Sample {
                    labels: sample.labels.iter().cloned().collect(),
                    value: sample.value,
                };
                let samples = samples.iter().map(sample).collect();
                wire::metrics::Metric { samples, ..metric }
            }
            Data::Histogram(times) => {
                let bucket = |(end, count)| wire::metrics::Bucket { le: bound(end), count };
                wire::metrics::Metric {
                    buckets: Some(times.buckets().map(bucket).collect()),
                    sum: Some(times.sum()),
                    count: Some(times.count()),
                    ..metric
                }
            }
        }
    };
    wire::metrics::Metrics { metrics: figures.families.iter().map(metric).collect() }
}

/// One line a figure, buckets left out.
fn rows(data: &wire::metrics::Metrics) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for metric in &data.metrics {
        for sample in &metric.samples {
            let labels: Vec<String> =
                sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            rows.push(vec![metric.name.to_owned(), labels.join(" "), sample.value.to_string()]);
        }
        if let (Some(sum), Some(count)) = (metric.sum, metric.count) {
            rows.push(vec![format!("{}_sum", metric.name), String::new(), sum.to_string()]);
            rows.push(vec![format!("{}_count", metric.name), String::new(), count.to_string()]);
        }
    }
    rows
}
