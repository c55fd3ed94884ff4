//! What a commit brings in: the ledgers of the index, held against HEAD's.
//!
//! Here: which findings are new. Not here: asking git (`store::staged`).
//! Invariant: what HEAD has already stops nobody from committing something else,
//! but a file that no command could read always does.

use crate::error::Result;
use crate::ledger::tasks::shell_word;
use crate::model::actor::Principals;
use crate::model::evidence_path;
use crate::model::severity::Severity;
use crate::services::check::book::{Book, Expect, Ground, Source};
use crate::services::check::finding::Finding;
use crate::services::check::rules::{self, reading};
use crate::services::config::{self, Settings};
use crate::services::context::Context;
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::store::staged::{Index, Versions};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

/// What of the staged ledgers is new. `from` is `-C`.
///
/// # Errors
/// `not_found` where there is no repository, `failed` where git fails.
pub fn staged(ctx: &Context, from: Option<PathBuf>) -> Result<Vec<Finding>> {
    let (sys, layout) = (&ctx.sys, &ctx.layout);
    let index = Index::of(sys, layout, from)?;
    let files = watched(ctx);
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    let versions = index.versions(&names)?;
    let settings = settings(layout, &versions, &ctx.settings);
    let (settings, unreadable) = match settings {
        Ok(settings) => (settings, None),
        Err(error) => (ctx.settings.clone(), Some(error)),
    };
    let journal = Journal::read(sys, layout)?;
    let expect = |name: &str| files.iter().find(|(n, _)| n == name).and_then(|(_, e)| *e);
    // What is unmerged has no version of its own in the index, and is not gone.
    let unmerged = if versions.iter().any(|file| file.index.is_none() && file.head.is_some()) {
        index.unmerged()?
    } else {
        BTreeSet::new()
    };
    let gone = versions.iter().find(|file| {
        expect(&file.name) == Some(Expect::Tasks)
            && file.index.is_none()
            && file.head.is_some()
            && !unmerged.contains(&file.name)
    });
    let look = |of: fn(&Versions) -> Option<&Vec<u8>>| {
        let there = versions.iter().filter_map(|file| Some((file, of(file)?)));
        let sources: Vec<Source<'_>> = there
            .filter_map(|(file, bytes)| {
                let (name, bytes) = (file.name.clone(), Cow::Borrowed(&bytes[..]));
                Some(Source { expect: expect(&name)?, name, bytes })
            })
            .collect();
        let principals = Principals::new(&settings.principals);
        let now = ctx.now(journal.newest());
        let mut book = Book::read(&sources, &settings, &principals, now)
            .on(Ground { sys, layout })
            .with_journal(&journal);
        if let Some(error) = &unreadable {
            book.unread.push(error.clone());
        }
        let findings = rules::look(&book).told(&book);
        let evidence: HashMap<String, String> = book
            .approvals()
            .filter_map(|row| {
                let cell = row.approval.evidence.as_deref()?;
                let root = settings.evidence.root.as_deref();
                let top = layout.root.to_string_lossy();
                let name = evidence_path::relative(cell, root, &top).ok()?;
                Some((row.approval.id.into_owned(), name))
            })
            .collect();
        (findings, evidence)
    };
    let (mut found, evidence) = look(|file| file.index.as_ref());
    found.extend(gone.map(|file| taken_away(&file.name)));
    let open = versions.iter().filter(|file| unmerged.contains(&file.name));
    found.extend(open.map(|file| unresolved(&file.name)));
    // What time alone brings is nothing that a commit does.
    found.retain(|finding| finding.severity >= Severity::Warning);
    let accepted = journal.accepted();
    for finding in &mut found {
        finding.is_accepted = accepted.has(&finding.key());
    }
    if found.is_empty() {
        return Ok(found);
    }
    let (known, _) = look(|file| file.head.as_ref());
    let changed = index.changed()?;
    Ok(new(found, &known, &|finding| touches(finding, &evidence, &changed)))
}

/// A commit without the ledger that there was, which may be in the work tree.
fn taken_away(name: &str) -> Finding {
    taken(name, &format!("git restore --staged {}", shell_word(name)))
}

/// The same where the work tree has none either. Paths are the repository's.
pub fn removed(name: &str) -> Finding {
    taken(name, &format!("git restore --staged --worktree {}", shell_word(name)))
}

fn taken(name: &str, help: &str) -> Finding {
    Finding {
        code: reading::NO_TABLE.code,
        severity: Severity::Error,
        message: "the commit takes the ledger away; where that is meant, `git commit --no-verify` \
                  does it"
            .to_owned(),
        help: Some(help.to_owned()),
        ..Finding::of_file(name)
    }
}

/// A merge that nobody resolved: taking a side here would throw the other away.
fn unresolved(name: &str) -> Finding {
    Finding {
        code: reading::UNREADABLE.code,
        severity: Severity::Error,
        message: "an unresolved merge: keep one version of each row between git's marks, remove \
                  the marks, and add the file"
            .to_owned(),
        help: Some("git status".to_owned()),
        ..Finding::of_file(name)
    }
}

/// Every file that is looked at, with what it should be; settings are none.
fn watched(ctx: &Context) -> Vec<(String, Option<Expect>)> {
    let (sys, layout) = (&ctx.sys, &ctx.layout);
    let mut files = vec![
        (layout.display(&layout.tasks()), Some(Expect::Tasks)),
        (layout.display(&layout.approvals()), Some(Expect::Approvals)),
        (layout.display(&layout.flags(&*sys.fs)), Some(Expect::Flags)),
        (layout.display(&layout.settings()), None),
    ];
    for (_, path) in super::archives(sys, layout) {
        files.push((layout.display(&path), Some(Expect::Archive)));
    }
    files
}

/// The settings that the commit will have; those in force where it has none.
fn settings(layout: &Layout, versions: &[Versions], now: &Settings) -> Result<Settings> {
    let name = layout.display(&layout.settings());
    let staged = versions.iter().find(|file| file.name == name).and_then(|f| f.index.as_ref());
    let Some(bytes) = staged else { return Ok(now.clone()) };
    let text = crate::ledger::source::text(bytes, &name)?;
    Ok(config::load(text, &name)?.settings)
}

/// Findings that were not there before, or that the commit touches.
fn new(found: Vec<Finding>, known: &[Finding], touches: &dyn Fn(&Finding) -> bool) -> Vec<Finding> {
    let mut before: HashMap<Mark, usize> = HashMap::new();
    for finding in known {
        *before.entry(mark(finding)).or_default() += 1;
    }
    let is_new = |finding: &Finding| {
        let unread = [&reading::UNREADABLE, &reading::NO_TABLE];
        if unread.iter().any(|rule| rule.code == finding.code) || touches(finding) {
            return true;
        }
        match before.get_mut(&mark(finding)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        }
    };
    let mut is_new = is_new;
    found.into_iter().filter(|finding| is_new(finding)).collect()
}

type Mark = (&'static str, String, Option<String>, String);

/// What makes a finding the same in two versions: where it stands may change.
fn mark(finding: &Finding) -> Mark {
    let marked = finding.snippet.as_ref().map_or("", |s| &s.text[s.span.clone()]);
    let whole_row = marked.starts_with('|');
    let marked = if whole_row { String::new() } else { marked.to_owned() };
    (finding.code, finding.file.clone(), finding.row.clone(), marked)
}

/// Whether the commit changes the evidence that a finding is about.
fn touches(
    finding: &Finding,
    evidence: &HashMap<String, String>,
    changed: &BTreeSet<String>,
) -> bool {
    let is_about_evidence = finding.code.starts_with("evidence-");
    let named = finding.row.as_ref().and_then(|row| evidence.get(row));
    let is_evidence = named == Some(&finding.file);
    (is_about_evidence || is_evidence) && named.is_some_and(|name| changed.contains(name))
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    #[test]
    fn the_same_finding_elsewhere_is_not_new() {
        let row =
            |id: &str, state: &str| format!("| {id} | a | {state} | - | - | - | - | - | - | - |\n");
        let before = Case::tasks(&row("1", "LATER")).findings();
        let new = |rows: &str| {
            let found = super::new(Case::tasks(rows).findings(), &before, &|_| false);
            found.into_iter().map(|f| (f.code, f.line)).collect::<Vec<_>>()
        };
        assert_eq!(new(&(row("0", "PLAN") + &row("1", "LATER"))), []);
        assert_eq!(new(&(row("1", "LATER") + &row("2", "LATER"))), [("unknown-state", 4)]);
        assert_eq!(new(&row("1", "SOON")), [("unknown-state", 3)]);
        let twice = row("1", "LATER") + &row("1", "LATER");
        assert_eq!(new(&twice), [("duplicate-id", 4), ("unknown-state", 4)]);
        let all = super::new(Case::tasks(&row("1", "LATER")).findings(), &before, &|_| true);
        assert_eq!(all.len(), 1);
    }
}
