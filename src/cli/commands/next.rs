//! `orch next`

use crate::answer::queue;
use crate::cli::answer::{Answer, Cx, End};
use crate::error::Result;
use crate::services::context::{Context, Identity, Mode};
use crate::services::hand_edits;
use crate::store::snapshot::{Files, Snapshot, Want};
use clap::Args;

/// Arguments of `orch next`.
#[derive(Debug, Args)]
pub struct NextArgs {}

/// What readers of both ledgers begin with.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) ctx: Context,
    pub(super) who: Identity,
    files: Files,
}

impl Reader {
    pub(super) fn open(cx: &mut Cx<'_>) -> Result<Self> {
        let mut ctx = cx.context(Mode::Read)?;
        let who = ctx.identity(cx.global.actor.as_deref())?;
        let files = Files::read(cx.sys, &ctx.layout, Want::All)?;
        cx.look(&mut ctx, &files)?;
        Ok(Self { ctx, who, files })
    }

    pub(super) fn snapshot(&self, cx: &Cx<'_>) -> Result<Snapshot<'_>> {
        let mut snapshot = Snapshot::parse(cx.sys, &self.ctx.layout, &self.files)?;
        snapshot.standing = hand_edits::now_standing(&self.ctx, &self.files, &snapshot)?;
        Ok(snapshot)
    }
}

pub(super) fn run(cx: &mut Cx<'_>, _: NextArgs) -> End {
    let reply = queue::run(&cx.caller(), 0)?;
    for warning in &reply.warnings {
        cx.ui.warning(warning);
    }
    let rows = reply
        .data
        .tasks
        .iter()
        .map(|t| {
            let cell =
                |c: &Option<std::borrow::Cow<'_, str>>| c.as_deref().unwrap_or("").to_owned();
            vec![
                t.task.task_id.clone().into_owned(),
                cell(&t.task.state),
                if t.claimable { "yes" } else { "no" }.to_owned(),
                t.reason.clone(),
                cell(&t.task.title),
            ]
        })
        .collect();
    cx.rows(&Answer {
        kind: reply.kind,
        data: reply.data,
        columns: &["task_id", "state", "claimable", "reason", "title"],
        flexible: &["title", "reason"],
        rows,
        warnings: &reply.warnings,
        next: &reply.next,
    })?;
    cx.next_for_people(&reply.next);
    Ok(None)
}
