//! What is refused, what is unknown, and where.

use std::time::Duration;

use super::{loaded, refused};

use crate::error::ErrorKind;

#[test]
fn unknown_keys_are_found_with_place_and_nearest() {
    let text = "\u{feff}# 設定\r\nsollo: true\r\nleases:\r\n  ttl: 5m\r\n  \"tttl\": 1m\r\n\
        ttl: 3m\r\nwatch: {poll: 1s, runners: [{name: a, run: [b]}, {name: c, run: [d], timout: 1h,\r\n\
        \x20 match: {状態: x, stat: [READY]}}]}\r\nzebra: {solo: 1}\r\n";
    let found = loaded(text);
    assert_eq!(found.settings.leases.ttl, Duration::from_mins(5));
    let got: Vec<_> =
        found.unknown.iter().map(|key| format!("{}:{} {key}", key.line, key.column)).collect();
    assert_eq!(
        got,
        [
            "2:1 unknown key `sollo`; did you mean `solo`?",
            "5:3 unknown key `leases.tttl`; did you mean `leases.ttl`?",
            "6:1 unknown key `ttl`; did you mean `leases.ttl`?",
            "7:70 unknown key `watch.runners[1].timout`; did you mean `watch.runners[1].timeout`?",
            "8:11 unknown key `watch.runners[1].match.状態`",
            "8:18 unknown key `watch.runners[1].match.stat`; did you mean `watch.runners[1].match.state`?",
            "9:1 unknown key `zebra`",
        ]
    );
    let error = found.strict("ORCH/orch.yaml").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Usage);
    assert_eq!(error.to_string(), "ORCH/orch.yaml:2:1: unknown key `sollo`; did you mean `solo`?");
    assert_eq!(error.hint.as_deref(), Some("orch config"));
}

#[test]
fn the_same_key_elsewhere_does_not_mislead() {
    let text = "approvals:\n  # grace: in a remark\n  required: [\"grace: 1\"]\nleases:\n  ttl: 5m\n\
        evidence:\n  grace: 1\n";
    let found = loaded(text);
    assert_eq!((found.unknown[0].line, found.unknown[0].column), (7, 3));
    assert_eq!(found.unknown[0].nearest.as_deref(), Some("leases.grace"));
}

#[test]
fn wrong_types_name_place_and_key() {
    for (text, message) in [
        (
            "solo: maybe",
            "orch.yaml:1:7: `solo`: invalid type: string \"maybe\", expected a boolean",
        ),
        (
            "# a\nleases:\n  ttl: [1]\n",
            "orch.yaml:3:8: `leases.ttl`: invalid type: sequence, expected a duration such as 30m",
        ),
        (
            "actor: {}",
            "orch.yaml:1:8: `actor`: invalid type: map, expected an actor such as WORK@ada",
        ),
        (
            "watch: {max_parallel: -1}",
            "orch.yaml:1:23: `watch.max_parallel`: `-1` is not a whole number from 0 to 4294967295",
        ),
        ("watch: {max_parallel: 0}", "orch.yaml:1:23: `watch.max_parallel`: it must be at least 1"),
        ("durability: slow", "orch.yaml:1:13: `durability`: `slow` is not `full` or `fast`"),
        (
            "watch:\n  runners:\n    - name: a\n",
            "orch.yaml:3:7: `watch.runners[0]`: missing field `run`",
        ),
        (
            "watch: {runners: [{name: a, run: make}]}",
            "orch.yaml:1:34: `watch.runners[0].run`: invalid type: string \"make\", expected a program and its arguments as a list, such as [cargo, test]",
        ),
        (
            "watch: {notify: [{command: [a]}, {}]}",
            "orch.yaml:1:34: `watch.notify[1]`: write either `webhook` or `command`",
        ),
        (
            "watch:\n  runners:\n  - {name: a, run: [x]}\n  - {name: A, run: [x]}\n",
            "orch.yaml:4:12: `watch.runners[1].name`: the name `A` stands twice",
        ),
        (
            "principals:\n  ok: [a]\n  山田: [b]\n",
            "orch.yaml:3:3: `principals.山田`: `山田` is not a name: write 1 to 64 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`",
        ),
        (
            "timezone: Asia/Tokio",
            "orch.yaml:1:11: `timezone`: unknown time zone `Asia/Tokio`; did you mean `Asia/Tokyo`?",
        ),
        (
            "watch:\n  schedules:\n  - {name: nightly, cron: 99 3 * * *, run: [x]}\n",
            "orch.yaml:3:27: `watch.schedules[0].cron`: schedule `nightly`: `99` is no minute in `99 3 * * *`: write 0 to 59, or `*`",
        ),
        (
            "watch:\n  schedules:\n  - {name: a, cron: '@daily', run: [x]}\n  - name: b\n    run: [x]\n    cron: 0 3 30 2 *\n",
            "orch.yaml:6:11: `watch.schedules[1].cron`: schedule `b`: `0 3 30 2 *` is never due: there is no such day",
        ),
        (
            "watch:\n  schedules:\n  - run: [x]\n    cron: >-\n      0 3\n      30 2 *\n    name: b\n",
            "orch.yaml:4:11: `watch.schedules[0].cron`: schedule `b`: `0 3 30 2 *` is never due: there is no such day",
        ),
        (
            "watch:\n  runners:\n  - name: a\n    run:\n    - x\n    - a {{id}} {{titel}}\n",
            "orch.yaml:6:7: `watch.runners[0].run[1]`: `{{titel}}` stands for nothing; did you mean `{{title}}`?",
        ),
        (
            "watch: {runners: [{name: a, shell: true, run: ['echo {{name}}']}]}",
            "orch.yaml:1:48: `watch.runners[0].run[0]`: `{{name}}` stands for nothing; there are `{{id}}`, `{{title}}`, `{{prompt}}`, `{{artifact}}`",
        ),
        (
            "watch: {runners: [{name: a, run: [x, '{{.Names}}']}]}",
            "orch.yaml:1:38: `watch.runners[0].run[1]`: `{{.Names}}` stands for nothing; there are `{{id}}`, `{{title}}`, `{{prompt}}`, `{{artifact}}`",
        ),
        (
            "watch: {runners: [{name: a, run: ['{{artifact}}']}]}",
            "orch.yaml:1:35: `watch.runners[0].run[0]`: `{{artifact}}` cannot name the program to run",
        ),
        (
            "watch: {notify: [{command: [x]}, {command: [x, '{{sumary}}']}]}",
            "orch.yaml:1:48: `watch.notify[1].command[1]`: `{{sumary}}` stands for nothing; did you mean `{{summary}}`?",
        ),
    ] {
        assert_eq!(refused(text), message);
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for text in [
        "actor: BOSS",
        "actor: work@ada",
        "actor: WORK@",
        "actor: WORK@a b",
        "actor: WORKX",
        "actor: WORK1@a",
        "actor: AUDIT@auto",
        "actor: ''",
        "principals: {a: [b c]}",
        "principals: {a: b}",
        "ids: {tasks: T-}",
        "ids: {approvals: 'A{}{}'}",
        "ids: {style: uuid}",
        "timezone: ''",
        "leases: {ttl: 0s}",
        "leases: {ttl: -5m}",
        "leases: {ttl: 30}",
        "leases: {max_doing_per_actor: 1.5}",
        "lock_wait: 99999999999999d",
        "approvals: {required: ['a[']}",
        "approvals: {required: ['']}",
        "approvals: {required: a}",
        "approvals: {expire_after: 0d}",
        "auto_decide: {commands: [{run: []}]}",
        "auto_decide: {commands: [{run: ['']}]}",
        "auto_decide: {commands: [{timeout: 1m}]}",
        "auto_decide: {metrics: {min: {}}}",
        "auto_decide: {metrics: {file: a, min: {b: .nan}}}",
        "auto_decide: {canary: {retry: 1s}}",
        "auto_decide: {canary: {url: 'file:///a'}}",
        "watch: {poll: 0s}",
        "watch: {runners: [{name: a/b, run: [c]}]}",
        "watch: {runners: [{name: a, run: [c], match: {state: [LATER]}}]}",
        "watch: {runners: [{name: a, run: [c], env: {ORCH_ACTOR: CMD}}]}",
        "watch: {runners: [{name: a, run: [c], env: {'A=B': c}}]}",
        "watch: {runners: [{name: a, run: [c], max_log: 8MB}]}",
        "watch: {schedules: [{name: a, cron: '* * *', run: [c]}]}",
        "watch: {notify: [{webhook: 'http://a', command: [b]}]}",
        "watch: {notify: [{command: [b], secret_env: C}]}",
        "watch: {alerts: {ewma: 0}}",
        "watch: {alerts: {load: -1}}",
        "solo: 1",
        "- solo",
        "solo",
        "leases: 5",
    ] {
        refused(text);
    }
    for text in [
        "actor: WORK1",
        "actor: CMD",
        "actor: AUDIT@a.b_c-9",
        "lock_wait: 0s",
        "watch: {runners: [{name: a, run: [x, '{{ id }}', '{{', '}}']}]}",
        "watch: {runners: [{name: a, shell: true, run: ['echo {{title}}', '{{id}}']}]}",
        "watch: {schedules: [{name: a, cron: '@hourly', run: ['{{', '{{id}}']}]}",
    ] {
        loaded(text);
    }
}

#[test]
fn text_that_is_not_yaml_is_a_clean_error() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (last, next) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        let nine = vec![format!("*{last}"); 9].join(",");
        bomb.extend([format!("{next}: &{next} [{nine}]\n")]);
    }
    // As a key that nothing reads it is only that; its content is never built.
    assert_eq!(loaded(&bomb).unknown.len(), 9);
    assert_eq!(loaded(&bomb).present().lines.len(), 0);
    for text in [
        format!("{bomb}principals: {{p: *i}}\n"),
        format!("{bomb}watch: {{runners: [{{name: a, run: *i}}]}}\n"),
        "solo: true\nsolo: false\n".to_owned(),
        "leases: {ttl: 5m".to_owned(),
        "leases:\n\tttl: 5m\n".to_owned(),
        "solo: *nobody\n".to_owned(),
        "solo: true\n---\nsolo: false\n".to_owned(),
        "[".repeat(20_000),
        "solo: \"\u{0}\"".to_owned(),
    ] {
        let message = refused(&text);
        assert!(message.starts_with("orch.yaml") && message.len() < 300, "{message}");
    }
    assert!(refused("a: 1\nleases: {ttl: 5m\n").starts_with("orch.yaml:3:1: did not find"));
}

proptest::proptest! {
    /// Whatever stands in the file, reading it ends, and places lie within it.
    #[test]
    fn any_text_is_read_or_refused(parts in proptest::collection::vec(
        proptest::sample::select(vec![
            "leases", "ttl", "watch", "runners", "name", "run", "match", "solo", "x", ": ", ":", "\n",
            "\n  ", "\n    ", "- ", "[", "]", "{", "}", ", ", "5m", "true", "~", "\"", "'", "# ", "&a ",
            "*a", "<<", "? ", "| ", "> ", "!t ", "---\n", "...\n", "%", "\t", "\r\n", "日", "\u{feff}",
        ]),
        0..40,
    )) {
        let text = parts.concat();
        if let Ok(found) = crate::services::config::load(&text, "orch.yaml") {
            found.present();
            for key in &found.unknown {
                proptest::prop_assert!(key.line <= text.lines().count(), "{key:?}");
            }
        }
    }
}
