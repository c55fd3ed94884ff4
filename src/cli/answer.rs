//! How a command answers: one context, one way for readers, one for changes.

use crate::answer::change::Options;
pub use crate::answer::change::{Asked, Verb};
use crate::answer::{self, Caller, Reply};
use crate::cli::args::{ChangeArgs, Format, Global};
use crate::cli::render::csv::{Audience, Rows};
use crate::cli::render::markdown;
use crate::cli::render::table::{Column, Table};
use crate::cli::ui::Ui;
use crate::error::{Error, ErrorKind, Result};
use crate::services::change::{Change, Decision};
use crate::services::context::{Context, Identity, Mode};
use crate::store::snapshot::Files;
use crate::sys::Sys;
use crate::wire::{self, Envelope};
use clap::{ArgMatches, FromArgMatches};
use serde::Serialize;
use serde_json::Value;
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
        for warning in answer::look(ctx, files)? {
            self.ui.warning(&warning);
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

    /// Who asks, and from where.
    pub fn caller(&self) -> Caller<'_> {
        let Global { dir, actor, .. } = &self.global;
        Caller { sys: self.sys, dir: dir.as_deref(), actor: actor.as_deref(), is_pinned: false }
    }

    /// A command to type next, with the caller's own options.
    pub fn command(&self, rest: &str, who: Option<&Identity>) -> String {
        self.caller().command(rest, who)
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

    /// Runs a change and answers it. `request` is what was asked, for `--op-id`.
    pub fn change<R: std::fmt::Debug>(
        &mut self,
        verb: &Verb,
        args: ChangeArgs,
        request: &R,
        decide: &dyn Fn(&Asked<'_>) -> Result<Decision>,
    ) -> End {
        let ctx = self.context(Mode::Change)?;
        let change = self.asked(&ctx, verb.command, args, request)?;
        let reply = answer::change::run(&self.caller(), &ctx, verb, &change, decide)?;
        let end = self.tell(verb, &reply);
        self.told(&change, &reply.data, &reply.warnings, end)?;
        Ok(reply.end)
    }

    /// What a changing command asks, with everything that `--op-id` stands for.
    pub(super) fn asked<R: std::fmt::Debug>(
        &self,
        ctx: &Context,
        command: &'static str,
        args: ChangeArgs,
        request: &R,
    ) -> Result<Change> {
        let ChangeArgs { note, dry_run, op_id } = args;
        let options = Options { note: self.option_text(note)?, dry_run, op_id };
        answer::change::asked(&self.caller(), ctx, command, options, request)
    }

    /// Hands the answer to a change on: what cannot be said of a change that is
    /// committed must not look as if it were not.
    pub(super) fn told(
        &mut self,
        change: &Change,
        data: &Value,
        warnings: &[String],
        end: Result<()>,
    ) -> Result<()> {
        for warning in warnings {
            self.ui.warning(warning);
        }
        let committed = data.get("op").is_some_and(|op| !op.is_null()) && !change.dry_run;
        match end.and_then(|()| self.ui.finish().map(|_| ())) {
            Err(mut error) if committed && error.kind == ErrorKind::Failed => {
                error.kind = ErrorKind::Committed;
                error.message = format!("the change is committed, but: {}", error.message);
                Err(error)
            }
            other => other,
        }
    }

    fn tell(&mut self, verb: &Verb, reply: &Reply) -> Result<()> {
        if self.global.format() == Format::Json {
            return self.json(reply.kind, &reply.data, &reply.warnings, &reply.next);
        }
        let answer: wire::change::Change =
            serde_json::from_value(reply.data.clone()).unwrap_or_default();
        if let Some(diff) = &answer.diff {
            let _ = self.ui.diff(diff)?;
            if diff.is_empty() {
                self.ui.note("nothing would change");
            }
            return Ok(());
        }
        let nothing = reply.end.is_some();
        crate::cli::render::change::tell(self, verb.command, &answer, &reply.data, nothing)?;
        self.next(&reply.next);
        Ok(())
    }
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
