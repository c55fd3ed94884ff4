//! `orch demo`: the main job, played on a ledger of its own.

use crate::cli::answer::{Cx, End};
use crate::cli::args::Format;
use crate::error::{Error, Result};
use crate::ledger::unified::unified;
use crate::store::layout::Layout;
use crate::wire::list::Made;
use clap::Args;
use std::ffi::OsString;
use std::path::Path;

/// Arguments of `orch demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {}

/// What is played: words of a command line, `{token}` for the lease's.
const SCRIPT: &[(&str, &[&str])] = &[
    ("CMD@eve plans two tasks and makes one of them ready.", &[]),
    ("", &["init", "--team", "--lang", "en"]),
    (
        "",
        &[
            "add",
            "Write the parser",
            "--priority",
            "HIGH",
            "--due",
            "2030-01-31",
            "--as",
            "CMD@eve",
        ],
    ),
    ("", &["add", "台帳を読みやすくする", "--depends", "001", "--as", "CMD@eve"]),
    ("", &["ready", "001", "002", "--as", "CMD@eve"]),
    ("WORK@ada takes what is best. 002 waits for 001, so it is not offered.", &[]),
    ("", &["claim", "--next", "--as", "WORK@ada"]),
    ("Nobody else can take it meanwhile.", &[]),
    ("", &["claim", "001", "--as", "WORK@bob"]),
    ("", &["submit", "001", "--artifact", "src/parser.rs", "--as", "WORK@ada"]),
    ("Who did the work cannot accept it, not even as CMD.", &[]),
    ("", &["done", "001", "--as", "CMD@ada"]),
    ("", &["done", "001", "--as", "CMD@eve"]),
    ("Now 002 is free.", &[]),
    ("", &["next", "--as", "WORK@ada"]),
    ("A watch works by itself. Its command fails at first, and is tried again.", &[]),
    (RUNNER, &[]),
    ("", &["watch", "--once"]),
    ("", &["watch", "--once"]),
    ("", &["list"]),
];

/// The settings of the watch that is played.
const RUNNER: &str = "\
watch:
  runners:
    - name: agent
      run: [sh, -c, 'echo \"$0: $1\"; test \"$ORCH_ATTEMPT\" -ge 2', \"{{id}}\", \"{{title}}\"]
      retries: {max: 3, backoff: 0s}
";

pub(super) fn run(cx: &mut Cx<'_>, _: DemoArgs) -> End {
    let root = cx.sys.env.temp_dir().join(format!("orch-demo-{}", cx.sys.random_hex()));
    cx.sys.fs.create_dir_all(&root, None).map_err(|e| Error::io("create", &root, &e))?;
    let layout = Layout::new(&root);
    let json = cx.global.format() == Format::Json;
    for (words, command) in SCRIPT {
        if *words == RUNNER {
            write_settings(cx, &layout)?;
            if !json {
                let _ = cx.ui.lines(&format!("\nORCH/orch.yaml:\n{RUNNER}"))?;
            }
            continue;
        }
        if !words.is_empty() && !json {
            let _ = cx.ui.line("")?;
            let _ = cx.ui.line(&format!("# {words}"))?;
        }
        if !command.is_empty() {
            play(cx, &layout, command, json)?;
        }
    }
    let files = vec![layout.display(&layout.tasks()), layout.display(&layout.logs_dir())];
    if json {
        let data = Made { root: root.display().to_string(), files, already: false, diff: None };
        cx.json("demo", &data, &[], &[])?;
        return Ok(None);
    }
    let _ = cx.ui.lines(&format!(
        "\n# The files are yours to look at, and to remove:\n{}\n{}",
        layout.tasks().display(),
        layout.logs_dir().display()
    ))?;
    Ok(None)
}

/// Shows a command, what it says, and what it did to the ledger.
fn play(cx: &mut Cx<'_>, layout: &Layout, command: &[&str], quiet: bool) -> Result<()> {
    let before = read(cx, &layout.tasks());
    let shown: Vec<String> = command.iter().map(|word| shell(word)).collect();
    let mut argv: Vec<OsString> = vec!["orch".into(), "-C".into(), layout.root.clone().into()];
    argv.extend(command.iter().map(OsString::from));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let number = crate::cli::run(&cx.sys.detached(), argv, &mut out, &mut err);
    if quiet {
        return Ok(());
    }
    let _ = cx.ui.line("")?;
    let _ = cx.ui.line(&format!("$ orch {}", shown.join(" ")))?;
    let _ = cx.ui.lines(String::from_utf8_lossy(&out).trim_end_matches('\n'))?;
    // The commands are shown as they are typed in that folder.
    let told = String::from_utf8_lossy(&err).replace(&format!(" -C {}", layout.root.display()), "");
    for line in told.lines().filter(|line| !line.starts_with("next: ")) {
        let _ = cx.ui.line(line)?;
    }
    if number > 0 {
        let _ = cx.ui.line(&format!("exit {number}"))?;
    }
    let after = read(cx, &layout.tasks());
    let diff = unified("ORCH/STATE/TASKS.md", before.as_deref(), after.as_deref());
    if before.is_some() && !diff.is_empty() {
        let _ = cx.ui.diff(&diff)?;
    }
    Ok(())
}

fn write_settings(cx: &Cx<'_>, layout: &Layout) -> Result<()> {
    let path = layout.settings();
    let failed = |e| Error::io("write", &path, &e);
    cx.sys.fs.remove_file(&path).map_err(failed)?;
    cx.sys.fs.create_new(&path).and_then(|mut f| f.write_all(RUNNER.as_bytes())).map_err(failed)
}

fn read(cx: &Cx<'_>, path: &Path) -> Option<String> {
    cx.sys.fs.read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

fn shell(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./@=+".contains(c));
    if plain { word.to_owned() } else { format!("\"{word}\"") }
}
