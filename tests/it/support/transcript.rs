//! Markdown files that are run: `console` blocks are commands and what they
//! print, blocks with `file PATH` in their first line are files.
//!
//! In a `console` block a line that begins with `$ ` is a command; below it
//! stands what it prints, stdout first, and `[exit N]` where it does not
//! succeed. A block `console once` has one command, so that its output may hold
//! such lines. A line `[..]` matches any lines, and `[..]` in a line any text.
//!
//! In an `mcp` block, whose first one names the options of `orch mcp`, lines that
//! begin with `-> ` are said to one server and those with `<- ` are heard.
//!
//! One file is one workspace and one story: each block goes on where the last
//! one ended. Besides `orch` there are `cat`, `ls`, `diff` (what changed in the
//! ledgers since the last `diff`, `init` or file block), `sleep` (time passes at
//! once), `cd`, `export`, `unset`, `echo` and `printf` (into a pipe or a file),
//! `chmod`, `rm`, `mkdir`, `stty cols N` and `git`.
//!
//! `ORCH_UPDATE=1 cargo test` writes what was printed into the files. Read the
//! difference before you keep it.

use super::client::Client;
use super::shell;
use super::workspace::{APPROVALS, Ran, TASKS, Workspace};
use orch::ledger::unified::unified;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Runs a file and panics where it prints something else.
pub fn run_file(path: &Path) {
    let text = fs::read_to_string(path)
        .unwrap_or_else(|why| panic!("cannot read `{}`: {why}", path.display()));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let updated = run(&text).unwrap_or_else(|why| panic!("`{name}`: {why}"));
    if updated == text {
        return;
    }
    if std::env::var_os("ORCH_UPDATE").is_some() {
        fs::write(path, updated).expect("a file that could be read can be written");
        return;
    }
    panic!(
        "`{name}` expects something else; `ORCH_UPDATE=1 cargo test` takes it over\n{}",
        unified(&name, Some(&text), Some(&updated))
    );
}

/// Runs a text and gives it as it should be: equal where all is as expected.
pub fn run(text: &str) -> Result<String, String> {
    tell(text, &mut Story::new())
}

/// Runs a text with `--json` for every command of ours that names no format, and
/// gives what each of them printed. What the text expects does not matter.
pub fn in_json(text: &str) -> Result<Vec<Ran>, String> {
    let mut story = Story { heard: Some(Vec::new()), ..Story::new() };
    tell(text, &mut story)?;
    Ok(story.heard.unwrap_or_default())
}

fn tell(text: &str, story: &mut Story) -> Result<String, String> {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let fence: String = line.chars().take_while(|c| *c == '`').collect();
        if fence.len() < 3 {
            continue;
        }
        let info = line[fence.len()..].trim();
        let mut body = Vec::new();
        loop {
            match lines.next() {
                Some(line) if line == fence => break,
                Some(line) => body.push(line),
                None => return Err(format!("the block `{line}` is not closed")),
            }
        }
        if let Some((_, path)) = info.split_once("file ") {
            story.file(path.trim(), &body);
        }
        match info {
            "console" => story.block(&body, false, &mut out)?,
            "console once" => story.block(&body, true, &mut out)?,
            _ if info.split(' ').next() == Some("mcp") => {
                let words = info.split(' ').skip(1);
                story.session(words, &body, &mut out)?;
            }
            _ => body.iter().for_each(|line| out.extend([line, "\n"])),
        }
        out.push_str(&fence);
        out.push('\n');
    }
    if !text.ends_with('\n') {
        out.pop();
    }
    Ok(out)
}

/// Whether lines are as expected, where `[..]` stands for anything.
pub fn matches<E: AsRef<str>, A: AsRef<str>>(expected: &[E], actual: &[A]) -> bool {
    match (expected, actual) {
        ([], []) => true,
        ([any, rest @ ..], _) if any.as_ref().trim() == "[..]" => {
            (0..=actual.len()).any(|skip| matches(rest, &actual[skip..]))
        }
        ([first, rest @ ..], [line, others @ ..]) => {
            line_matches(first.as_ref(), line.as_ref()) && matches(rest, others)
        }
        ([], _) | (_, []) => false,
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    let Some((start, rest)) = expected.split_once("[..]") else { return expected == actual };
    let Some(tail) = actual.strip_prefix(start) else { return false };
    tail.char_indices()
        .map(|(at, _)| at)
        .chain([tail.len()])
        .any(|at| line_matches(rest, &tail[at..]))
}

struct Story {
    ws: Workspace,
    /// Both ledgers as the last `diff` saw them.
    seen: [Option<String>; 2],
    /// The session with `orch mcp` that goes on.
    client: Option<Client>,
    /// What our commands said, where everything is asked as JSON.
    heard: Option<Vec<Ran>>,
}

const LEDGERS: [&str; 2] = [TASKS, APPROVALS];

impl Story {
    fn new() -> Self {
        Self { ws: Workspace::new(), seen: [None, None], client: None, heard: None }
    }

    fn file(&mut self, path: &str, body: &[&str]) {
        let text: String = body.iter().flat_map(|line| [*line, "\n"]).collect();
        self.ws.write(path, text);
        if let Some(at) = LEDGERS.iter().position(|ledger| *ledger == path) {
            self.seen[at] = self.ws.existing(path);
        }
    }

    fn block(&mut self, body: &[&str], once: bool, out: &mut String) -> Result<(), String> {
        if body.first().is_some_and(|line| line.starts_with("$ cargo ")) {
            return cargo(body, out);
        }
        let mut at = 0;
        while at < body.len() {
            let Some(command) = body[at].strip_prefix("$ ") else {
                return Err(format!("`{}` stands before any command", body[at]));
            };
            let is_next = |line: &&str| !once && line.starts_with("$ ");
            let end = body[at + 1..].iter().position(is_next).map_or(body.len(), |n| at + 1 + n);
            let expected = &body[at + 1..end];
            let printed = self.command(command).map_err(|why| format!("`{command}`: {why}"))?;
            let printed: Vec<&str> = printed.lines().collect();
            out.extend(["$ ", command, "\n"]);
            let kept = if matches(expected, &printed) { expected } else { &printed[..] };
            for line in kept {
                out.extend([*line, "\n"]);
            }
            at = end;
        }
        Ok(())
    }

    /// Says what stands behind `->`, and gives what is heard: the answer to each
    /// request, and as many other messages as there are `<-` before the next.
    fn session<'w>(
        &mut self,
        words: impl Iterator<Item = &'w str>,
        body: &[&str],
        out: &mut String,
    ) -> Result<(), String> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(Client::start(&self.ws, words)),
        };
        let mut at = 0;
        while at < body.len() {
            let said = body[at].strip_prefix("-> ");
            let from = at + usize::from(said.is_some());
            let end = body[from..].iter().position(|line| line.starts_with("-> "));
            let expected = &body[from..end.map_or(body.len(), |n| from + n)];
            let heard = client.exchange(said, expected.len())?;
            let heard: Vec<String> =
                heard.iter().map(|line| format!("<- {}", self.ws.shown(line.as_bytes()))).collect();
            if let Some(said) = said {
                out.extend(["-> ", said, "\n"]);
            }
            let as_expected = matches(expected, &heard);
            let kept = if as_expected {
                expected.iter().map(ToString::to_string).collect()
            } else {
                heard
            };
            for line in &kept {
                out.extend([line, "\n"]);
            }
            at = from + expected.len();
        }
        Ok(())
    }

    /// Runs a command and gives all it prints.
    fn command(&mut self, text: &str) -> Result<String, String> {
        let line = shell::parse(text)?;
        let mut bytes: Vec<u8> = Vec::new();
        let mut told = String::new();
        for (n, words) in line.pipeline.iter().enumerate() {
            // What a program reads stays as it is.
            let is_shown = n + 1 == line.pipeline.len() && line.redirect.is_none();
            (bytes, told) = self.simple(words, &bytes, is_shown)?;
        }
        if let Some((path, append)) = &line.redirect {
            let path = self.ws.cwd().join(path);
            let mut all = if *append { fs::read(&path).unwrap_or_default() } else { Vec::new() };
            all.append(&mut bytes);
            fs::write(&path, all).map_err(|why| why.to_string())?;
        }
        let mut printed = self.ws.shown(&bytes);
        if !printed.is_empty() && !printed.ends_with('\n') && !told.is_empty() {
            printed.push('\n');
        }
        Ok(printed + &told)
    }

    fn simple(
        &mut self,
        words: &[String],
        stdin: &[u8],
        is_shown: bool,
    ) -> Result<(Vec<u8>, String), String> {
        let mut words = words;
        let mut for_once = Vec::new();
        while let [first, rest @ ..] = words
            && let Some((name, value)) = first.split_once('=').filter(|(n, _)| is_variable(n))
        {
            for_once.push(name);
            self.ws.var(name, Some(value));
            words = rest;
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let path = |name: &str| self.ws.cwd().join(name);
        let io = |why: std::io::Error| why.to_string();
        let done = |bytes: Vec<u8>| Ok((bytes, String::new()));
        let result = match words[..] {
            ["orch", ..] => Ok(self.orch(&words[1..], stdin, is_shown)),
            ["git", ..] => self.git(&words[1..]),
            ["diff"] => done(self.diff().into_bytes()),
            ["cat", file] => Ok(match fs::read(path(file)) {
                Ok(bytes) => (bytes, String::new()),
                Err(_) => (Vec::new(), format!("cat: {file}: No such file\n[exit 1]\n")),
            }),
            ["ls"] => done(listing(&path("."))?),
            ["ls", dir] => done(listing(&path(dir))?),
            ["echo", ..] => done(format!("{}\n", words[1..].join(" ")).into_bytes()),
            ["printf", text] => done(shell::escapes(text)),
            ["sed", "-i", expression, file] => {
                // One way of it: every line's first `from` becomes `to`.
                let parts: Vec<_> = expression.split('/').collect();
                let ["s", from, to, ""] = parts[..] else { return Err("only s/a/b/".into()) };
                let text = fs::read_to_string(path(file)).map_err(|e| e.to_string())?;
                let lines = text.split_inclusive('\n').map(|line| line.replacen(from, to, 1));
                fs::write(path(file), lines.collect::<String>()).map_err(|e| e.to_string())?;
                done(Vec::new())
            }
            ["sleep", time] => {
                let time = orch::model::duration::parse(time).map_err(|why| why.to_string())?;
                self.ws.clock().advance(time);
                done(Vec::new())
            }
            ["cd"] => {
                self.ws.cd(&self.ws.root().to_string_lossy());
                done(Vec::new())
            }
            ["cd", dir] => {
                self.ws.cd(dir);
                done(Vec::new())
            }
            ["export", assignment] => {
                let (name, value) = assignment.split_once('=').ok_or("no value")?;
                self.ws.var(name, Some(value));
                done(Vec::new())
            }
            ["unset", name] => {
                self.ws.var(name, None);
                done(Vec::new())
            }
            ["stty", "cols", columns] => {
                self.ws.columns(columns.parse().map_err(|_| "no number")?);
                done(Vec::new())
            }
            ["chmod", mode, file] => {
                let mode = u32::from_str_radix(mode, 8).map_err(|why| why.to_string())?;
                fs::set_permissions(path(file), fs::Permissions::from_mode(mode)).map_err(io)?;
                done(Vec::new())
            }
            ["rm", file] => done(fs::remove_file(path(file)).map(|()| Vec::new()).map_err(io)?),
            ["mkdir", dir] => done(fs::create_dir(path(dir)).map(|()| Vec::new()).map_err(io)?),
            _ => Err("this command is not understood".to_owned()),
        };
        for name in for_once {
            self.ws.var(name, None);
        }
        result
    }

    fn orch(&mut self, words: &[&str], stdin: &[u8], is_shown: bool) -> (Vec<u8>, String) {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let has_format = words.iter().any(|w| w == "--json" || w.starts_with("--format"));
        if self.heard.is_some() && is_shown && !has_format {
            words.insert(0, "--json".to_owned());
        }
        let ran = self.ws.run_words(&words, stdin);
        super::printed::judge(&self.ws, &ran);
        if is_shown && let Some(heard) = &mut self.heard {
            heard.push(ran.clone());
        }
        let mut told = ran.stderr;
        if ran.exit > 0 {
            told.push_str(&format!("[exit {}]\n", ran.exit));
        } else if words.iter().any(|word| word == "init") {
            let _ = self.diff();
        }
        (ran.stdout.into_bytes(), told)
    }

    fn diff(&mut self) -> String {
        let now = LEDGERS.map(|path| self.ws.existing(path));
        let each = (0..2).map(|n| unified(LEDGERS[n], self.seen[n].as_deref(), now[n].as_deref()));
        let text = each.collect();
        self.seen = now;
        text
    }

    /// Real git, which sees nothing of the machine's settings.
    fn git(&self, words: &[&str]) -> Result<(Vec<u8>, String), String> {
        let mut git = Command::new("git");
        let path = std::env::var_os("PATH").unwrap_or_default();
        git.args(words).current_dir(self.ws.cwd()).env_clear().env("PATH", path);
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "init.defaultBranch"),
            ("GIT_CONFIG_VALUE_0", "main"),
            ("GIT_AUTHOR_NAME", "ada"),
            ("GIT_AUTHOR_EMAIL", "ada@example.org"),
            ("GIT_AUTHOR_DATE", "2026-01-01T09:00:00Z"),
            ("GIT_COMMITTER_NAME", "ada"),
            ("GIT_COMMITTER_EMAIL", "ada@example.org"),
            ("GIT_COMMITTER_DATE", "2026-01-01T09:00:00Z"),
            ("LC_ALL", "C"),
        ] {
            git.env(name, value);
        }
        let ran = git.output().map_err(|why| why.to_string())?;
        let mut told = self.ws.shown(&ran.stderr);
        if !ran.status.success() {
            told.push_str(&format!("[exit {}]\n", ran.status.code().unwrap_or(-1)));
        }
        Ok((ran.stdout, told))
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

fn listing(dir: &Path) -> Result<Vec<u8>, String> {
    let entries = fs::read_dir(dir).map_err(|why| why.to_string())?;
    let names = entries.map(|e| e.map(|e| e.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>, _>>().map_err(|why| why.to_string())?;
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names.iter().flat_map(|name| [name, "\n"]).collect::<String>().into_bytes())
}

/// Building is not done again from a test; only the spelling is looked at.
fn cargo(body: &[&str], out: &mut String) -> Result<(), String> {
    let known = ["$ cargo run --release -- demo", "$ cargo test", "$ cargo install --path ."];
    for line in body {
        if line.starts_with("$ ") && !known.contains(line) {
            return Err(format!("`{line}` is none of {}", known.join(", ")));
        }
        out.extend([*line, "\n"]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY: &str = "\
Text.

```console
$ orch init --team --lang en
[..]
$ orch add 'Count the chairs'
001 PLAN Count the chairs
[..]
$ orch show 9
error: no task `9` in `ORCH/STATE/TASKS.md`
hint: orch list
[exit 3]
```
";

    #[test]
    fn what_is_as_expected_stays() {
        assert_eq!(run(STORY).unwrap(), STORY);
    }

    #[test]
    fn a_wrong_expectation_is_found_and_corrected() {
        for (right, wrong) in [
            ("001 PLAN Count", "002 PLAN Count"),
            ("[exit 3]\n", ""),
            ("[exit 3]", "[exit 4]"),
            ("hint: orch list\n", ""),
        ] {
            let wrong_story = STORY.replace(right, wrong);
            assert_ne!(wrong_story, STORY);
            assert_ne!(run(&wrong_story).unwrap(), wrong_story, "`{wrong}` was taken");
        }
        let missing = STORY.replace("hint: orch list\n", "");
        assert_eq!(run(&missing).unwrap(), STORY);
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        assert!(run("```console\n$ make it\n```\n").is_err());
        assert!(run("```console\n$ cargo build\n```\n").is_err());
        assert!(run("```console\n$ cargo test\nanything\n```\n").is_ok());
        assert!(run("```console\nno command\n```\n").is_err());
        assert!(run("```console\n$ orch list\n").is_err());
    }

    #[test]
    fn wildcards_stand_for_lines_and_parts_of_lines() {
        assert!(matches(&["a", "[..]", "d"], &["a", "b", "c", "d"]));
        assert!(matches(&["[..]"], &[] as &[&str]));
        assert!(matches(&["token [..], ok"], &["token 17, ok"]));
        assert!(!matches(&["a", "[..]", "e"], &["a", "b", "c", "d"]));
        assert!(!matches(&["token [..], ok"], &["token 17"]));
    }
}
