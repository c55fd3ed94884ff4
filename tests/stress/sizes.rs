//! Large ledgers: time and memory that grow with the file and no faster.

use std::fs;
use std::io::Write as _;

use super::support::ground::{Ground, HEAD, Ran, nth, row};
use super::support::{Cases, has, is_shipped, say, scale};

/// What a command used.
#[derive(Debug, Clone, Copy)]
struct Used {
    /// Seconds of the processor: those of the wall are also the neighbours'.
    cpu: f64,
    /// At most at once.
    kib: u64,
}

fn measures(test: &str) -> bool {
    has(test, "time", &["-f", "%e", "true"])
}

/// Runs a line and says what it used.
fn used(ground: &Ground, line: &str) -> (Ran, Used) {
    let report = tempfile::NamedTempFile::new().unwrap();
    let path = report.path().to_str().unwrap();
    // A limit of its own: what runs away must not take the machine with it.
    let most = if scale() < 50 { "20" } else { "120" };
    let tool = ["timeout", "-s", "KILL", most, "time", "-q", "-o", path, "-f", "%U %S %M"];
    let ran = ground.under(&tool, line);
    let text = fs::read_to_string(path).unwrap();
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let [user, system, kib] = numbers[..] else {
        panic!("`{line}` does not end within {most} s: {ran:?}")
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "kibibytes")]
    let kib = kib as u64;
    (ran, Used { cpu: user + system, kib })
}

/// Times count for the program that is shipped; a debug build gets ten times as
/// much, so that what grows too fast is still seen.
fn within(seconds: f64) -> f64 {
    if is_shipped() { seconds } else { 10.0 * seconds }
}

#[test]
fn t24_a_cell_of_ten_megabytes_is_listed_in_a_second() {
    if !measures("T24") {
        return;
    }
    let cell = "word and word ".repeat(800_000);
    let text = format!("{HEAD}| T-0001 | One | READY | - | - | - | - | - | - | {cell} |\n");
    let ground = Ground::with(&text);
    for line in ["list", "list --json", "show T-0001", "set T-0001 due=2030-01-01 --as CMD@boss"] {
        let (ran, used) = used(&ground, line);
        assert_eq!(ran.exit, 0, "T24: {line}: {}", ran.err);
        say("T24", format_args!("`{line}` of {} MB: {used:?}", text.len() >> 20));
        assert!(used.cpu < within(1.0), "T24: {line}: {used:?}");
        // A change also holds the new text, its diff and the journal's line.
        let times = if line.starts_with("set") { 30 } else { 10 };
        assert!(used.kib * 1024 < times * text.len() as u64, "T24: {line}: {used:?}");
    }
}

fn ledger(rows: usize) -> Ground {
    let mut text = HEAD.to_owned();
    for n in 1..=rows {
        let title = format!("A title of some length for the task number {n}");
        text += &row(&nth(n), &title, "READY");
    }
    Ground::with(text)
}

/// A million rows at `ORCH_STRESS=50`; twice the rows take at most a little more
/// than twice the time.
#[test]
fn t25_twice_the_rows_take_twice_the_time() {
    if !measures("T25") {
        return;
    }
    let rows = (20_000 * scale()).min(1_000_000);
    let [half, whole] = [ledger(rows / 2), ledger(rows)];
    for line in ["list --format csv", "claim --next --as WORK@ada", "next --json"] {
        // The best of three: what else the machine does only adds.
        let best = |ground: &Ground| {
            let all = (0..3).map(|_| {
                let (ran, used) = used(ground, line);
                assert_eq!(ran.exit, 0, "T25: {line}: {}", ran.err);
                used
            });
            all.min_by(|a, b| a.cpu.total_cmp(&b.cpu)).unwrap()
        };
        let (one, two) = (best(&half), best(&whole));
        // Each of the two may be a tick of the clock, a hundredth, off.
        let ratio = (two.cpu + 0.02) / (one.cpu + 0.02);
        say("T25", format_args!("`{line}` of {rows} rows: {two:?}, ratio {ratio:.2}"));
        let most = if one.cpu > 0.3 { 2.3 } else { 3.0 };
        assert!(ratio < most, "T25: {line}: {one:?}, then {two:?}");
        let seconds = if line.starts_with("claim") { 6.0 } else { 3.0 };
        assert!(two.cpu < within(seconds), "T25: {line}: {two:?}");
        assert!(two.kib < 1_500_000, "T25: {line}: {two:?}");
    }
}

#[test]
fn t26_very_many_columns_work_or_are_refused_in_plain_words() {
    if !measures("T26") {
        return;
    }
    let mut cases = Cases::new("T26");
    for columns in [256, 4_096, 100_000] {
        let names: String = (10..columns).fold(String::new(), |all, n| all + &format!(" c{n} |"));
        let cells = " - |".repeat(columns - 10);
        let rules = "---|".repeat(columns - 10);
        let mut text = String::new();
        for (line, more) in HEAD.lines().zip(["", "", &names, &rules]) {
            text += &format!("{line}{more}\n");
        }
        for n in 1..=2 {
            text += &format!("{}{cells}\n", row(&nth(n), "Wide", "READY").trim_end());
        }
        let ground = Ground::with(&text);
        for line in ["list", "list --json", "set T-0001 due=2030-01-01 --as CMD@boss"] {
            cases.judge(|| {
                let (ran, used) = used(&ground, line);
                let at = format!("{columns} columns: {line}: exit {}: {used:?}", ran.exit);
                assert!(matches!(ran.exit, 0 | 10), "{at}: {}", ran.err);
                assert!(ran.exit == 0 || ran.err.contains("column"), "{at}: {}", ran.err);
                assert!(ran.exit == 0 || ground.text() == text, "{at}");
                assert!(used.cpu < within(2.0), "{at}");
                assert!(used.kib < 400_000, "{at}");
                say("T26", at);
            });
        }
    }
    cases.finish();
}

#[test]
fn t27_a_file_of_four_gigabytes_is_refused_before_it_is_read() {
    if !measures("T27") {
        return;
    }
    for name in ["TASKS.md", "APPROVALS.md", "FLAGS.md"] {
        let ground = Ground::of_rows(3, "READY");
        ground.run("note T-0001 x --as WORK@ada").ok();
        let path = ground.state().join(name);
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
        file.write_all(b"\n").unwrap();
        file.set_len(4 << 30).unwrap();
        for line in ["list", "doctor", "add More --as WORK@ada", "status"] {
            let (ran, used) = used(&ground, line);
            let at = format!("T27: {name}: {line}: {used:?}: {ran:?}");
            assert!(matches!(ran.exit, 0 | 10), "{at}");
            // Whoever changes something needs all of it.
            assert!(ran.exit == 10 || !line.starts_with("add"), "{at}");
            assert!(ran.exit == 0 || format!("{}{}", ran.out, ran.err).contains(name), "{at}");
            assert!(used.kib < 100_000 && used.cpu < within(0.5), "{at}");
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), 4 << 30);
    }
    say("T27", "4 GB refused by their size");
}
