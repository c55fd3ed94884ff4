//! Redo records that lead elsewhere (T30): a file that `orch` believes, in a
//! folder that somebody hands on.

use std::fs;

use serde_json::{Value, json};

use super::hostile::{plain_names, yard};
use super::support::judge::sha256;
use super::support::{Cases, say};

/// A record that says it is whole: only `orch` makes such, but a folder that
/// somebody hands on can hold one.
fn record(redo: &Value) -> String {
    let text = format!("orch redo 1\n{redo}\n");
    format!("{text}{}\n", sha256(text.as_bytes()))
}

#[test]
fn t30_a_redo_record_that_leads_elsewhere_is_not_followed() {
    let mut cases = Cases::new("T30 redo");
    let away =
        ["../file", "../../x", "../../../../canary/file", "@/canary/file", "ORCH/../../x", "file"];
    let places = ["path", "staged", "month", "audit", "name", "lock", "mirror"];
    for place in places {
        for to in away {
            for is_new in [false, true] {
                cases.judge(|| forged(place, to, is_new));
            }
        }
    }
    say("T30", format_args!("{} forged records", places.len() * away.len() * 2));
    cases.finish();
}

fn forged(place: &str, to: &str, is_new: bool) {
    let yard = yard();
    let to = to.replacen('@', yard.top().to_str().unwrap(), 1);
    let at = format!("a record whose {place} is `{to}`, new: {is_new}");
    let staged = ".TASKS.md.orch-0123456789abcdef";
    let ours = b"written by a record\n";
    fs::write(yard.ground.state().join(staged), ours).unwrap();
    let path = if place == "path" { &*to } else { "ORCH/STATE/TASKS.md" };
    let live = fs::read(yard.ground.root().join(path)).unwrap_or_default();
    if place == "path" {
        // Beside the file that it is to replace, as a record has it; made by
        // hand before the judge looks.
        let beside = yard.ground.root().join(path).with_file_name(staged);
        fs::write(beside, ours).unwrap();
    }
    let mut yard = yard;
    yard.settle();
    let sha_in = if is_new { Value::Null } else { sha256(&live).into() };
    let name = if place == "name" { &*to } else { "ORCH/STATE/TASKS.md" };
    let staged = if place == "staged" { format!("../../{to}") } else { staged.to_owned() };
    let lock = json!({"name": to, "text": "x"});
    let mirror = json!({"Write": {"owner": "WORK@ada", "task_id": to, "ts_acquired": "x",
        "ttl_sec": 1, "status": "active", "token": 1, "host": "h", "pid": 1}});
    let when = |what: &str, value: Value| if place == what { json!([value]) } else { json!([]) };
    let redo = json!({
        "op": if place == "name" { &*to } else { "06abcdef" },
        "files": [{"name": name, "path": path, "staged": staged, "sha_in": sha_in,
            "sha_out": sha256(ours)}],
        "month": if place == "month" { &*to } else { "2026-01" },
        "lines": ["{}"],
        "audit": when("audit", json!([to, "line"])),
        "mirrors": when("mirror", mirror),
        "locks": when("lock", lock),
    });
    fs::write(yard.ground.state().join(".TASKS.md.orch-redo"), record(&redo)).unwrap();
    for line in ["list", "doctor", "note T-1 n --as WORK@ada", "note T-1 n --as WORK@ada"] {
        yard.line(line, &at);
        yard.untouched(&at);
    }
    plain_names(&yard, &at);
}
