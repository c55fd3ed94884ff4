//! Tests of the past of a task.

use super::*;

fn change(
    at: i64,
    actor: &str,
    command: &str,
    state: Option<(&str, &str)>,
    holder: Option<(&str, &str)>,
) -> PastChange {
    let own = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
    PastChange {
        id: at.to_string(),
        undoes: None,
        counts: true,
        at: Timestamp(at),
        actor: actor.into(),
        command: command.into(),
        token: Some(at.cast_unsigned()),
        state: state.map(own),
        holder: holder.map(own),
        lock: None,
        end: None,
        run: None,
        via_git: false,
    }
}

fn actor(text: &str) -> Actor {
    Actor::parse(text).unwrap()
}

#[test]
fn a_round_remembers_its_holders_until_it_is_sent_back() {
    let mut changes = vec![
        change(1, "WORK@ada", "claim", Some(("READY", "DOING")), Some(("", "WORK@ada"))),
        change(2, "WORK@bob", "claim", None, Some(("WORK@ada", "WORK@bob"))),
        change(3, "WORK@bob", "submit", Some(("DOING", "REVIEW")), Some(("WORK@bob", ""))),
    ];
    let history = TaskHistory::of(changes.clone());
    assert_eq!(history.holders, ["WORK@ada", "WORK@bob"]);
    assert!(history.has_lost(&actor("WORK@ada")) && history.lost_last(&actor("WORK@ada")));
    assert!(!history.has_lost(&actor("WORK@bob")));
    assert!(history.is_lost_token(1) && !history.is_lost_token(2));
    changes.push(change(4, "CMD@eve", "fix", Some(("REVIEW", "FIX")), None));
    let history = TaskHistory::of(changes);
    assert!(history.holders.is_empty());
    assert_eq!(history.round_by.as_deref(), Some("4"));
}

/// Two branches, each with a claim, in either order of time.
#[test]
fn of_claims_on_two_branches_the_ledger_says_which_one_runs() {
    let claim = |at: i64, who: &str| PastChange {
        lock: Some(format!("{who}@{at}")),
        end: Some(format!("end {at}")),
        ..change(at, who, "claim", Some(("READY", "DOING")), Some(("", who)))
    };
    let renew = |at: i64, who: &str, token: u64| PastChange {
        token: Some(token),
        end: Some(format!("end {at}")),
        ..change(at, who, "renew", None, None)
    };
    let (ada, bob) = (actor("WORK@ada"), actor("WORK@bob"));
    let both = [
        vec![claim(1, "WORK@ada"), renew(2, "WORK@ada", 1), claim(3, "WORK@bob")],
        vec![claim(3, "WORK@bob"), claim(1, "WORK@ada"), renew(2, "WORK@ada", 1)],
    ];
    for changes in both {
        let history = TaskHistory::of(changes);
        assert!(history.is_forked);
        for (winner, token, loser, lost) in [(&ada, 1, &bob, 3), (&bob, 3, &ada, 1)] {
            let settled = history.clone().settled(Some(winner.as_str()), None);
            assert_eq!(settled.running().and_then(|lease| lease.token), Some(token));
            assert!(settled.is_lost_token(lost) && !settled.is_lost_token(token));
            assert!(settled.lost_last(loser) && !settled.has_lost(winner));
        }
        let nobody = history.clone().settled(None, None);
        assert!(nobody.is_lost_token(1) && nobody.is_lost_token(3));
        let of = |who: &Actor| history.of_actor(who).next().unwrap().ends.clone();
        assert_eq!(
            (of(&ada), of(&bob)),
            (vec!["end 1".into(), "end 2".into()], vec!["end 3".into()])
        );
    }
    // One name on two branches: `lock` tells the leases apart.
    let history = TaskHistory::of([claim(1, "WORK@ada"), claim(3, "WORK@ada")]);
    let first = history.clone().settled(Some("WORK@ada"), Some("WORK@ada@1"));
    assert_eq!(first.running().and_then(|lease| lease.token), Some(1));
    assert_eq!(history.settled(Some("WORK@ada"), None).running().unwrap().token, Some(3));
    // What was handed in on one branch is lost on the other where that says so.
    let submit = change(2, "WORK@ada", "submit", Some(("DOING", "REVIEW")), Some(("WORK@ada", "")));
    let history = TaskHistory::of([claim(1, "WORK@ada"), submit, claim(3, "WORK@bob")]);
    assert!(history.is_forked, "READY was REVIEW already");
    assert!(history.settled(None, None).lost_last(&bob));
}

#[test]
fn one_branch_is_no_fork() {
    let mut changes = sent_back();
    changes.push(change(4, "WORK@bob", "claim", Some(("FIX", "DOING")), Some(("", "WORK@bob"))));
    changes.push(change(5, "WORK@ada", "claim", None, Some(("WORK@bob", "WORK@ada"))));
    let history = TaskHistory::of(changes);
    assert!(!history.is_forked);
    assert_eq!(history.clone().settled(None, None), history);
}

#[test]
fn origins_survive_a_takeover_and_a_hold() {
    let history = TaskHistory::of([
        change(1, "WORK@ada", "claim", Some(("FIX", "DOING")), Some(("", "WORK@ada"))),
        change(2, "WORK@bob", "claim", None, Some(("WORK@ada", "WORK@bob"))),
        change(3, "CMD@eve", "hold", Some(("DOING", "HOLD")), Some(("WORK@bob", ""))),
    ]);
    assert_eq!(history.claimed_from, Some(State::Fix));
    assert_eq!(history.held_from, Some(State::Fix));
    assert!(history.lost_last(&actor("WORK@bob")));
}

#[test]
fn the_same_actor_claiming_anew_loses_the_old_lease() {
    let history = TaskHistory::of([
        change(1, "WORK@ada", "claim", Some(("READY", "DOING")), Some(("", "WORK@ada"))),
        change(2, "WORK@ada", "claim", None, Some(("WORK@ada", "WORK@ada"))),
    ]);
    assert_eq!(history.running().and_then(|lease| lease.token), Some(2));
    assert!(history.is_lost_token(1) && history.has_lost(&actor("WORK@ada")));
}

#[test]
fn a_lease_typed_by_hand_has_no_token() {
    let history = TaskHistory::of([change(
        1,
        "WORK",
        "submit",
        Some(("DOING", "REVIEW")),
        Some(("WORK", "")),
    )]);
    assert_eq!(history.leases[0].token, None);
    assert_eq!(history.leases[0].ended, Some(LeaseEnd::ByHolder));
    assert_eq!(history.last_move.unwrap().to, Some(State::Review));
}

/// The same for an `undo` or `redo` of an operation.
fn takes_back(at: i64, command: &str, undone: i64, state: (&str, &str)) -> PastChange {
    let change = change(at, "CMD@eve", command, Some(state), None);
    PastChange { undoes: Some(undone.to_string()), ..change }
}

fn sent_back() -> Vec<PastChange> {
    vec![
        change(1, "WORK@ada", "claim", Some(("READY", "DOING")), Some(("", "WORK@ada"))),
        change(2, "WORK@ada", "submit", Some(("DOING", "REVIEW")), Some(("WORK@ada", ""))),
        change(3, "CMD@eve", "fix", Some(("REVIEW", "FIX")), None),
    ]
}

#[test]
fn undo_of_a_fix_revives_its_round() {
    let mut changes = sent_back();
    changes.push(takes_back(4, "undo", 3, ("FIX", "REVIEW")));
    let history = TaskHistory::of(changes.clone());
    assert_eq!((&history.holders[..], history.round_by), (&["WORK@ada".into()][..], None));
    changes.push(takes_back(5, "redo", 4, ("REVIEW", "FIX")));
    let history = TaskHistory::of(changes.clone());
    assert_eq!((history.holders.len(), history.round_by.as_deref()), (0, Some("5")));
    changes.push(takes_back(6, "undo", 3, ("FIX", "REVIEW")));
    let history = TaskHistory::of(changes);
    assert_eq!((&history.holders[..], history.round_by), (&["WORK@ada".into()][..], None));
}

#[test]
fn who_held_it_before_the_undo_stays_a_holder() {
    let mut changes = sent_back();
    changes.extend([
        change(4, "WORK@bob", "claim", Some(("FIX", "DOING")), Some(("", "WORK@bob"))),
        change(5, "WORK@bob", "release", Some(("DOING", "FIX")), Some(("WORK@bob", ""))),
        takes_back(6, "undo", 3, ("FIX", "REVIEW")),
    ]);
    assert_eq!(TaskHistory::of(changes).holders, ["WORK@ada", "WORK@bob"]);
}

#[test]
fn undo_of_a_reopen_revives_its_round_and_undo_of_a_drop_ends_none() {
    let mut changes = sent_back();
    changes[2] = change(3, "CMD@eve", "done", Some(("REVIEW", "DONE")), None);
    changes.push(change(4, "CMD@eve", "reopen", Some(("DONE", "PLAN")), None));
    assert_eq!(TaskHistory::of(changes.clone()).round_by.as_deref(), Some("4"));
    changes.push(takes_back(5, "undo", 4, ("PLAN", "DONE")));
    let history = TaskHistory::of(changes);
    assert_eq!((&history.holders[..], history.round_by), (&["WORK@ada".into()][..], None));

    let mut changes = sent_back();
    changes[2] = change(3, "CMD@eve", "drop", Some(("PLAN", "DROP")), None);
    changes.push(takes_back(4, "undo", 3, ("DROP", "PLAN")));
    let history = TaskHistory::of(changes);
    assert_eq!((&history.holders[..], history.round_by), (&["WORK@ada".into()][..], None));
}

#[test]
fn an_archived_row_comes_back_where_it_left() {
    let mut changes = sent_back();
    changes[2] = change(3, "CMD@eve", "done", Some(("REVIEW", "DONE")), None);
    changes.push(change(4, "CMD@eve", "archive", Some(("DONE", "")), None));
    let done = TaskHistory::of(changes.clone());
    assert_eq!(done.last_move.unwrap().to, Some(State::Done), "moving a row is no move");
    let mut undone = changes.clone();
    undone.push(takes_back(5, "undo", 4, ("", "DONE")));
    assert_eq!(TaskHistory::of(undone).holders, ["WORK@ada"]);
    changes.push(change(5, "CMD@eve", "reopen", Some(("", "PLAN")), None));
    let history = TaskHistory::of(changes.clone());
    assert_eq!((history.holders.len(), history.round_by.as_deref()), (0, Some("5")));
    assert_eq!(history.last_move.unwrap().from, Some(State::Done));
    changes.push(takes_back(6, "undo", 5, ("PLAN", "")));
    let history = TaskHistory::of(changes.clone());
    assert_eq!((&history.holders[..], history.round_by), (&["WORK@ada".into()][..], None));
    changes.push(change(7, "CMD@eve", "reopen", Some(("", "PLAN")), None));
    assert_eq!(TaskHistory::of(changes).last_move.unwrap().from, Some(State::Done));
}

#[test]
fn what_does_not_count_ends_neither_lease_nor_round() {
    let by_hand = |state, holder| PastChange {
        counts: false,
        ..change(2, "external", "external", Some(state), Some(holder))
    };
    let claim = change(1, "WORK@ada", "claim", Some(("READY", "DOING")), Some(("", "WORK@ada")));
    let mut changes = vec![claim, by_hand(("DOING", "READY"), ("WORK@ada", ""))];
    let history = TaskHistory::of(changes.clone());
    assert_eq!(history.running().and_then(|lease| lease.token), Some(1));
    assert_eq!(history.last_move.unwrap().to, Some(State::Doing));
    let mut accepted = changes.clone();
    accepted[1].counts = true;
    assert!(TaskHistory::of(accepted).lost_last(&actor("WORK@ada")));
    // Its holder hands it in all the same: the cells are empty already.
    changes.push(change(3, "WORK@ada", "submit", Some(("READY", "REVIEW")), None));
    let history = TaskHistory::of(changes);
    assert_eq!(history.leases[0].ended, Some(LeaseEnd::ByHolder));
    assert_eq!(history.leases.len(), 1);
}
