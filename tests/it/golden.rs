//! The manual, run: one test for each file of `tests/golden`.

use crate::support::transcript;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

macro_rules! golden {
    ($($test:ident = $name:literal;)*) => {
        const FILES: &[&str] = &[$($name),*];
        $(#[test]
        fn $test() {
            transcript::run_file(&folder().join(concat!($name, ".md")));
        })*
    };
}

golden! {
    add = "add";
    archive = "archive";
    check = "check";
    check_by_hand = "check-by-hand";
    check_changes = "check-changes";
    approvals = "approvals";
    approve = "approve";
    audit = "audit";
    claim = "claim";
    claim_hands_over = "claim-hands-over";
    completions = "completions";
    config = "config";
    decide = "decide";
    demo = "demo";
    diff = "diff";
    doctor = "doctor";
    done = "done";
    drop_ = "drop";
    dry_run = "dry-run";
    errors = "errors";
    evidence = "evidence";
    exits = "exits";
    export = "export";
    fix = "fix";
    flag = "flag";
    fmt = "fmt";
    formats = "formats";
    hand_made = "hand-made";
    handover = "handover";
    hold = "hold";
    hooks = "hooks";
    import = "import";
    init = "init";
    init_agents = "init-agents";
    japanese = "japanese";
    leases = "leases";
    list = "list";
    lock = "lock";
    log = "log";
    man = "man";
    mcp = "mcp";
    merge_driver = "merge-driver";
    metrics = "metrics";
    migrate = "migrate";
    move_ = "move";
    next = "next";
    no_command = "no-command";
    note = "note";
    prime = "prime";
    ready = "ready";
    reap = "reap";
    redo = "redo";
    reject = "reject";
    release = "release";
    renew = "renew";
    reopen = "reopen";
    request = "request";
    resume = "resume";
    roles = "roles";
    schema = "schema";
    set = "set";
    show = "show";
    status = "status";
    submit = "submit";
    undo = "undo";
    watch = "watch";
    withdraw = "withdraw";
}

#[test]
fn every_file_is_run_and_every_command_has_one() {
    let there: BTreeSet<String> = fs::read_dir(folder())
        .expect("the folder is part of the sources")
        .map(|entry| entry.expect("the folder can be read").path())
        // `schemas` holds the shapes of answers.
        .filter(|path| path.is_file())
        .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
        .collect();
    let run: BTreeSet<String> = FILES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(there, run);
    for command in orch::cli::commands::all() {
        assert!(run.contains(command.get_name()), "no golden/{}.md", command.get_name());
    }
}
