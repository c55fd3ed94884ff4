//! Every figure, and that others can read their text.
#![allow(clippy::disallowed_methods, reason = "the tests place files by hand")]

use super::*;
use crate::model::alert::Condition;
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::store::snapshot::{Files, Want};
use crate::sys::sim::Sim;
use prometheus_parse::{Scrape, Value};
use std::collections::BTreeMap;
use std::fs;

const TASKS: &str = "\
| task_id | title | state | owner | lock | lock_owner | lock_expires_at |
|---|---|---|---|---|---|---|
| T-1 | a | READY | - | - | - | - |
| T-2 | b | DOING | - | - | WORK@ada | 2026-01-01T01:00:00Z |
| T-3 | c | DOING | - | - | WORK@bob | 2025-12-31T00:00:00Z |
| T-4 | d | SOMETHING \"odd\" | - | - | - | - |
";
const APPROVALS: &str = "\
| appr_id | task_id | op | status | ts_req |
|---|---|---|---|---|
| A1 | T-1 | ship | pending | 2025-12-31T23:00:00Z |
| A2 | T-1 | ship | approved | 2025-12-01T00:00:00Z |
| A3 | T-1 | ship | pending | 2025-12-01T00:00:00Z |
| A4 | T-1 | ship | perhaps | - |
";

fn figures() -> Figures {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(fs::canonicalize(dir.path()).unwrap());
    fs::create_dir_all(layout.state_dir()).unwrap();
    fs::write(layout.tasks(), TASKS).unwrap();
    fs::write(layout.approvals(), APPROVALS).unwrap();
    let sys = Sim::new(&layout.root).sys();
    let files = Files::read(&sys, &layout, Want::All).unwrap();
    let snapshot = Snapshot::parse(&sys, &layout, &files).unwrap();
    let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let mut alerts = Alerts::default();
    let found = [Condition::new(Kind::Disk, "disk", "little")];
    alerts.sync(&sys, &layout, now, &found, &[]).unwrap();
    let mut own = OwnFigures::default();
    own.transaction(Duration::from_millis(20));
    let settings = "approvals: {expire_after: 14d}";
    let settings = crate::services::config::load(settings, "orch.yaml").unwrap().settings;
    let past = Past::of(&Journal::of(Vec::new()));
    let (past, own) = (&past, &own);
    collect(&Source { settings: &settings, snapshot: &snapshot, past, alerts: &alerts, now, own })
}

/// The figures by name and labels, as another program reads them.
fn read(text: &str) -> BTreeMap<String, Value> {
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let read = scrape.samples.into_iter().map(|sample| {
        let mut labels: Vec<_> = sample.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        labels.sort();
        (format!("{} {}", sample.metric, labels.join(" ")).trim_end().to_owned(), sample.value)
    });
    read.collect()
}

#[test]
fn another_program_reads_every_figure_with_its_type() {
    let read = read(&text(&figures()));
    let gauge = |name: &str| match read.get(name) {
        Some(Value::Gauge(value)) => *value,
        other => panic!("{name}: {other:?}"),
    };
    let counter = |name: &str| match read.get(name) {
        Some(Value::Counter(value)) => *value,
        other => panic!("{name}: {other:?}"),
    };
    let is = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-9, "{value}");
    is(gauge("orch_tasks state=READY"), 1.0);
    is(gauge("orch_tasks state=DOING"), 2.0);
    is(gauge("orch_tasks state=DONE"), 0.0);
    is(gauge("orch_tasks state=other"), 1.0);
    is(gauge("orch_leases_active"), 1.0);
    is(gauge("orch_approvals status=pending"), 1.0);
    is(gauge("orch_approvals status=expired"), 1.0);
    is(gauge("orch_approvals status=approved"), 1.0);
    is(gauge("orch_approvals status=other"), 1.0);
    is(
        gauge("orch_ledger_bytes"),
        f64::from(u32::try_from(TASKS.len() + APPROVALS.len()).unwrap()),
    );
    is(counter("orch_alerts_total kind=disk severity=error"), 1.0);
    is(counter("orch_alerts_total kind=overdue severity=warning"), 0.0);
    is(counter("orch_decisions_total by=auto"), 0.0);
    is(counter("orch_recoveries_total result=lost"), 0.0);
    is(counter("orch_lease_expirations_total"), 0.0);
    match read.get("orch_transaction_duration_seconds") {
        Some(Value::Histogram(buckets)) => {
            let up_to = |end: f64| {
                buckets.iter().find(|b| (b.less_than - end).abs() < 1e-9).map(|b| b.count)
            };
            is(up_to(0.01).unwrap(), 0.0);
            is(up_to(0.05).unwrap(), 1.0);
            let last = buckets.iter().find(|b| b.less_than.is_infinite()).unwrap();
            is(last.count, 1.0);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_names_are_those_of_the_contract() {
    let figures = figures();
    let names: Vec<_> = figures.families.iter().map(|family| family.name).collect();
    assert_eq!(
        names,
        [
            "orch_tasks",
            "orch_leases_active",
            "orch_lease_expirations_total",
            "orch_approvals",
            "orch_runs_total",
            "orch_run_duration_seconds",
            "orch_queue_wait_seconds",
            "orch_approval_wait_seconds",
            "orch_decisions_total",
            "orch_recoveries_total",
            "orch_ledger_bytes",
            "orch_transaction_duration_seconds",
            "orch_alerts_total",
        ]
    );
    for family in &figures.families {
        let is_counter = matches!(family.data, Data::Counter(_));
        assert_eq!(family.name.ends_with("_total"), is_counter, "{}", family.name);
        assert!(family.help.ends_with('.') && family.help.is_ascii(), "{}", family.name);
    }
}

#[test]
fn odd_labels_and_helps_are_escaped() {
    let labels = vec![("runner", "a\\b\"c\nd".to_owned()), ("result", "ok".to_owned())];
    let data = Data::Counter(vec![Sample { labels, value: 3 }]);
    let family = Family { name: "orch_x_total", help: "One\nand \\ two.", data };
    assert_eq!(
        text(&Figures { families: vec![family] }),
        "# HELP orch_x_total One\\nand \\\\ two.\n# TYPE orch_x_total counter\n\
         orch_x_total{runner=\"a\\\\b\\\"c\\nd\",result=\"ok\"} 3\n"
    );
}
