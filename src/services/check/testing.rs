//! Ledgers for the tests of rules, and what is found in them.

use crate::model::actor::Principals;
use crate::model::time::Timestamp;
use crate::services::check::book::{Book, Expect, Source};
use crate::services::check::finding::Finding;
use crate::services::check::rules;
use crate::services::config::{self, Settings};

/// The header of a whole task table.
pub const TASKS: &str = "\
| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |
|---|---|---|---|---|---|---|---|---|---|
";

/// The header of a whole approval table.
pub const APPROVALS: &str = "\
| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |
|---|---|---|---|---|---|---|---|---|---|
";

/// Two texts that are looked at together, under settings, on 2026-01-01.
#[derive(Debug, Default)]
pub struct Case {
    sources: Vec<Source<'static>>,
    settings: Settings,
}

impl Case {
    /// Rows below the whole task header.
    pub fn tasks(rows: &str) -> Self {
        Self::default().page("T.md", Expect::Tasks, &format!("{TASKS}{rows}"))
    }

    /// Rows below the whole approval header.
    pub fn approvals(rows: &str) -> Self {
        Self::default().and_approvals(rows)
    }

    /// The same, with tasks.
    pub fn and_approvals(self, rows: &str) -> Self {
        self.page("A.md", Expect::Approvals, &format!("{APPROVALS}{rows}"))
    }

    /// One more text.
    pub fn page(mut self, name: &str, expect: Expect, text: &str) -> Self {
        let bytes = text.as_bytes().to_vec().into();
        self.sources.push(Source { name: name.to_owned(), bytes, expect });
        self
    }

    /// Under these settings.
    pub fn settings(mut self, yaml: &str) -> Self {
        self.settings = config::load(yaml, "orch.yaml").expect("the test's settings").settings;
        self
    }

    /// Everything that is found.
    pub fn findings(&self) -> Vec<Finding> {
        let principals = Principals::new(&self.settings.principals);
        let now = Timestamp::parse("2026-01-01T09:00:00Z").expect("a time");
        let book = Book::read(&self.sources, &self.settings, &principals, now);
        rules::look(&book).told(&book)
    }

    /// What a rule finds: `file:line:column [marked] message`.
    pub fn found(&self, code: &str) -> Vec<String> {
        let of_rule = self.findings().into_iter().filter(|f| f.code == code);
        of_rule
            .map(|f| {
                let marked = f.snippet.as_ref().map_or("", |s| &s.text[s.span.clone()]);
                format!("{}:{}:{} [{marked}] {}", f.file, f.line, f.column, f.message)
            })
            .collect()
    }

    /// The codes that are found, in order.
    pub fn codes(&self) -> Vec<&'static str> {
        self.findings().into_iter().map(|f| f.code).collect()
    }
}
