//! The commands that are printed as next do what they say, typed as printed.

use crate::support::Workspace;
use crate::support::shell;
use crate::support::workspace::Ran;

/// Types a printed command.
fn typed(ws: &Workspace, command: &str) -> Ran {
    let mut line = shell::parse(command.strip_prefix("orch ").unwrap()).unwrap();
    ws.run_words(&line.pipeline.remove(0), b"")
}

fn next(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    json["next"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_id_that_begins_with_a_dash_stands_behind_two() {
    let ws = Workspace::new().task("-x", "Dash").task("T-2", "Two");
    let claim = ws.run("claim --next --json --as WORK@ada").ok();
    assert_eq!(claim.json()["data"]["task"]["task_id"], "-x");
    let next = next(&claim);
    assert!(next[0].ends_with(" --as WORK@ada -- '-x'"), "{next:?}");
    let prime = ws.run("prime --as WORK@ada").ok();
    assert!(prime.stdout.contains("orch submit --as WORK@ada -- '-x'"), "{}", prime.stdout);
    let _ = typed(&ws, &next[1]).ok();
    let submit = typed(&ws, &next[0]).ok();
    assert_eq!(submit.stdout.lines().next(), Some("-x REVIEW Dash"));
}

#[test]
fn what_follows_several_submits_is_about_the_task_that_was_claimed() {
    let ws = Workspace::new().task("T-1", "a").task("T-2", "b").task("T-3", "c");
    let claim = ws.run("claim T-1 T-2 --json --as WORK@ada").ok().json();
    let token = claim["data"]["lease"]["token"].to_string();
    let line = format!("submit T-1 T-2 --token {token} --claim-next --json --as WORK@ada");
    let submit = ws.run(&line).ok();
    assert_eq!(submit.json()["data"]["claimed"]["task_id"], "T-3");
    let next = next(&submit);
    assert!(next.iter().all(|n| n.contains(" T-3 ") && !n.contains("T-1")), "{next:?}");
    assert_eq!(typed(&ws, &next[0]).ok().stdout.lines().next(), Some("T-3 REVIEW c"));
}

#[test]
fn what_was_answered_before_leads_to_how_it_is_now() {
    let ws = Workspace::new().task("T-1", "a");
    let claim = "claim --next --op-id k --json --as WORK@ada";
    let first = ws.run(claim).ok();
    let _ = ws.run("release T-1 --as WORK@ada").ok();
    let again = ws.run(claim).ok();
    assert_eq!(again.json()["data"]["lease"], first.json()["data"]["lease"]);
    assert_eq!(next(&again), ["orch show T-1 --as WORK@ada"]);
    let now = typed(&ws, "orch show T-1 --json --as WORK@ada").ok();
    assert_eq!(next(&now), ["orch claim T-1 --as WORK@ada"]);
}

#[test]
fn a_note_of_a_dash_is_no_note() {
    let ws = Workspace::new().task("T-1", "a");
    let words: Vec<String> = ["note", "T-1", "-", "--as", "CMD@eve"].map(str::to_owned).into();
    assert_eq!(ws.run_words(&words, b"-\n").exit, 2);
}

#[test]
fn anybody_may_look_at_a_plan_of_a_migration() {
    let ws = Workspace::new().ledger("# Tasks\n\n## T-1 One\n\n- state: READY\n");
    let refused = ws.run("claim --next --as WORK@ada").exit(10);
    assert!(refused.stderr.contains("hint: orch migrate --dry-run"), "{refused:?}");
    let _ = ws.run("migrate --dry-run --as WORK@ada").ok();
    let _ = ws.run("migrate --as WORK@ada").exit(4);
}

#[test]
fn doctor_names_an_actor_that_is_none() {
    let ws = Workspace::new().task("T-1", "a");
    ws.var("ORCH_ACTOR", Some("BAD"));
    let doctor = ws.run("doctor").exit(10);
    assert!(doctor.stdout.contains("`$ORCH_ACTOR` is `BAD`"), "{doctor:?}");
}

#[test]
fn a_text_may_begin_with_a_dash() {
    let ws = Workspace::new().task("T-1", "a");
    let words = ["handover", "T-1", "--note", "- one\n- two", "--as", "CMD@eve", "--json"];
    let words: Vec<String> = words.map(str::to_owned).into();
    assert_eq!(ws.run_words(&words, b"").exit, 0);
    let shown = ws.run("show T-1 --json").ok().json();
    assert_eq!(shown["data"]["handover"]["text"], "- one\n- two");
}

#[test]
fn a_section_is_made_beside_the_others_and_not_below_them() {
    let ws = Workspace::new().task("T-1", "a").task("T-2", "b");
    let text = ws.read(crate::support::workspace::TASKS).replace("# Tasks\n\n", "");
    let ws = ws.ledger(&(text + "\n# T-1 a\n\nOne.\n"));
    let _ = ws.run("handover T-2 --note two --as CMD@eve").ok();
    let shown = |id: &str| ws.run(&format!("show {id} --json")).ok().json();
    assert_eq!(shown("T-2")["data"]["handover"]["text"], "two");
    assert!(shown("T-1")["data"]["handover"].is_null());
}

#[test]
fn who_holds_as_many_as_may_be_is_offered_none() {
    let ws = Workspace::new().settings("leases: {max_doing_per_actor: 1}\n");
    let ws = ws.task("T-1", "a").task("T-2", "b");
    let _ = ws.run("claim T-1 --as WORK@ada").ok();
    let list = ws.run("next --json --as WORK@ada").ok();
    assert_eq!(list.json()["data"]["tasks"][0]["claimable"], false, "{list:?}");
    for ran in [list, ws.run("status --json --as WORK@ada").ok()] {
        assert!(!next(&ran).iter().any(|n| n.contains("claim")), "{ran:?}");
    }
    let other = ws.run("next --json --as WORK@bob").ok();
    assert_eq!(next(&other), ["orch claim --next --as WORK@bob"]);
}
