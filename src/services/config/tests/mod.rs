//! What settings files mean: defaults, every key, and the printed entries.

mod places;
mod templates;

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::error::ErrorKind;

const EVERY_KEY: &str = r#"
actor: WORK@kaede
solo: true
principals: {kaede: [kaede, kaede-desk], Rui: [rui]}
ids: {tasks: "JOB-{:05}", approvals: "OK{}", style: hash}
timezone: Europe/Berlin
worktrees: own
durability: fast
lock_wait: 3s
hand_edits: review
leases: {ttl: 45m, grace: 90s, max_doing_per_actor: 2}
approvals:
  required: ["release-*", "{a,b}-[0-9]*"]
  expire_after: 21d
evidence: {path_style: windows, root: 'D:\src\it''s here'}
auto_decide:
  commands: [{run: [make, check], timeout: 5m}, {run: ["true"]}]
  max_lines: 80
  max_files: 0
  on_failure: reject
  protected: ["schema/**", "*.lock"]
  metrics: {file: out/numbers.json, min: {coverage: 0.75, score: -2, speed: 1e3}}
  canary: {url: "https://example.org/up", success_required: 2, retry: 250ms, max_wait: 1m}
watch:
  max_parallel: 4
  poll: 500ms
  grace: 12s
  runners:
    - name: builder
      match: {owner: WORK, state: [READY, fix], id: "B-*", attr: {lang: rust, size: 2}}
      run: [make, "ID={{id}}", -j, 2]
      actor: WORK@robot
      shell: true
      timeout: 20m
      grace: 1s
      retries: {max: 0, backoff: 1s, max_backoff: 2m}
      max_log: 512KiB
      env: {RUST_LOG: debug, EMPTY: ""}
    - {name: plain, run: [cat]}
  schedules:
    - {name: weekly, cron: "0 30 4 * * MON", run: [make, weekly], catch_up: true}
    - {name: hourly, cron: "0 * * * *", run: [make, hourly]}
  alerts: {review_stale: 8h, approval_stale: 2d, ewma: 3.5, disk: 1GiB, memory: 4096, load: 1.5}
  notify:
    - {webhook: "http://localhost:9000/in", secret_env: KEY}
    - {webhook: "http://localhost:9001/in"}
    - {command: [logger, "{{summary}}"]}
"#;

fn loaded(text: &str) -> Loaded {
    load(text, "ORCH/orch.yaml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The whole message, with the place in front.
fn refused(text: &str) -> String {
    let error = load(text, "orch.yaml").map(|l| l.settings).expect_err(text);
    assert_eq!(error.kind, ErrorKind::Usage, "{error}");
    error.to_string()
}

#[test]
fn nothing_written_means_the_defaults() {
    for text in [
        "",
        "\n",
        "# only a remark\n",
        "\u{feff}",
        "\u{feff}# remark\r\n\r\n  # more",
        "---\n",
        "--- # remark\n",
        "{}",
        "~",
        "solo:\nleases:\n  ttl: ~\nwatch:\n  runners:\n  alerts:\n",
    ] {
        let found = loaded(text);
        assert_eq!(found.settings, Settings::default(), "{text:?}");
        assert!(found.unknown.is_empty() && found.present().lines.is_empty(), "{text:?}");
        assert_eq!(found.strict("orch.yaml").unwrap(), Settings::default());
    }
}

#[test]
fn the_defaults_as_documented() {
    let printed: Vec<_> = Settings::default()
        .entries(&Present::default())
        .into_iter()
        .map(|entry| {
            assert_eq!(entry.source, Source::Default);
            format!("{}: {}", entry.key, entry.value)
        })
        .collect();
    assert_eq!(
        printed,
        [
            "actor: -",
            "solo: false",
            "principals: {}",
            "ids.tasks: -",
            "ids.approvals: -",
            "ids.style: sequential",
            "timezone: -",
            "worktrees: shared",
            "durability: full",
            "lock_wait: 10s",
            "hand_edits: trust",
            "leases.ttl: 30m",
            "leases.grace: 5m",
            "leases.max_doing_per_actor: 0",
            "approvals.required: []",
            "approvals.expire_after: never",
            "evidence.path_style: relative",
            "evidence.root: -",
            "auto_decide.commands: []",
            "auto_decide.max_lines: 50",
            "auto_decide.max_files: 3",
            "auto_decide.on_failure: leave",
            "auto_decide.protected: []",
            "auto_decide.metrics: -",
            "auto_decide.canary: -",
            "watch.max_parallel: 2",
            "watch.poll: 2s",
            "watch.grace: 30s",
            "watch.runners: []",
            "watch.schedules: []",
            "watch.alerts.review_stale: 1d",
            "watch.alerts.approval_stale: 1d",
            "watch.alerts.ewma: -",
            "watch.alerts.disk: -",
            "watch.alerts.memory: -",
            "watch.alerts.load: -",
            "watch.notify: []",
        ]
    );
}

#[test]
fn every_key_is_read() {
    let found = loaded(EVERY_KEY);
    assert_eq!(found.unknown, []);
    let got = &found.settings;
    assert_eq!(got.actor.as_deref(), Some("WORK@kaede"));
    assert!(got.solo);
    assert_eq!(got.principals["kaede"], ["kaede", "kaede-desk"]);
    assert_eq!(got.ids.tasks.as_ref().unwrap().format(7), "JOB-00007");
    assert_eq!(got.ids.approvals.as_ref().unwrap().format(7), "OK7");
    assert_eq!(got.ids.style, IdStyle::Hash);
    assert_eq!(got.zone(), zone::Zone::parse("Europe/Berlin").unwrap());
    assert_eq!((got.worktrees, got.durability), (Worktrees::Own, Durability::Fast));
    assert_eq!((got.lock_wait, got.hand_edits), (Duration::from_secs(3), HandEdits::Review));
    assert_eq!(got.leases.grace, Duration::from_secs(90));
    assert_eq!(got.approvals.expire_after, Some(Duration::from_hours(21 * 24)));
    assert_eq!(got.evidence.root.as_deref(), Some(r"D:\src\it's here"));
    assert_eq!(got.auto_decide.commands[1].timeout, GateCommand::TIMEOUT);
    assert_eq!(got.auto_decide.canary.as_ref().unwrap().retry, Duration::from_millis(250));
    assert_eq!(got.auto_decide.metrics.as_ref().unwrap().min["speed"].to_string(), "1000");

    let [builder, plain] = &got.watch.runners[..] else { panic!("two runners") };
    assert_eq!(builder.matches.state, ["READY", "FIX"]);
    assert_eq!(builder.matches.attr["size"], "2");
    assert_eq!(builder.run, ["make", "ID={{id}}", "-j", "2"]);
    assert_eq!((builder.max_log, builder.grace), (512 << 10, Duration::from_secs(1)));
    assert_eq!(plain.actor, "WORK@plain");
    assert_eq!(plain.matches, RunnerMatch::default());
    assert_eq!((plain.timeout, plain.max_log), (Runner::TIMEOUT, 8 << 20));
    // What a runner does not say it takes from `watch`.
    assert_eq!(plain.grace, Duration::from_secs(12));
    assert!(got.watch.schedules[0].catch_up && !got.watch.schedules[1].catch_up);
    assert_eq!((got.watch.alerts.memory, got.watch.alerts.load), (Some(4096), Some(1.5)));
    assert_eq!(got.watch.notify.len(), 3);
}

/// The printed entries as a settings file.
fn pasted(entries: &[Entry]) -> String {
    let mut sections: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Entry { key, value, .. } in entries.iter().filter(|entry| entry.value != "-") {
        let (top, rest) = key.split_once('.').unwrap_or((key, ""));
        sections.entry(top).or_default().push(match rest.split_once('.') {
            Some((middle, leaf)) => format!("\"{middle}\": {{{leaf}: {value}}}"),
            None if rest.is_empty() => value.clone(),
            None => format!("{rest}: {value}"),
        });
    }
    let line = |(top, parts): (&str, Vec<String>)| {
        // A second level only stands under `watch.alerts`, one map for each key.
        let joined = parts.join(", ").replace("}, \"alerts\": {", ", ");
        let nested = KNOWN_SECTIONS.contains(&top);
        if nested { format!("{top}: {{{joined}}}\n") } else { format!("{top}: {joined}\n") }
    };
    sections.into_iter().map(line).collect()
}

const KNOWN_SECTIONS: [&str; 6] =
    ["ids", "leases", "approvals", "evidence", "auto_decide", "watch"];

#[test]
fn printed_entries_can_be_pasted_back() {
    for text in ["", EVERY_KEY] {
        let settings = loaded(text).settings;
        let again = loaded(&pasted(&settings.entries(&Present::default())));
        assert_eq!(again.settings, settings);
        assert_eq!(again.unknown, []);
    }
}

#[test]
fn entries_say_which_line_they_come_from() {
    let found = loaded("# top\nsolo: true\nleases: {ttl: 1h,\n  grace: }\nwatch:\n  poll: 1s\n");
    let present = found.present();
    let lines: Vec<_> = present.lines.iter().map(|(key, line)| (key.as_str(), *line)).collect();
    assert_eq!(lines, [("leases.ttl", 3), ("solo", 2), ("watch.poll", 6)]);
    let entries = found.settings.entries(&present);
    let of = |key| entries.iter().find(|entry| entry.key == key).unwrap();
    assert_eq!(of("leases.ttl").value, "1h");
    assert_eq!(of("leases.ttl").source.to_string(), "ORCH/orch.yaml");
    assert_eq!(of("leases.grace").source, Source::Default);
    assert_eq!(of("leases.grace").source.to_string(), "default");
}

#[test]
fn known_keys_are_those_that_are_read() {
    // Every listed key is read: the example has them all, and none is unknown.
    assert_eq!(loaded(EVERY_KEY).unknown, []);
    for known in keys::KNOWN {
        let way = |index: usize| {
            known.split('.').fold(Path::of(&[]), |path, part| match part.strip_suffix("[]") {
                Some(list) => path.key(list).index(index),
                None => path.key(part),
            })
        };
        assert!((0..3).any(|index| way(index).locate(EVERY_KEY).is_some()), "{known}");
    }
    // … and `entries` has every key that is not inside another's value.
    let entries = Settings::default().entries(&Present::default());
    for known in keys::KNOWN {
        let inside = |entry: &&Entry| {
            known
                .strip_prefix(entry.key.as_str())
                .is_some_and(|r| r.is_empty() || !r.starts_with('_'))
        };
        assert!(entries.iter().any(|entry| inside(&entry)), "{known}");
    }
    let order: Vec<_> = entries
        .iter()
        .map(|entry| keys::KNOWN.iter().position(|known| *known == entry.key).unwrap())
        .collect();
    assert!(order.is_sorted());
}
