//! What a runner's command is given: arguments, variables, words to an agent.
//!
//! Pure. Not here: starting it (`dispatcher`, `keeper`), which tasks it takes
//! (`services::runs`). Invariant: nothing that stands in a ledger is ever read by
//! a shell. Without `shell: true` there is none; with it the text of a task comes
//! in variables, which a shell does not read again.

use crate::services::config::Runner;
use crate::services::runs::Claimed;
use std::ffi::OsString;
use std::path::Path;

/// The placeholders of `run:`, with the variable that stands for each in a shell.
const PLACEHOLDERS: [(&str, &str); 4] = [
    ("id", "ORCH_TASK_ID"),
    ("title", "ORCH_TASK_TITLE"),
    ("prompt", "ORCH_PROMPT"),
    ("artifact", "ORCH_TASK_ARTIFACT"),
];

/// The program and its arguments.
pub fn argv(runner: &Runner, run: &Claimed, prompt: &str) -> Vec<String> {
    if !runner.shell {
        return runner.run.iter().map(|word| fill(word, &|name| text(name, run, prompt))).collect();
    }
    let [script, arguments @ ..] = &runner.run[..] else { return Vec::new() };
    let script = fill(script, &|name| {
        let (_, variable) = PLACEHOLDERS.into_iter().find(|(known, _)| *known == name)?;
        Some(format!("${{{variable}}}"))
    });
    let mut argv = vec!["/bin/sh".to_owned(), "-c".to_owned(), script, "orch".to_owned()];
    argv.extend(arguments.iter().map(|word| fill(word, &|name| text(name, run, prompt))));
    argv
}

fn text(name: &str, run: &Claimed, prompt: &str) -> Option<String> {
    Some(match name {
        "id" => run.task.clone(),
        "title" => run.title.clone(),
        "prompt" => prompt.to_owned(),
        "artifact" => run.artifact.clone().unwrap_or_default(),
        _ => return None,
    })
}

/// Puts a text in the place of each `{{name}}`; what is put there is not looked at
/// again, and other braces stay.
pub fn fill(word: &str, text: &dyn Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let name =
            after.split_once("}}").and_then(|(name, after)| Some((text(name.trim())?, after)));
        if let Some((text, after)) = name {
            filled.push_str(&text);
            rest = after;
        } else {
            filled.push_str("{{");
            rest = after;
        }
    }
    filled + rest
}

/// All variables of a run: ours without `GIT_*` and `ORCH_*`, the runner's own,
/// and those that bind the process to its run, which nothing overrides.
pub fn variables(
    ours: Vec<(OsString, OsString)>,
    runner: &Runner,
    run: &Claimed,
    prompt: &str,
    root: &Path,
) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<_> = plain(ours);
    let mut set = |name: &str, value: OsString| {
        variables.retain(|(known, _)| known != name);
        variables.push((name.into(), value));
    };
    for (name, value) in &runner.env {
        set(name, value.into());
    }
    if runner.shell {
        set("ORCH_TASK_TITLE", run.title.clone().into());
        set("ORCH_TASK_ARTIFACT", run.artifact.clone().unwrap_or_default().into());
        set("ORCH_PROMPT", prompt.into());
    }
    set("ORCH_TASK_ID", run.task.clone().into());
    set("ORCH_ACTOR", run.actor.clone().into());
    set("ORCH_LEASE_TOKEN", run.token.to_string().into());
    set("ORCH_ROOT", root.into());
    set("ORCH_ATTEMPT", run.attempt.to_string().into());
    variables
}

/// Our variables without those that name another repository, workspace or run.
pub fn plain(ours: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let is_bound = |name: &OsString| {
        let name = name.as_encoded_bytes();
        name.starts_with(b"GIT_") || name.starts_with(b"ORCH_")
    };
    ours.into_iter().filter(|(name, _)| !is_bound(name)).collect()
}

/// What an agent is told: the task, and how to end.
pub fn prompt(run: &Claimed, attempts: u32) -> String {
    let id = crate::ledger::tasks::shell_word(&run.task);
    let mut prompt = format!(
        "You hold the task {} as {} (attempt {} of {attempts}).\n\nTitle: {}\n",
        run.task, run.actor, run.attempt, run.title
    );
    if let Some(artifact) = &run.artifact {
        prompt.push_str(&format!("Artifact: {artifact}\n"));
    }
    if let Some(detail) = &run.detail {
        prompt.push_str(&format!("\n{detail}\n"));
    }
    prompt.push_str(&format!(
        "\nWork in this folder. `orch show {id}` has all that is known of the task.\n\
         End with exit 0 when it is done: it is handed in for review then, or hand it in yourself \
         with `orch submit {id} --artifact PATH`.\n\
         Where somebody must answer first: `orch release {id} --needs-input \"your question\"`.\n\
         Where somebody must approve first: `orch request {id} --op \"what for\" --diff`.\n\
         End with exit 75 to be started again later, with another number where it failed.\n"
    ));
    prompt
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::config;
    use std::time::Duration;

    fn runner(yaml: &str) -> Runner {
        let text = format!("watch: {{runners: [{{name: r, {yaml}}}]}}");
        config::load(&text, "orch.yaml").unwrap().settings.watch.runners.remove(0)
    }

    fn run(title: &str) -> Claimed {
        Claimed {
            task: "T-1".into(),
            title: title.into(),
            artifact: None,
            detail: Some("As small as can be.".into()),
            actor: "WORK@r".into(),
            token: 7,
            attempt: 2,
            left: Duration::from_mins(1),
        }
    }

    #[test]
    fn placeholders_are_filled_inside_of_arguments_once() {
        let mut runner = runner(r#"run: [x, "--t={{title}}", "{{ id }}", "{{{{id}}}}", "{{"]"#);
        // Refused where settings are read.
        runner.run.insert(4, "{{no}}".to_owned());
        let argv = argv(&runner, &run("{{id}} $(touch P); -o %s\n"), "");
        assert_eq!(argv, ["x", "--t={{id}} $(touch P); -o %s\n", "T-1", "{{T-1}}", "{{no}}", "{{"]);
    }

    #[test]
    fn a_shell_reads_no_text_of_a_ledger() {
        let runner = runner(r#"shell: true, run: ["echo {{title}} \"{{title}}\" '{{id}}'"]"#);
        let run = run("$(touch P)`touch P`\"; touch P; '");
        let argv = argv(&runner, &run, "p");
        let script = "echo ${ORCH_TASK_TITLE} \"${ORCH_TASK_TITLE}\" '${ORCH_TASK_ID}'";
        assert_eq!(argv, ["/bin/sh", "-c", script, "orch"]);
        let variables = variables(Vec::new(), &runner, &run, "p", Path::new("/w"));
        let title = variables.iter().find(|(name, _)| name == "ORCH_TASK_TITLE").unwrap();
        assert_eq!(title.1, OsString::from(&run.title));
    }

    #[test]
    fn a_run_is_bound_to_its_task_and_to_nothing_else() {
        let runner = runner("run: [x], env: {RUST_LOG: info, PATH: /b}");
        let ours = ["PATH", "HOME", "GIT_DIR", "ORCH_LOG", "ORCH_ROOT", "ORCH_LEASE_TOKEN"];
        let ours = ours.map(|name| (name.into(), "ours".into())).to_vec();
        let mut variables = variables(ours, &runner, &run("t"), "p", Path::new("/w"));
        variables.sort();
        let spelled: Vec<String> = variables
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        assert_eq!(
            spelled,
            [
                "HOME=ours",
                "ORCH_ACTOR=WORK@r",
                "ORCH_ATTEMPT=2",
                "ORCH_LEASE_TOKEN=7",
                "ORCH_ROOT=/w",
                "ORCH_TASK_ID=T-1",
                "PATH=/b",
                "RUST_LOG=info",
            ]
        );
    }

    #[test]
    fn an_agent_is_told_what_and_how_to_end() {
        let prompt = prompt(&run("Write it"), 4);
        for part in ["T-1 as WORK@r (attempt 2 of 4)", "Title: Write it", "As small as can be."] {
            assert!(prompt.contains(part), "{prompt}");
        }
        assert!(prompt.contains("orch submit T-1") && prompt.contains("exit 75"));
    }
}
