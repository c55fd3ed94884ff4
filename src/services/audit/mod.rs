//! Is the journal whole, and do the ledgers agree with it?
//!
//! Here: what is asked and in which order. In the folder: `chain`, each line
//! and its place; `files`, what the lines say of files; `evidence`, likewise of
//! what approvals name; `outside`, what git, the checkpoint and a note kept
//! elsewhere know of lines that are gone. Not here: rules about the ledgers'
//! content (`check`). Invariant: nothing is written.

mod chain;
mod evidence;
mod files;
mod outside;

use crate::error::Result;
use crate::services::context::Context;
use crate::services::doctor::Severity;
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::sys::Sys;
use chain::Chain;
use std::collections::BTreeSet;

pub use outside::Since;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is; stable.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// In words.
    pub message: String,
    /// Where: file, line, column.
    pub place: Option<(String, usize, usize)>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Errors first found first, by file and line; what has no line comes last.
    pub findings: Vec<Finding>,
    /// The heads, as `<seq>:<hash>`: what to note elsewhere.
    pub heads: Vec<String>,
    /// How many operations there are.
    pub operations: usize,
    /// How many lines stand there once more.
    pub duplicates: usize,
}

impl Report {
    /// Whether one of the findings is an error.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Looks at the whole journal, and at the evidence that it knows. Cost: two
/// passes over its bytes, one over the evidence, and git's answers.
///
/// # Errors
/// Only where the journal cannot be read.
pub fn workspace(ctx: &Context, since: &[Since]) -> Result<Report> {
    let mut found = Vec::new();
    let told = evidence::look(ctx, &mut found);
    verify(&ctx.sys, &ctx.layout, since, found, &told)
}

/// The same without evidence, but for what was `found` and `told` of it.
fn verify(
    sys: &Sys,
    layout: &Layout,
    since: &[Since],
    found: Vec<Finding>,
    told: &BTreeSet<String>,
) -> Result<Report> {
    let journal = Journal::read(sys, layout)?;
    let chain = Chain::of(&journal, &|month| layout.display(&layout.journal_month(month)));
    let mut findings = chain.findings.clone();
    findings.extend(found);
    outside::look(sys, layout, &journal, &chain, since, &mut findings);
    files::look(sys, layout, &chain, told, &mut findings);
    // By place; the sort is stable, and what has none comes last.
    findings.sort_by_key(|f| f.place.as_ref().map_or((true, None), |p| (false, Some(p.clone()))));
    Ok(Report {
        findings,
        heads: chain.heads(),
        operations: chain.lines.len(),
        duplicates: chain.duplicates,
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
