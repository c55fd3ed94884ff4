//! How a command answers: one context, one way for readers, one for changes.

use crate::cli::args::{ChangeArgs, Format, Global};
use crate::cli::render::csv::{Audience, Rows};
use crate::cli::render::markdown;
use crate::cli::render::table::{Column, Table};
use crate::cli::ui::Ui;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::tasks::shell_word;
use crate::model::time::Timestamp;
use crate::services::change::{self, Change, Changed, Decision, OpId};
use crate::services::context::{Context, Identity, Mode};
use crate::services::hand_edits;
use crate::store::snapshot::{Files, Snapshot};
use crate::sys::Sys;
use crate::wire::approval::Approval;
use crate::wire::{self, Envelope};
use clap::{ArgMatches, FromArgMatches};
use serde::Serialize;
use std::borrow::Cow;
use std::cell::Cell;

/// How a command ends: well, with a named end that is no error, or in an error.
pub type End = Result<Option<ErrorKind>>;

/// What a command works with.
pub struct Cx<'a> {
    /// The outside.
    pub sys: &'a Sys,
    /// The streams.
    pub ui: Ui<'a>,
    /// Options of every command.
    pub global: Global,
    /// The exit number of a program that was run in our place.
    pub(super) program_exit: Cell<Option<u8>>,
    /// Whether stdin was read: it can be only once.
    stdin_read: Cell<bool>,
}

impl std::fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx").field("global", &self.global).finish_non_exhaustive()
    }
}

impl<'a> Cx<'a> {
    /// Takes the global options from where they were typed; on a mistake the
    /// streams go back to the caller, who must tell it.
    #[allow(clippy::result_large_err)]
    pub(super) fn new(
        sys: &'a Sys,
        mut ui: Ui<'a>,
        matches: &ArgMatches,
    ) -> Result<Self, (Ui<'a>, Error)> {
        let mut leaf = matches;
        while let Some((_, sub)) = leaf.subcommand() {
            leaf = sub;
        }
        match Global::from_arg_matches(leaf) {
            Ok(global) => {
                ui.set_quiet(global.quiet);
                let program_exit = Cell::new(None);
                Ok(Self { sys, ui, global, program_exit, stdin_read: Cell::new(false) })
            }
            Err(e) => Err((ui, Error::usage(e.to_string()))),
        }
    }

    /// Opens the workspace, warning of odd settings.
    pub fn context(&mut self, mode: Mode) -> Result<Context> {
        let ctx = Context::open(self.sys, self.global.dir.clone(), mode)?;
        for warning in &ctx.warnings {
            self.ui.warning(warning);
        }
        Ok(ctx)
    }

    /// Warns a reader of what was edited outside `orch` since the newest
    /// operation.
    pub fn look(&mut self, ctx: &mut Context, files: &Files) -> Result<()> {
        for warning in hand_edits::for_readers(ctx, files)? {
            self.ui.warning(&warning);
            ctx.warnings.push(warning);
        }
        Ok(())
    }

    /// A text that was typed, or stdin where it is `-`.
    pub fn text(&self, typed: String) -> Result<String> {
        if typed != "-" {
            return Ok(typed);
        }
        let bytes = self.bytes()?;
        String::from_utf8(bytes).map_err(|_| Error::usage("the text on stdin is not UTF-8"))
    }

    /// All of stdin.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        if self.stdin_read.replace(true) {
            return Err(Error::usage(
                "two texts cannot both be read from stdin; give one of them in words",
            ));
        }
        self.sys
            .env
            .read_stdin()
            .map_err(|e| Error::new(ErrorKind::Failed, format!("cannot read stdin: {e}")))
    }

    /// The same for an option.
    pub fn option_text(&self, typed: Option<String>) -> Result<Option<String>> {
        typed.map(|typed| self.text(typed)).transpose()
    }

    /// A command to type next, with the caller's own options.
    pub fn command(&self, rest: &str, who: Option<&Identity>) -> String {
        let mut command = String::from("orch ");
        if let Some(dir) = &self.global.dir {
            command.push_str(&format!("-C {} ", shell_word(&dir.to_string_lossy())));
        }
        command.push_str(rest);
        if let Some(who) = who.filter(|who| who.explicit) {
            command.push_str(&format!(" --as {}", who.actor));
        }
        command
    }

    /// Writes the JSON object around an answer.
    pub fn json<T: Serialize>(
        &mut self,
        kind: &str,
        data: &T,
        warnings: &[String],
        next: &[String],
    ) -> Result<()> {
        let envelope = Envelope::new(kind, data, warnings, next);
        let _ = self.ui.emit(|out, _| {
            serde_json::to_writer(&mut *out, &envelope)?;
            out.write_all(b"\n")
        })?;
        Ok(())
    }

    /// Writes rows that are not tasks in whatever format was asked.
    pub fn rows<T: Serialize>(&mut self, answer: &Answer<'_, T>) -> Result<()> {
        match self.global.format() {
            Format::Json => {
                return self.json(answer.kind, &answer.data, answer.warnings, answer.next);
            }
            Format::Jsonl => {
                let value = serde_json::to_value(&answer.data).unwrap_or_default();
                let list = value.as_object().and_then(|o| o.values().find_map(|v| v.as_array()));
                let _ = self.ui.emit(|out, _| {
                    for item in list.into_iter().flatten() {
                        writeln!(out, "{item}")?;
                    }
                    if list.is_none() {
                        writeln!(out, "{value}")?;
                    }
                    Ok(())
                })?;
            }
            Format::Csv => self.csv(answer)?,
            Format::Md => {
                let rows = answer.rows.iter().map(|r| r.iter().map(|c| Cow::Borrowed(c.as_str())));
                let _ = self.ui.emit(|out, _| markdown::write(out, answer.columns, rows))?;
            }
            Format::Table => {
                let columns = answer.columns.iter().map(|c| {
                    let title = match *c {
                        "task_id" if answer.columns.contains(&"appr_id") => "task",
                        "task_id" | "appr_id" => "id",
                        "claimable" => "free",
                        "reason" => "why",
                        "code" => "what",
                        c => c,
                    };
                    let column = Column::new(title);
                    if answer.flexible.contains(c) { column.flexible() } else { column }
                });
                let mut table = Table::new(columns.collect());
                for row in &answer.rows {
                    table.row(row.iter().map(String::as_str));
                }
                let _ = self.ui.table(&table)?;
            }
        }
        Ok(())
    }

    fn csv<T: Serialize>(&mut self, answer: &Answer<'_, T>) -> Result<()> {
        let audience = self.audience();
        let _ = self.ui.emit(|out, _| {
            let mut csv = Rows::new(out, answer.columns, audience)?;
            for row in &answer.rows {
                csv.row(row.iter().map(|c| Cow::Borrowed(c.as_str())))?;
            }
            csv.finish()
        })?;
        Ok(())
    }

    /// Who reads a CSV: a program gets the exact text.
    pub fn audience(&self) -> Audience {
        if self.sys.env.stdout_is_terminal() { Audience::Terminal } else { Audience::Program }
    }

    /// Prints the commands worth typing next, for people.
    pub fn next(&mut self, next: &[String]) {
        for command in next {
            self.ui.next(command);
        }
    }

    /// The same where the answer itself is for people too.
    pub fn next_for_people(&mut self, next: &[String]) {
        if self.global.format() == Format::Table {
            self.next(next);
        }
    }

    /// Runs a change and answers it. `request` is what was asked, for
    /// `--op-id`; `next` gives the commands worth typing then.
    pub fn change<R: std::fmt::Debug>(
        &mut self,
        verb: &Verb,
        args: ChangeArgs,
        request: &R,
        decide: &dyn Fn(&Asked<'_>) -> Result<Decision>,
    ) -> End {
        let ctx = self.context(Mode::Change)?;
        let change = self.asked(&ctx, verb.command, args, request)?;
        let (who, note) = (&change.who, &change.note);
        let changed = change::run(
            &ctx,
            &change,
            &|snapshot, now| {
                decide(&Asked { ctx: &ctx, snapshot, who, note: note.as_deref(), now })
            },
            &|report| {
                let find = |id: &str| {
                    [report.tasks, report.before].into_iter().find_map(|ledger| {
                        let [row] = ledger.rows_of(id)[..] else { return None };
                        Some(ledger.task(row))
                    })
                };
                let approval = report.outcome.approval.as_ref().and_then(|id| {
                    let row = report.approvals.find(id).ok()?;
                    let mut approval = Approval::of(&report.approvals.approval(row));
                    approval.evidence_sha256.clone_from(&report.outcome.evidence_sha);
                    let approved = approval.status.as_deref() == Some("approved");
                    approval.in_force = (approved && !report.outcome.already).then_some(true);
                    Some(approval)
                });
                let answer = wire::change::Change::of(
                    report.outcome,
                    &find,
                    approval,
                    report.op,
                    report.diff,
                );
                serde_json::to_value(answer).unwrap_or_default()
            },
        )?;
        let end = self.tell(verb, who, &changed);
        self.told(&change, &changed, end)?;
        Ok(changed.nothing_ready.then_some(ErrorKind::NothingReady))
    }

    /// What a changing command asks, with everything that `--op-id` stands for.
    pub(super) fn asked<R: std::fmt::Debug>(
        &self,
        ctx: &Context,
        command: &'static str,
        args: ChangeArgs,
        request: &R,
    ) -> Result<Change> {
        let who = ctx.identity(self.global.actor.as_deref())?;
        let note = self.option_text(args.note)?;
        if args.op_id.as_deref().is_some_and(|key| key.trim().is_empty()) {
            return Err(Error::usage(
                "`--op-id` is empty; leave it out, or give a key of your own",
            ));
        }
        let arguments = format!("{} {note:?} {request:?}", who.actor);
        let op_id = args.op_id.map(|key| OpId { key, arguments });
        Ok(Change { command, who, note, dry_run: args.dry_run, op_id })
    }

    /// Hands the answer to a change on: what cannot be said of a change that is
    /// committed must not look as if it were not.
    pub(super) fn told(
        &mut self,
        change: &Change,
        changed: &Changed,
        end: Result<()>,
    ) -> Result<()> {
        for warning in &changed.warnings {
            self.ui.warning(warning);
        }
        let committed = changed.data.get("op").is_some_and(|op| !op.is_null()) && !change.dry_run;
        match end.and_then(|()| self.ui.finish().map(|_| ())) {
            Err(mut error) if committed && error.kind == ErrorKind::Failed => {
                error.kind = ErrorKind::Committed;
                error.message = format!("the change is committed, but: {}", error.message);
                Err(error)
            }
            other => other,
        }
    }

    fn tell(&mut self, verb: &Verb, who: &Identity, changed: &Changed) -> Result<()> {
        let answer: wire::change::Change =
            serde_json::from_value(changed.data.clone()).unwrap_or_default();
        let next = crate::cli::render::change::next(self, who, &answer, changed.nothing_ready);
        if self.global.format() == Format::Json {
            return self.json(verb.kind, &changed.data, &changed.warnings, &next);
        }
        if let Some(diff) = &answer.diff {
            let _ = self.ui.diff(diff)?;
            if diff.is_empty() {
                self.ui.note("nothing would change");
            }
            return Ok(());
        }
        crate::cli::render::change::tell(
            self,
            verb.command,
            &answer,
            &changed.data,
            changed.nothing_ready,
        )?;
        self.next(&next);
        Ok(())
    }
}

/// What a decision may look at.
#[derive(Debug)]
pub struct Asked<'q> {
    /// The workspace.
    pub ctx: &'q Context,
    /// Both ledgers.
    pub snapshot: &'q Snapshot<'q>,
    /// The caller.
    pub who: &'q Identity,
    /// `--note`
    pub note: Option<&'q str>,
    /// The present.
    pub now: Timestamp,
}

/// A verb: its name in the journal and the kind of its answer.
#[derive(Debug, Clone, Copy)]
pub struct Verb {
    /// The command.
    pub command: &'static str,
    /// The kind.
    pub kind: &'static str,
}

/// Rows in every format.
#[derive(Debug)]
pub struct Answer<'r, T: Serialize> {
    /// `<noun>.<verb>`
    pub kind: &'static str,
    /// For JSON.
    pub data: T,
    /// The columns, for the rest.
    pub columns: &'r [&'r str],
    /// Which of them shrink to fit.
    pub flexible: &'r [&'r str],
    /// The rows.
    pub rows: Vec<Vec<String>>,
    /// What a person would be warned of.
    pub warnings: &'r [String],
    /// Commands worth typing next.
    pub next: &'r [String],
}
