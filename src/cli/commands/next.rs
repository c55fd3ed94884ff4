//! `orch next`

use crate::cli::answer::{Answer, Cx, End};
use crate::error::Result;
use crate::services::context::{Context, Identity, Mode};
use crate::services::{hand_edits, next};
use crate::store::snapshot::{Files, Snapshot, Want};
use crate::wire::list::{NextList, NextTask};
use crate::wire::task::Task;
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
    let reader = Reader::open(cx)?;
    let snapshot = reader.snapshot(cx)?;
    let now = reader.ctx.now(snapshot.journal()?.newest());
    let items = next::reasons(&reader.ctx, &snapshot, &reader.who, now)?;
    let claimable = items.iter().filter(|i| i.claimable).count();
    let mut tasks = Vec::new();
    for item in items {
        let [row, ..] = snapshot.tasks.rows_of(&item.id)[..] else { continue };
        tasks.push(NextTask {
            task: Task::owned(&snapshot.tasks.task(row)),
            claimable: item.claimable,
            reason: item.reason,
        });
    }
    let rows = tasks
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
    let next = if claimable > 0 {
        vec![cx.command("claim --next", Some(&reader.who))]
    } else {
        Vec::new()
    };
    let total = tasks.len();
    cx.rows(&Answer {
        kind: "task.next",
        data: NextList { tasks, total, returned: total, truncated: false },
        columns: &["task_id", "state", "claimable", "reason", "title"],
        flexible: &["title", "reason"],
        rows,
        warnings: &reader.ctx.warnings,
        next: &next,
    })?;
    cx.next_for_people(&next);
    Ok(None)
}
