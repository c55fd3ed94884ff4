//! Who may not, and why: separation of duties and approvals.
//!
//! One function judges two people, every door calls it.

use crate::error::{Error, ErrorKind, Result};
use crate::model::actor::{Actor, Principals};
use crate::model::approval::{Approval, ApprovalStatus};
use crate::model::history::TaskHistory;
use crate::model::time::Timestamp;
use crate::services::config::Settings;

/// Why somebody may not decide or finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// They are the same person as this one.
    SamePerson(String),
    /// They act as a bare role, and this one has a name.
    BareDecider(String),
}

/// Judges whoever decides or finishes against everybody on the other side:
/// holders of the round, requesters, authors. Names of ledgers may be of any
/// spelling; one that is no actor is compared as text.
pub fn separation(decider: &Actor, others: &[&str], principals: &Principals) -> Option<Conflict> {
    for other in others {
        let (same, named) = match Actor::parse(other) {
            Some(actor) => (principals.same_person(decider, &actor), !actor.is_bare()),
            None => (
                other.eq_ignore_ascii_case(decider.as_str())
                    || decider.name().is_some_and(|name| other.eq_ignore_ascii_case(name)),
                true,
            ),
        };
        if same {
            return Some(Conflict::SamePerson((*other).to_owned()));
        }
        if decider.is_bare() && named {
            return Some(Conflict::BareDecider((*other).to_owned()));
        }
    }
    None
}

/// The error for a conflict.
pub fn separation_error(task: &str, decider: &Actor, conflict: &Conflict) -> Error {
    let message = match conflict {
        Conflict::SamePerson(other) => format!(
            "`{decider}` cannot judge `{task}`: in this round it was held by `{other}`, the same person"
        ),
        Conflict::BareDecider(other) => format!(
            "`{decider}` cannot judge `{task}` as a bare role: `{other}` has a name, so whoever judges \
             needs one too, such as `{}@eve`",
            decider.role()
        ),
    };
    Error::new(ErrorKind::SeparationOfDuties, message).about(task)
}

/// Whether the task's approvals let it be finished.
///
/// # Errors
/// `approval_required` while one is pending, where the newest decision for an op
/// is a rejection, or where one is required and none is approved; `stale` where
/// the only approvals belong to an earlier round.
pub fn approvals<'a>(
    task: &str,
    approvals: impl Iterator<Item = Approval<'a>>,
    history: &TaskHistory,
    settings: &Settings,
) -> Result<()> {
    let all: Vec<Approval<'_>> = approvals.collect();
    let hint = |e: Error| e.hint(format!("orch show {}", crate::ledger::tasks::shell_word(task)));
    let required = |message: String| Err(hint(Error::new(ErrorKind::ApprovalRequired, message)));
    if let Some(pending) = all.iter().find(|a| a.known_status() == Some(ApprovalStatus::Pending)) {
        return required(format!(
            "`{task}` waits for the approval `{}` ({})",
            pending.id,
            pending.op.as_deref().unwrap_or("no op")
        ));
    }
    let in_round: Vec<&Approval<'_>> = all.iter().filter(|a| is_in_round(a, history)).collect();
    let mut ops: Vec<&str> = in_round.iter().filter_map(|a| a.op.as_deref()).collect();
    ops.dedup();
    for op in ops {
        let newest = in_round
            .iter()
            .filter(|a| a.op.as_deref() == Some(op))
            .filter(|a| {
                matches!(
                    a.known_status(),
                    Some(ApprovalStatus::Approved | ApprovalStatus::Rejected)
                )
            })
            .max_by_key(|a| decided_at(a));
        if let Some(newest) = newest.filter(|a| a.known_status() == Some(ApprovalStatus::Rejected))
        {
            return required(format!("`{task}`: the approval `{}` ({op}) was rejected", newest.id));
        }
    }
    if !is_required(task, settings) {
        return Ok(());
    }
    let approved = |a: &&&Approval<'_>| a.known_status() == Some(ApprovalStatus::Approved);
    if in_round.iter().any(|a| approved(&a)) {
        return Ok(());
    }
    if all.iter().any(|a| a.known_status() == Some(ApprovalStatus::Approved)) {
        return Err(hint(Error::new(
            ErrorKind::Stale,
            format!(
                "`{task}` needs an approval, and its only ones belong to an earlier round of work"
            ),
        )
        .about(task)));
    }
    required(format!("`{task}` needs an approval (`approvals.required` in orch.yaml) and has none"))
}

/// Whether a task needs an approval.
pub fn is_required(task: &str, settings: &Settings) -> bool {
    settings.approvals.required.iter().any(|glob| {
        globset::Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(task))
    })
}

fn decided_at(approval: &Approval<'_>) -> Option<Timestamp> {
    let text = approval.ts_dec.as_deref().or(approval.ts_req.as_deref())?;
    Timestamp::parse(text)
}

fn is_in_round(approval: &Approval<'_>, history: &TaskHistory) -> bool {
    match (history.round_since, decided_at(approval)) {
        (Some(since), Some(at)) => at >= since.whole_seconds(),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn judge(decider: &str, others: &[&str]) -> Option<Conflict> {
        let groups = BTreeMap::from([("ada".to_owned(), vec!["ada-laptop".to_owned()])]);
        separation(&Actor::parse(decider).unwrap(), others, &Principals::new(&groups))
    }

    #[test]
    fn two_people_in_every_combination() {
        let same = |d, o: &str| judge(d, &[o]) == Some(Conflict::SamePerson(o.into()));
        let bare = |d, o: &str| judge(d, &[o]) == Some(Conflict::BareDecider(o.into()));
        let free = |d, o| judge(d, &[o]).is_none();
        assert!(free("CMD@eve", "WORK@ada"));
        assert!(same("CMD@ada", "WORK@ada"));
        assert!(same("CMD@ADA", "WORK@ada-laptop"));
        assert!(bare("CMD", "WORK@ada"));
        assert!(free("CMD", "WORK"));
        assert!(same("CMD", "CMD"));
        assert!(free("CMD@eve", "WORK"));
        assert!(bare("AUDIT", "WORK1"));
        assert!(same("CMD@bob", "bob"));
        assert!(bare("CMD", "some person"));
        assert!(judge("CMD@eve", &[]).is_none());
        assert!(judge("CMD@eve", &["WORK@ada", "WORK@eve"]).is_some());
    }

    fn approval(op: &'static str, status: &'static str, dec: &'static str) -> Approval<'static> {
        Approval {
            id: "A1".into(),
            op: Some(op.into()),
            status: Some(status.into()),
            ts_dec: (!dec.is_empty()).then(|| dec.into()),
            ..Approval::default()
        }
    }

    #[test]
    fn approvals_gate_the_end() {
        let mut settings = Settings::default();
        let day = |n: u32| -> &'static str {
            ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"][n as usize]
        };
        let gate = |list: Vec<Approval<'static>>, history: &TaskHistory, settings: &Settings| {
            approvals("T-1", list.into_iter(), history, settings).map_err(|e| e.kind)
        };
        let none = TaskHistory::default();
        assert_eq!(gate(vec![], &none, &settings), Ok(()));
        let required = Err(ErrorKind::ApprovalRequired);
        assert_eq!(gate(vec![approval("x", "pending", "")], &none, &settings), required);
        assert_eq!(gate(vec![approval("x", "rejected", day(0))], &none, &settings), required);
        let later = vec![approval("x", "rejected", day(0)), approval("x", "approved", day(1))];
        assert_eq!(gate(later, &none, &settings), Ok(()));
        let other = vec![approval("x", "rejected", day(0)), approval("y", "approved", day(1))];
        assert_eq!(gate(other, &none, &settings), required);
        settings.approvals.required = vec!["T-*".into()];
        assert_eq!(gate(vec![], &none, &settings), required);
        assert_eq!(gate(vec![approval("x", "approved", day(0))], &none, &settings), Ok(()));
        let round = TaskHistory { round_since: Timestamp::parse(day(1)), ..TaskHistory::default() };
        let old = vec![approval("x", "approved", day(0))];
        assert_eq!(gate(old, &round, &settings), Err(ErrorKind::Stale));
        assert_eq!(gate(vec![approval("x", "approved", day(2))], &round, &settings), Ok(()));
    }
}
