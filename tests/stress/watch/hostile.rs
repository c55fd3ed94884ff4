//! Text of the ledger on its way into commands: it stays text.

use std::fs;

use super::shop::{Shop, until};
use crate::support::skip;

/// Titles, notes and the like that a shell, a template or a printf would obey.
fn texts(shop: &Shop) -> Vec<String> {
    let p = shop.path("P").display().to_string();
    vec![
        format!("$(touch {p})"),
        format!("`touch {p}`"),
        format!("x; touch {p};"),
        format!("x & touch {p} &"),
        format!("\"; touch {p}; \""),
        format!("'; touch {p}; '"),
        format!("'\"$(touch {p})\"'"),
        format!("x<br>touch {p}"),
        format!("${{IFS}}touch${{IFS}}{p}"),
        format!("$((touch {p}))"),
        format!("> {p}"),
        format!("x \\| tee {p}"),
        "-o".to_owned(),
        "--help".to_owned(),
        "%s%s%n %d".to_owned(),
        "{} {{}} {{id}} {{title}} {{prompt}} {{{{id}}}}".to_owned(),
        "\\n\\0\\x41 $HOME ~ * ? [a-z] !! #".to_owned(),
        "日本語 🎉 é".to_owned(),
    ]
}

/// Ids that stand in a ledger although nobody can add such.
const IDS: [&str; 8] =
    ["-o", "$(touch P)", "`touch P`", "{{id}}", "%s", "a;touch${IFS}P", "../../P", "日本"];

/// A task for each text as title, as artifact and in its notes, one for each id,
/// and one with each in a detail section.
fn rows(shop: &Shop) -> String {
    let mut rows = String::new();
    for (n, text) in texts(shop).iter().enumerate() {
        rows.push_str(&format!(
            "| T-{n} | {text} | READY | - | - | - | - | - | {text} | {text} |\n"
        ));
    }
    for id in IDS {
        rows.push_str(&format!("| {id} | a title | READY | WORK | - | - | - | - | - | - |\n"));
    }
    for (n, text) in texts(shop).iter().enumerate() {
        rows.push_str(&format!("\n### T-{n} detail\n\n{text}\n{text}\n").replace("\\|", "|"));
    }
    rows
}

/// The rows end where the first section begins; all tasks are run, and no `P` is
/// anywhere.
#[track_caller]
fn all_run_and_nothing_obeys(shop: &Shop, state: &str) {
    let text = rows(shop);
    let (table, sections) = text.split_once("\n###").unwrap();
    let ledger = format!("{}{table}\n\n###{sections}", crate::support::ground::HEAD);
    fs::write(shop.ground.tasks(), &ledger).unwrap();
    let tasks = texts(shop).len() + IDS.len();
    let watch = shop.watch();
    let ended = || {
        let listed = shop.does(&["list", "--json", "--limit", "0"]).json();
        let rows = listed["data"]["tasks"].as_array().unwrap().clone();
        (rows.len(), rows.iter().filter(|row| row["state"] == state).count())
    };
    until("all were run", || ended() == (tasks, tasks));
    watch.closes();
    let found = tool_find(shop);
    assert_eq!(found, "", "text of the ledger was obeyed");
    shop.is_sound();
}

/// Every file named `P`, anywhere in the workspace and beside it.
fn tool_find(shop: &Shop) -> String {
    let out = shop.ground.tool("find", &[".", "-name", "P*", "-newer", "ORCH/orch.yaml"]).output();
    let found = String::from_utf8(out.unwrap().stdout).unwrap();
    let beside = shop.ground.root().parent().unwrap().join("P");
    if beside.exists() { format!("{found}{}", beside.display()) } else { found }
}

#[test]
fn t33_through_arguments() {
    let shop = Shop::new("", "");
    shop.ground.settings(
        "watch: {max_parallel: 6, runners: [{name: r, \
         run: [sh, -c, 'printf \"%s\\0\" \"$@\" >\"got.$ORCH_LEASE_TOKEN\"', sh, \
         '{{id}}', '{{title}}', '{{artifact}}', '--x={{title}}{{id}}', '{{prompt}}']}]}\n",
    );
    all_run_and_nothing_obeys(&shop, "REVIEW");
    // And it arrived as it stands there.
    let mut titles: Vec<String> = Vec::new();
    for entry in fs::read_dir(shop.ground.root()).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("got.") {
            let got = fs::read_to_string(entry.path()).unwrap();
            let words: Vec<&str> = got.split('\0').collect();
            assert_eq!(words.len(), 6, "{words:?}");
            assert_eq!(words[3], format!("--x={}{}", words[1], words[0]));
            assert!(words[4].contains(words[1]), "{words:?}");
            titles.push(words[1].to_owned());
        }
    }
    for text in texts(&shop) {
        let (text, broken) = (text.replace("\\|", "|"), text.replace("<br>", "\n"));
        assert!(titles.contains(&text) || titles.contains(&broken), "{text} in {titles:#?}");
    }
}

#[test]
fn t33_through_a_shell() {
    let shop = Shop::new("", "");
    let settings = |run: &str| {
        format!("watch: {{max_parallel: 6, runners: [{{name: r, shell: true, run: {run}}}]}}\n")
    };
    // In the script, too, they come as variables, which a shell does not read again.
    shop.ground.settings(&settings(
        "['printf \"%s\\n\" {{title}} \"{{title}}\" {{id}} \"{{prompt}}\" >\"got.$ORCH_LEASE_TOKEN\"']",
    ));
    all_run_and_nothing_obeys(&shop, "REVIEW");
}

#[test]
fn t33_through_a_shell_s_arguments() {
    let shop = Shop::new("", "");
    let settings = |run: &str| {
        format!("watch: {{max_parallel: 6, runners: [{{name: r, shell: true, run: {run}}}]}}\n")
    };
    shop.ground.settings(&settings(
        "['printf \"%s\\n\" $1 \"$1\" $2 \"$2\" \"$3\" \"$ORCH_TASK_TITLE\" $ORCH_TASK_ID \
         \"$ORCH_PROMPT\" >\"got.$ORCH_LEASE_TOKEN\"', '{{title}}', '{{id}}', '{{prompt}}']",
    ));
    all_run_and_nothing_obeys(&shop, "REVIEW");
}

#[test]
fn t33_through_what_fails_and_is_told() {
    let shop = Shop::new("", "");
    // What it prints goes into notes, alerts and messages.
    shop.ground.settings(
        "watch: {max_parallel: 6, runners: [{name: r, retries: {max: 0}, \
         run: [sh, -c, 'printf \"%s\\n\" \"$@\"; exit 3', sh, '{{title}}', '{{id}}']}], \
         notify: [{command: [sh, -c, 'printf \"%s\\n\" \"$@\" >>told', sh, '{{summary}}']}]}\n",
    );
    all_run_and_nothing_obeys(&shop, "FIX");
    if shop.read("told").is_empty() {
        skip("T33", "nobody is told of alerts by a command yet");
    }
}
