//! A migration in words: the report that is printed and kept beside the backup.
//!
//! Invariant: it is Markdown, and text of the sources stands in it in cells and
//! code spans only.

use crate::cli::render::markdown;
use crate::ledger::foreign::{Form, Why};
use crate::services::migrate::plan::{KeptWhy, Plan, Target};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Why a value stays as it is written.
pub fn kept(why: KeptWhy) -> &'static str {
    match why {
        KeptWhy::State => "no state that is known; the cell has it as it is written (`--state`)",
        KeptWhy::Owner => "no actor; the cell has it as it is written (`--owner`)",
        KeptWhy::Priority => "no priority that is known; kept as it is written",
        KeptWhy::Status => "no status that is known; the cell has it as it is written",
        KeptWhy::Time => "not certain which time is meant; kept in the detail section",
        KeptWhy::Several => "several values for one cell; kept in the detail section",
        KeptWhy::NoIds => "not only ids; kept in the detail section",
        KeptWhy::Twice => "another field says that already; kept in the detail section",
    }
}

/// Why lines stay text.
pub fn left(why: &Why) -> String {
    match why {
        Why::NoId => "no id".to_owned(),
        Why::Summary => "a table with ids and no titles, so a summary".to_owned(),
        Why::HasRow(id) => format!("`{id}` has a row already"),
        Why::Within => "part of the text of another task".to_owned(),
        Why::Box => "a box that is neither `[ ]` nor `[x]`".to_owned(),
        Why::OtherLedger => "belongs into the other ledger".to_owned(),
    }
}

/// How many findings of each code there are.
pub fn findings(plan: &Plan) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for finding in &plan.findings {
        *counts.entry(finding.code.to_owned()).or_default() += 1;
    }
    counts
}

/// How many lines of a list people are shown; JSON has all of them.
const SHOWN: usize = 100;

fn more(all: usize, out: &mut String) {
    if all > SHOWN {
        out.push_str(&format!("- and {} more (`--json` lists them)\n", all - SHOWN));
    }
}

/// The whole report.
pub fn report(plan: &Plan) -> String {
    let mut out = String::from("# Migration\n\n");
    sources(plan, &mut out);
    came(plan, &mut out);
    if !plan.mappings.is_empty() {
        out.push_str("\n## Fields\n\n");
        let rows =
            plan.mappings.iter().map(|m| [m.field.clone(), target(&m.target), m.count.to_string()]);
        table(&["field", "becomes", "times"], rows, &mut out);
    }
    if !plan.words.is_empty() {
        out.push_str("\n## Words\n\n");
        let rows = plan.words.iter().map(|word| {
            [word.column.clone(), word.from.clone(), word.to.clone(), word.count.to_string()]
        });
        table(&["in", "written", "becomes", "times"], rows, &mut out);
    }
    if !plan.kept.is_empty() {
        out.push_str("\n## Kept as it is written\n\n");
        for kept in plan.kept.iter().take(SHOWN) {
            let file = &plan.sources[kept.source].name;
            let (id, field) = (code(&kept.id), code(&kept.field));
            out.push_str(&format!(
                "- {}: {field} of {id}: {}\n",
                code(&format!("{file}:{}", kept.line)),
                self::kept(kept.why)
            ));
        }
        more(plan.kept.len(), &mut out);
    }
    if !plan.fenced.is_empty() {
        let ids: Vec<String> = plan.fenced.iter().map(|id| code(id)).collect();
        out.push_str(&format!(
            "\nThe text of {} stands in a fence: as it is it would reach beyond its section.\n",
            ids.join(", ")
        ));
    }
    if !plan.left.is_empty() {
        out.push_str("\n## Not taken\n\n");
        for (source, left) in plan.left.iter().take(SHOWN) {
            let file = &plan.sources[*source].name;
            let times =
                if left.count > 1 { format!(" ({} rows)", left.count) } else { String::new() };
            let place = code(&format!("{file}:{}", left.line));
            out.push_str(&format!("- {place}: {}{times}\n", self::left(&left.why)));
        }
        more(plan.left.len(), &mut out);
    }
    checked(plan, &mut out);
    if !plan.backup.folder.is_empty() {
        out.push_str(&format!(
            "\n## Backup\n\n{} has the former bytes and what was read; `orch migrate --rollback` \
             brings them back.\n",
            code(&plan.backup.folder)
        ));
    }
    out
}

fn sources(plan: &Plan, out: &mut String) {
    let rows = plan.sources.iter().map(|source| {
        let forms = source.forms.iter().map(|(form, n)| match form {
            Form::Headings => number(*n, "heading"),
            Form::Table => number(*n, "table row"),
            Form::Checkboxes => format!("{n} checkbox{}", if *n == 1 { "" } else { "es" }),
            Form::Board => number(*n, "file"),
        });
        let forms: Vec<String> = forms.collect();
        let what = if forms.is_empty() { "-".to_owned() } else { forms.join(", ") };
        let how = if source.own { "turned in place" } else { "stays as it is" };
        [source.name.clone(), what, source.same.to_string(), how.to_owned()]
    });
    table(&["source", "found", "there already", "the file"], rows, out);
}

/// What comes, by state.
fn came(plan: &Plan, out: &mut String) {
    out.push('\n');
    let counts = |counts: &BTreeMap<String, usize>| {
        let counts = counts.iter().map(|(word, n)| format!("{n} {}", plain(word)));
        counts.collect::<Vec<_>>().join(", ")
    };
    if plan.tasks() + plan.approvals() == 0 && plan.columns.is_empty() {
        out.push_str("Nothing comes: all of it is there.\n");
    }
    if plan.tasks() > 0 {
        out.push_str(&format!("{}: {}.\n", number(plan.tasks(), "task"), counts(&plan.states)));
    }
    if plan.approvals() > 0 {
        let all = number(plan.approvals(), "approval");
        out.push_str(&format!("{all}: {}.\n", counts(&plan.statuses)));
    }
    if plan.details > 0 {
        let verb = if plan.details == 1 { "has" } else { "have" };
        out.push_str(&format!("{} of them {verb} a detail section.\n", plan.details));
    }
    for file in &plan.tables {
        out.push_str(&format!("{} gets a ledger table.\n", code(file)));
    }
    for (file, columns) in &plan.columns {
        let (file, names) = (code(file), columns.join(", "));
        let s = if columns.len() == 1 { "" } else { "s" };
        out.push_str(&format!("{file} gets the column{s} {names}.\n"));
    }
}

fn checked(plan: &Plan, out: &mut String) {
    if plan.backup.folder.is_empty() {
        return;
    }
    out.push_str("\n## What `orch check` says then\n\n");
    if plan.findings.is_empty() {
        out.push_str("Nothing found.\n");
        return;
    }
    let mut seen: BTreeMap<&str, (usize, &str, Vec<&str>)> = BTreeMap::new();
    for finding in &plan.findings {
        let severity = finding.severity.as_str();
        let (count, _, rows) = seen.entry(finding.code).or_insert((0, severity, Vec::new()));
        *count += 1;
        rows.extend(finding.row.as_deref());
    }
    for (code_of, (count, severity, rows)) in seen {
        const NAMED: usize = 5;
        let others = rows.len().saturating_sub(NAMED);
        let more = if others > 0 { format!(", and {others} more") } else { String::new() };
        let rows: Vec<String> = rows.iter().take(NAMED).map(|row| code(row)).collect();
        let about =
            if rows.is_empty() { String::new() } else { format!(": {}{more}", rows.join(", ")) };
        out.push_str(&format!("- {} ({severity}), {count}{about}\n", code(code_of)));
    }
}

fn number(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// What a field became, in a cell.
fn target(target: &Target) -> String {
    match target {
        Target::Column(name) => format!("the column {name}"),
        Target::Other(name) => format!("the column {name}"),
        Target::Attribute(key) => format!("{key}=… in notes"),
        Target::Detail => "text of the detail section".to_owned(),
    }
}

fn table<const N: usize>(
    header: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
    out: &mut String,
) {
    let rows = rows.map(|row| row.into_iter().map(Cow::Owned));
    let mut bytes = Vec::new();
    if markdown::write(&mut bytes, header, rows).is_ok() {
        out.push_str(&String::from_utf8_lossy(&bytes));
    }
}

/// Text of a source in a line: no mark of it is Markdown's.
fn code(text: &str) -> String {
    format!("`{}`", plain(text).replace('`', "'"))
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
