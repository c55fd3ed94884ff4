//! `orch config`

use crate::cli::answer::{Answer, Cx, End};
use crate::error::Error;
use crate::model::secrets;
use crate::services::check;
use crate::services::config::Source;
use crate::services::context::{Context, Mode, load_settings};
use crate::store::discover::Start;
use crate::store::layout::Layout;
use crate::wire::list::{Config, Setting};
use clap::Args;

/// Arguments of `orch config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {}

pub(super) fn run(cx: &mut Cx<'_>, _: ConfigArgs) -> End {
    let start = cx.global.dir.clone().map_or(Start::CurrentDir, Start::At);
    let layout = Layout::discover(cx.sys, start)?;
    let loaded = load_settings(cx.sys, &layout)?;
    // What a hand edit loosened keeps its former value, and that is printed.
    let ctx = cx.context(Mode::Read)?;
    let mut warnings = ctx.warnings.clone();
    // A ledger that cannot be read is told of by whoever needs it.
    for finding in check::policy(&ctx).unwrap_or_default() {
        let warning = format!("{}: {}", finding.file, finding.message);
        cx.ui.warning(&warning);
        warnings.push(warning);
    }
    let acting = actor(cx)?;
    let held = |key: &str| ctx.held.iter().any(|held| key.starts_with(held.name));
    let mut settings: Vec<Setting> = ctx
        .settings
        .entries(&loaded.present())
        .into_iter()
        .map(|entry| (held(&entry.key), entry))
        .map(|(is_held, entry)| Setting {
            key: entry.key,
            // What people paste into reports.
            value: (entry.value != "-").then(|| secrets::redact(&entry.value).into_owned()),
            source: match entry.source {
                _ if is_held => "held: the file's value waits for CMD".to_owned(),
                Source::Default => "default".to_owned(),
                Source::File { path, line } => format!("{path}:{line}"),
            },
        })
        .collect();
    if let Some(actor) = settings.iter_mut().find(|s| s.key == "actor") {
        let (who, source) = acting;
        actor.value = Some(who);
        if let Some(source) = source {
            source.clone_into(&mut actor.source);
        }
    }
    let value = |s: &Setting| s.value.clone().unwrap_or_else(|| "-".to_owned());
    let rows = settings.iter().map(|s| vec![s.key.clone(), value(s), s.source.clone()]).collect();
    cx.rows(&Answer {
        kind: "config",
        data: Config { settings },
        columns: &["key", "value", "source"],
        flexible: &["value"],
        rows,
        warnings: &warnings,
        next: &[],
    })?;
    Ok(None)
}

/// Who acts, and where that comes from where it is not the settings' file.
fn actor(cx: &mut Cx<'_>) -> Result<(String, Option<&'static str>), Error> {
    let ctx = Context::open(cx.sys, cx.global.dir.clone(), Mode::Read)?;
    let who = ctx.identity(cx.global.actor.as_deref())?;
    let source = if who.run.is_some() {
        Some("the run's lease")
    } else if who.explicit {
        Some("--as")
    } else if cx.sys.env.var("ORCH_ACTOR").is_some_and(|v| !v.is_empty()) {
        Some("$ORCH_ACTOR")
    } else if ctx.settings.actor.is_none() {
        Some("the system's user")
    } else {
        None
    };
    Ok((who.actor.to_string(), source))
}
