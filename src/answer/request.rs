//! Asking for an approval, with what is to be approved.

use crate::answer::change::{Asked, Options, Verb};
use crate::answer::{Caller, Reply, lease};
use crate::error::{Error, Result};
use crate::services::approvals::request::{self, Evidence, Request};
use crate::services::change::Decision;
use crate::services::context::{Context, Mode};
use crate::services::evidence::{self, patch, work_tree};
use std::path::Path;

/// `request`
pub const REQUEST: Verb = Verb { command: "request", kind: "approval.request" };

/// What is asked for, with at most one of the last three.
#[derive(Debug, Clone, Default)]
pub struct Asking {
    /// The task.
    pub task: String,
    /// What is to be allowed.
    pub op: String,
    /// With everything that the work tree has otherwise than this revision.
    pub diff: Option<String>,
    /// With this change: its text.
    pub patch: Option<String>,
    /// With this file, as it is.
    pub evidence: Option<String>,
}

impl Asking {
    /// For `--op-id`.
    pub fn asked_for(&self) -> String {
        format!("{:?}", (&self.task, &self.op, &self.diff, &self.patch, &self.evidence))
    }

    /// Gathers what is to be approved: before the lock is taken. It is only judged
    /// under it: a key that was used before is answered whatever the work tree
    /// holds now.
    ///
    /// # Errors
    /// Those of git and of files.
    pub fn gather(&self, caller: &Caller<'_>) -> Result<Evidence> {
        let ctx = caller.context(Mode::Read)?;
        self.gathered(caller, &ctx)
    }

    fn gathered(&self, caller: &Caller<'_>, ctx: &Context) -> Result<Evidence> {
        let sys = caller.sys;
        let here = || sys.env.current_dir().map_err(|e| Error::io("find", Path::new("."), &e));
        if let Some(rev) = self.diff.as_deref() {
            let change = work_tree::of_work_tree(sys, &ctx.layout, &here()?, Some(rev))?;
            return Ok(Evidence::Change(change));
        }
        if let Some(text) = &self.patch {
            let change = patch::of_patch(sys, &ctx.layout, &here()?, text)?;
            return Ok(Evidence::Change(change));
        }
        if let Some(path) = &self.evidence {
            let stored = evidence::named(ctx, &here()?, path)?;
            return Ok(Evidence::File { path: stored.name, sha: stored.sha });
        }
        Ok(Evidence::None)
    }

    /// Decides, with what was gathered.
    ///
    /// # Errors
    /// As `services::approvals`, and why nothing could be gathered.
    pub fn decide(&self, asked: &Asked<'_>, gathered: &Result<Evidence>) -> Result<Decision> {
        let request = Request {
            task: self.task.clone(),
            op: self.op.clone(),
            evidence: gathered.clone()?,
            note: asked.note.map(str::to_owned),
        };
        request::request(asked.ctx, asked.snapshot, asked.who, &request, asked.now)
    }
}

/// `request`
///
/// # Errors
/// As the command.
pub fn run(caller: &Caller<'_>, options: Options, asking: &Asking) -> Result<Reply> {
    let gathered = asking.gather(caller);
    lease::answer(caller, &REQUEST, options, &asking.asked_for(), &|asked| {
        asking.decide(asked, &gathered)
    })
}
