//! What is read of each form, and what is not.

use super::*;

fn ask(only: Option<Form>) -> Ask<'static> {
    Ask { path: "x.md", only, own: None, map: &[] }
}

fn found(text: &str) -> Found {
    read(text, ask(None), &|_| false).unwrap()
}

fn say(item: &Item) -> String {
    let fields = item.fields.iter().map(|field| {
        let value = match &field.value {
            Value::Nothing => String::new(),
            Value::Text(text) => text.clone(),
            Value::List(list) => format!("[{}]", list.join(", ")),
            Value::Block => "block".to_owned(),
        };
        format!("{}={value}", field.key)
    });
    format!("{} {}", item.id, fields.collect::<Vec<_>>().join("; "))
}

fn said(text: &str) -> Vec<String> {
    found(text).items.iter().map(say).collect()
}

#[test]
fn headings_with_bullets() {
    let text = "\
# Plan

## T-1: Write parser
- **state**: DOING
- **criteria**:
  - it reads
  - it writes
- plain text
- **depends**: [T-0, T-9]

##### More

- **state**: not a field of T-1

## T-2 (later)
- 状態：完了
- url: https://x

## Words
- **PLAN**: a word
";
    assert_eq!(
        said(text),
        [
            "T-1 title=Write parser; state=DOING; criteria=[it reads, it writes]; depends=[T-0, T-9]",
            "T-2 title=(later); 状態=完了; url=https://x",
        ]
    );
    assert_eq!(found(text).left, [Left { line: 11, count: 1, why: Why::NoId }]);
}

#[test]
fn a_task_has_one_id() {
    let text = "## T-1: x\n- task_id: T-2\n- state: PLAN\n";
    let error = read(text, ask(None), &|_| false).unwrap_err();
    assert!(error.to_string().starts_with("x.md:1:1: the heading names `T-1`"), "{error}");
    assert_eq!(
        said("## A task\n- task_id: T-2\n- state: PLAN\n"),
        ["T-2 title=A task; state=PLAN"]
    );
    assert_eq!(found("## A task\n- task_id: T-2\n").items[0].unnamed, Some(3));
}

#[test]
fn tables_with_other_columns() {
    let text = "\
| No | Task | Status | Assignee | Sprint |
|---|---|---|---|---|
| T-1 | a \\| b | To Do | ada | 7 |
| - | no id | Done | - | - |
| T-2 | b |

| task_id | state | due |
|---|---|---|
| T-1 | PLAN | - |

```
| No | Task | Status |
|---|---|---|
| T-9 | in a fence | Done |
```
";
    assert_eq!(said(text), ["T-1 Task=a | b; Status=To Do; Assignee=ada; Sprint=7", "T-2 Task=b"]);
    let left = found(text).left;
    assert_eq!(left[0], Left { line: 4, count: 1, why: Why::NoId });
    assert_eq!(left[1], Left { line: 7, count: 1, why: Why::Summary });
}

#[test]
fn boxes_with_an_id() {
    let text = "\
- [ ] T-101 P1 (due: 2025-10-15) Mount the vault (server)
  - path: x
- [x] T-103 P2 (DONE) Ports — 証跡: C:\\x.md
- [ ] buy milk
- [X] `T-104`: Sync
> - [ ] T-105 quoted

    - [ ] T-106 code
";
    assert_eq!(
        said(text),
        [
            "T-101 priority=P1; due=2025-10-15; state=[ ]; title=Mount the vault (server)",
            "T-103 priority=P2; state=DONE; title=Ports; 証跡=C:\\x.md",
            "T-104 state=[x]; title=Sync",
        ]
    );
    assert_eq!(found(text).left, [Left { line: 4, count: 1, why: Why::NoId }]);
    let item = &found(text).items[0];
    assert_eq!(detail::text(text, item, &[]), "- path: x");
}

#[test]
fn front_matter() {
    let text = "---\nid: 007\ntitle: 'A: b'\nassignee: ['@ada']\nlabels: []\nversion: 1.10\n---\n\n## Description\n";
    assert_eq!(said(text), ["007 title=A: b; assignee=[@ada]; labels=; version=1.10"]);
    let error = read("---\nid: 1\ntitle: [a\n---\n", ask(None), &|_| false).unwrap_err();
    let place = error.place.clone().unwrap();
    assert_eq!(
        (place.path.as_str(), place.line > 1, place.column > 0),
        ("x.md", true, true),
        "{error}"
    );
    assert_eq!(said("---\nlayout: page\n---\n- [ ] T-1 x\n"), ["T-1 state=[ ]; title=x"]);
}

#[test]
fn one_form_alone_where_that_is_asked() {
    let text = "## T-1: x\n- state: PLAN\n\n- [ ] T-2 y\n";
    let ids = |only| {
        let found = read(text, ask(only), &|_| false).unwrap();
        found.items.into_iter().map(|item| item.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None), ["T-1"]);
    assert_eq!(ids(Some(Form::Headings)), ["T-1"]);
    assert_eq!(ids(Some(Form::Checkboxes)), ["T-2"]);
}
