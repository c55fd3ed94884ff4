//! The words of other tools: what fields, states, priorities and times are
//! called, in English and Japanese.
//!
//! Names are compared without regard to case, width (NFKC) and marks of
//! emphasis; blank, `-` and `_` are one. Invariant: a word stands for one thing.

use crate::ledger::schema;
use crate::model::field::{ApprovalField, TaskField};
use crate::model::task_state::State;
use crate::model::time::{Timestamp, parse_date};
use crate::model::value::Priority;
use unicode_normalization::UnicodeNormalization as _;

/// What a field of a task is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// A column.
    Column(TaskField),
    /// The attribute `priority`.
    Priority,
    /// The attribute `depends`.
    Depends,
    /// The attribute `labels`.
    Labels,
    /// Text for people, which belongs into the detail section.
    Prose,
    /// A short form of the title, where there is no other.
    Summary,
    /// Nothing that we know.
    Unknown,
}

/// Names beyond those of our own headers.
const TASK_NAMES: &[(Meaning, &[&str])] = &[
    (
        Meaning::Column(TaskField::TaskId),
        &["no", "no.", "#", "key", "ticket", "ticket_id", "issue", "番号", "課題番号"],
    ),
    (
        Meaning::Column(TaskField::Title),
        &["task", "name", "subject", "タスク", "タスク名", "作業", "作業名", "作業内容", "項目"],
    ),
    (Meaning::Column(TaskField::State), &["ステータス", "状況", "進捗"]),
    (
        Meaning::Column(TaskField::Owner),
        &["assignee", "assignees", "assigned_to", "assigned", "responsible", "who", "アサイン"],
    ),
    (Meaning::Column(TaskField::LockExpiresAt), &["lock_expires", "lock_until"]),
    (
        Meaning::Column(TaskField::Due),
        &["due_date", "due_on", "deadline", "期日", "締切", "締め切り", "納期"],
    ),
    (
        Meaning::Column(TaskField::Artifact),
        &["artifacts", "deliverable", "deliverables", "output", "outputs"],
    ),
    (
        Meaning::Column(TaskField::Notes),
        &["note", "remark", "remarks", "comment", "comments", "memo", "メモ", "注記"],
    ),
    (Meaning::Priority, &["priority", "prio", "優先度", "優先", "優先順位"]),
    (
        Meaning::Depends,
        &[
            "depends",
            "depends_on",
            "dependency",
            "dependencies",
            "blocked_by",
            "依存",
            "依存関係",
            "依存タスク",
            "前提",
            "前提タスク",
        ],
    ),
    (Meaning::Labels, &["labels", "label", "tags", "tag", "ラベル", "タグ"]),
    (
        Meaning::Prose,
        &[
            "description",
            "details",
            "detail",
            "acceptance_criteria",
            "acceptance",
            "criteria",
            "概要",
            "説明",
            "詳細",
            "内容",
            "受入",
            "受入基準",
            "受け入れ基準",
            "受入条件",
            "完了条件",
        ],
    ),
    (Meaning::Summary, &["summary"]),
];

/// A name as it is compared.
pub fn plain(name: &str) -> String {
    let name: String = name.nfkc().collect();
    let name = name.trim().trim_matches(['*', '_', '`']).trim().to_lowercase();
    name.replace([' ', '-'], "_")
}

/// Whether two names are one.
pub fn same(a: &str, b: &str) -> bool {
    plain(a) == plain(b)
}

/// What a task's field is.
pub fn of_task(name: &str) -> Meaning {
    let name = plain(name);
    let ours = TaskField::ALL
        .into_iter()
        .find(|field| schema::task_names(*field).iter().any(|known| plain(known) == name));
    if let Some(field) = ours {
        return Meaning::Column(field);
    }
    let known = TASK_NAMES.iter().find(|(_, names)| names.contains(&name.as_str()));
    known.map_or(Meaning::Unknown, |(meaning, _)| *meaning)
}

/// The column of an approval that a field is.
pub fn of_approval(name: &str) -> Option<ApprovalField> {
    let name = plain(name);
    let more = |field| -> &'static [&'static str] {
        match field {
            ApprovalField::ApprId => &["approval_id", "approval"],
            ApprovalField::TaskId => &["task"],
            ApprovalField::Op => &["operation"],
            ApprovalField::RequestedBy => &["requester", "依頼者"],
            ApprovalField::Approver => &["approved_by"],
            ApprovalField::TsReq => &["requested_at"],
            ApprovalField::TsDec => &["decided_at", "approved_at"],
            ApprovalField::Evidence => &["証拠"],
            ApprovalField::Status | ApprovalField::ApproverRole => &[],
        }
    };
    ApprovalField::ALL.into_iter().find(|field| {
        let ours = schema::approval_names(*field).iter().any(|known| plain(known) == name);
        ours || more(*field).contains(&name.as_str())
    })
}

const STATES: &[(State, &[&str])] = &[
    (
        State::Plan,
        &[
            "todo",
            "to_do",
            "open",
            "new",
            "backlog",
            "planned",
            "planning",
            "not_started",
            "draft",
            "未着手",
            "計画",
            "計画中",
            "予定",
            "新規",
        ],
    ),
    (State::Ready, &["next", "準備完了", "着手可", "着手可能", "実行準備完了"]),
    (
        State::Doing,
        &[
            "in_progress",
            "inprogress",
            "wip",
            "active",
            "started",
            "ongoing",
            "working",
            "作業中",
            "進行中",
            "実行中",
            "対応中",
            "着手",
            "着手中",
        ],
    ),
    (
        State::Review,
        &[
            "in_review",
            "reviewing",
            "code_review",
            "レビュー",
            "レビュー中",
            "レビュー待ち",
            "確認中",
            "確認待ち",
        ],
    ),
    (
        State::Fix,
        &[
            "rework",
            "changes_requested",
            "needs_work",
            "修正",
            "修正中",
            "修正必要",
            "要修正",
            "差し戻し",
            "差戻し",
        ],
    ),
    (
        State::Done,
        &[
            "complete",
            "completed",
            "closed",
            "finished",
            "resolved",
            "完了",
            "完了済み",
            "済",
            "終了",
        ],
    ),
    (
        State::Hold,
        &[
            "on_hold",
            "blocked",
            "paused",
            "waiting",
            "suspended",
            "保留",
            "保留中",
            "一時停止",
            "待機中",
        ],
    ),
    (
        State::Drop,
        &[
            "dropped",
            "cancelled",
            "canceled",
            "wontfix",
            "won't_fix",
            "abandoned",
            "rejected",
            "中止",
            "取消",
            "キャンセル",
            "破棄",
        ],
    ),
];

/// The state that a word of another tool stands for.
pub fn state(word: &str) -> Option<State> {
    let word = plain(word);
    State::parse(&word.to_uppercase()).or_else(|| {
        STATES.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(state, _)| *state)
    })
}

const PRIORITIES: &[(Priority, &[&str])] = &[
    (Priority::Critical, &["p0", "urgent", "blocker", "highest", "緊急", "最優先", "最高", "至急"]),
    (Priority::High, &["p1", "major", "高", "高い"]),
    (Priority::Medium, &["p2", "normal", "mid", "middle", "中", "普通", "通常"]),
    (Priority::Low, &["p3", "p4", "p5", "minor", "lowest", "trivial", "低", "低い"]),
];

/// The priority that a word of another tool stands for.
pub fn priority(word: &str) -> Option<Priority> {
    let word = plain(word);
    Priority::parse(&word).or_else(|| {
        PRIORITIES.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(p, _)| *p)
    })
}

/// A time as the ledger spells it, where it can only mean that one: with a zone,
/// or UTC. Fractions of a second are cut off.
pub fn instant(text: &str) -> Option<String> {
    let text = text.trim();
    if Timestamp::parse(text).is_some() {
        return Some(text.to_owned());
    }
    let spelled = match text.as_bytes().get(10) {
        Some(b' ') => format!("{}T{}", text.get(..10)?, text.get(11..)?.trim_start()),
        _ => text.to_owned(),
    };
    let spelled = spelled.replace(" UTC", "Z").replace(" Z", "Z").replace(" +", "+");
    let at = Timestamp::parse_millis(&spelled)?;
    Some(at.whole_seconds().to_string())
}

/// A date as the ledger spells it: year, month, day, in that order.
pub fn date(text: &str) -> Option<String> {
    let text: String = text.nfkc().collect();
    let text = text.trim().trim_end_matches('日');
    let parts: Vec<&str> = text.split(['-', '/', '.', '年', '月']).collect();
    let [year, month, day] = parts[..] else { return None };
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    if year.len() != 4 || !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return None;
    }
    let spelled = format!("{year}-{month:0>2}-{day:0>2}");
    parse_date(&spelled).map(|_| spelled)
}

/// Whether a word can be an id, where nothing says that it is one: it has a
/// digit, and is neither a date nor a priority.
pub fn is_id(word: &str) -> bool {
    let plain_word = word.chars().all(|c| c.is_alphanumeric() || "-_.#/∞".contains(c));
    let starts = word.starts_with(|c: char| c.is_alphanumeric());
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let all_digits = digits == word.len() && digits > 1;
    let parts = word.contains(['-', '_']) || digits > 1;
    plain_word
        && starts
        && digits > 0
        && date(word).is_none()
        && priority(word).is_none()
        && (all_digits || (parts && word.contains(char::is_alphabetic)) || is_numbers(word))
}

/// `1-2`, `1.2`: a place in a plan.
fn is_numbers(word: &str) -> bool {
    let parts: Vec<&str> = word.split(['-', '.']).collect();
    parts.len() > 1 && parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_for_one_thing() {
        let mut seen = std::collections::BTreeMap::new();
        for (meaning, names) in TASK_NAMES {
            for name in *names {
                assert_eq!(plain(name), *name, "a name is spelled as it is compared");
                assert_eq!(seen.insert(*name, meaning), None, "{name}");
                assert_eq!(of_task(name), *meaning, "{name}");
            }
        }
        let states: Vec<&str> =
            STATES.iter().flat_map(|(_, words)| words.iter().copied()).collect();
        for (n, word) in states.iter().enumerate() {
            assert_eq!(plain(word), *word);
            assert!(!states[n + 1..].contains(word), "{word}");
        }
    }

    #[test]
    fn width_case_and_emphasis_do_not_matter() {
        assert_eq!(of_task("**Assigned To**"), Meaning::Column(TaskField::Owner));
        assert_eq!(of_task("ＳＴＡＴＥ"), Meaning::Column(TaskField::State));
        assert_eq!(of_task("担当者 "), Meaning::Column(TaskField::Owner));
        assert_eq!(state("In-Progress"), Some(State::Doing));
        assert_eq!(state("ｄｏｎｅ"), Some(State::Done));
        assert_eq!(state("somewhere"), None);
        assert_eq!(priority("Ｐ１"), Some(Priority::High));
    }

    #[test]
    fn times_only_where_they_are_certain() {
        let certain = [
            ("2025-01-31T11:15:00Z", "2025-01-31T11:15:00Z"),
            ("2025-01-31T20:15:00+09:00", "2025-01-31T11:15:00Z"),
            ("2025-01-31 11:15:00Z", "2025-01-31T11:15:00Z"),
            ("2025-01-31T11:15:00.900Z", "2025-01-31T11:15:00Z"),
        ];
        for (text, utc) in certain {
            assert_eq!(instant(text).as_deref(), Some(utc), "{text}");
        }
        for text in ["2025-01-31 11:15", "2025-01-31T11:15:00", "tomorrow", "31.01.2025", ""] {
            assert_eq!(instant(text), None, "{text}");
        }
        for text in ["2025-01-05", "2025/1/5", "2025年1月5日", "２０２５－０１－０５", "2025.01.05"]
        {
            assert_eq!(date(text).as_deref(), Some("2025-01-05"), "{text}");
        }
        for text in ["05/01/2025", "2025-13-01", "2025-01-05 (Sun)", "25-01-05", "soon"] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn ids_and_other_words() {
        for word in ["T-101", "004-P3", "006-P∞", "014", "deploy-004", "T101", "PROJ-1", "1-2"] {
            assert!(is_id(word), "{word}");
        }
        for word in ["P1", "2025-10-15", "2025/10/15", "3", "UI", "setup", "(due", "P0:", "v2"] {
            assert!(!is_id(word), "{word}");
        }
    }
}
