//! How changes read, on a terminal and in a pull request.

use super::*;
use std::collections::BTreeMap;

fn change(about: About, kind: Kind, id: &str, cells: &[(&str, &str, &str)]) -> Change {
    let own = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let cells: BTreeMap<_, _> =
        cells.iter().map(|(c, from, to)| ((*c).to_owned(), (own(from), own(to)))).collect();
    Change {
        about,
        file: String::new(),
        kind,
        id: id.to_owned(),
        title: own("Mow *it*"),
        task: own(if about == About::Approval { "T-1" } else { "" }),
        cells,
    }
}

fn of(changes: Vec<Change>) -> Comparison {
    Comparison { changes, ..Comparison::default() }
}

fn shown(found: &Comparison, columns: Option<usize>, color: bool) -> String {
    let mut out = Vec::new();
    write(&mut out, found, columns, color).unwrap();
    String::from_utf8(out).unwrap()
}

fn claimed() -> Change {
    let cells = [
        ("lock", "", "WORK@ada@2026-01-01T09:00:00Z"),
        ("lock_expires_at", "", "2026-01-01T09:30:00Z"),
        ("lock_owner", "", "WORK@ada"),
        ("notes", "a", "a・b"),
        ("state", "READY", "DOING"),
    ];
    change(About::Task, Kind::Changed, "T-1", &cells)
}

#[test]
fn a_change_reads_as_people_would_tell_it() {
    let found = of(vec![
        claimed(),
        change(
            About::Task,
            Kind::Added,
            "T-2",
            &[("title", "", "Mow *it*"), ("state", "", "PLAN")],
        ),
        change(
            About::Task,
            Kind::Removed,
            "T-3",
            &[("state", "PLAN", ""), ("due", "2026-01-01", "")],
        ),
        change(About::Approval, Kind::Changed, "A-1", &[("status", "pending", "approved")]),
        change(About::Flag, Kind::Changed, "FREEZE", &[("value", "off", "on")]),
    ]);
    let expected = "\
T-1 Mow *it*
  state: READY → DOING
  lease: - → WORK@ada until 2026-01-01T09:30:00Z
  notes: + b
T-2 Mow *it* (new)
  state PLAN
T-3 Mow *it* (removed)
  state PLAN, due 2026-01-01
A-1 Mow *it* for T-1
  status: pending → approved
FREEZE: off → on
3 tasks (1 added, 1 moved, 1 removed), 1 approval decided, 1 flag switched
";
    assert_eq!(shown(&found, None, false), expected);
    assert_eq!(shown(&found, Some(80), false), expected);
    assert_eq!(shown(&of(Vec::new()), None, true), "");
}

#[test]
fn what_is_too_long_for_a_line_takes_two_and_is_not_cut() {
    let cells = [("title", "one two three", "一二三四五\x1b")];
    let found = of(vec![change(About::Task, Kind::Changed, "T-1", &cells)]);
    assert_eq!(shown(&found, Some(60), false).lines().nth(1).unwrap().matches('→').count(), 1);
    assert_eq!(
        shown(&found, Some(30), false),
        "T-1 Mow *it*\n  title:\n    - one two three\n    + 一二三四五\\u{1b}\n1 task changed\n"
    );
    let colored = shown(&found, None, true);
    assert!(colored.contains("\x1b[31mone two three\x1b[0m → \x1b[32m一二三四五\\u{1b}\x1b[0m"));
}

#[test]
fn markdown_has_the_counts_first_and_then_a_list_a_sort() {
    let mut found = of(vec![
        claimed(),
        change(About::Task, Kind::Changed, "`", &[("state", "REVIEW", "DONE")]),
        change(About::Approval, Kind::Added, "A-1", &[("status", "", "pending")]),
    ]);
    let place = |line| Place { file: "T.md".into(), line, removed: 1, added: 2 };
    found.texts = vec![place(3), place(9)];
    let mut out = Vec::new();
    write_markdown(&mut out, &found).unwrap();
    let expected = "\
**2 tasks (1 closed, 1 moved), 1 approval requested**

**Closed**

- `` ` `` Mow \\*it\\*: `REVIEW` → `DONE`

**Moved**

- `T-1` Mow \\*it\\*: `READY` → `DOING`; lease `-` → `WORK@ada until 2026-01-01T09:30:00Z`; notes + b

**Approvals requested**

- `A-1` Mow \\*it\\* for `T-1`: `pending`

**Text**

- T.md: text outside of rows changed at lines 3, 9 (+4 -2)
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
