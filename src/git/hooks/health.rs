//! What `doctor` says of the set-up.
//!
//! Not here: how each part stands (`status`). Invariant: who never asked for any
//! of it is told only where the attributes name a driver that is not there, for
//! then git quietly merges ledgers line by line.

use super::status::Setup;
use super::{Part, State};
use crate::error::ErrorKind;
use crate::services::doctor::{Finding, Severity};
use crate::store::layout::Layout;
use crate::sys::Sys;

/// Looks at the repository around a workspace.
pub fn examine(sys: &Sys, layout: &Layout) -> Vec<Finding> {
    let setup = match Setup::of(sys, layout) {
        Ok(setup) => setup,
        Err(e) if e.kind == ErrorKind::NotFound => {
            return vec![finding(Severity::Ok, "no repository with a work tree".to_owned())];
        }
        Err(e) => return vec![finding(Severity::Note, e.message)],
    };
    match setup.status() {
        Ok(_) if setup.repository.ignores("ORCH/STATE/TASKS.md") => {
            vec![finding(Severity::Ok, "the ledger is none of git's: it is ignored".to_owned())]
        }
        Ok(parts) => of_parts(&setup, &parts),
        Err(e) => vec![finding(Severity::Note, e.message)],
    }
}

fn finding(severity: Severity, message: String) -> Finding {
    let is_fine = matches!(severity, Severity::Ok | Severity::Note);
    let help = (!is_fine).then(|| "orch hooks install".to_owned());
    Finding { subject: "git", severity, message, place: None, help }
}

fn of_parts(setup: &Setup<'_>, parts: &[Part]) -> Vec<Finding> {
    let [driver, attributes, hooks @ ..] = parts else { return Vec::new() };
    if parts.iter().all(Part::is_whole) {
        let message = "the merge driver, the attributes and the hooks are set up";
        return vec![finding(Severity::Ok, message.to_owned())];
    }
    let ours = |part: &Part| !matches!(part.state, State::Missing | State::Foreign);
    if driver.state == State::Missing && !hooks.iter().any(ours) {
        return vec![if attributes.state.is_whole() {
            let message = format!(
                "`{}` names the merge driver `orch`, which this clone does not have: git merges \
                 ledgers line by line",
                attributes.place
            );
            finding(Severity::Warning, message)
        } else {
            finding(Severity::Ok, "nothing of orch is set up".to_owned())
        }];
    }
    let mut found: Vec<Finding> = [driver, attributes].into_iter().filter_map(of_part).collect();
    let missing: Vec<&str> =
        hooks.iter().filter(|part| part.state == State::Missing).map(|part| part.name).collect();
    match setup.hooks_elsewhere() {
        Some(folder) if !missing.is_empty() => found.push(finding(
            Severity::Warning,
            format!(
                "the hooks are in `{folder}`, but git runs those in `{}` now (core.hooksPath)",
                setup.hooks_folder()
            ),
        )),
        _ if !missing.is_empty() => {
            let names = missing.join(", ");
            found.push(finding(Severity::Warning, format!("hooks are missing: {names}")));
        }
        _ => {}
    }
    let others: Vec<&Part> =
        hooks.iter().filter(|p| p.state == State::Foreign && !p.is_whole()).collect();
    let rest = hooks.iter().filter(|p| !matches!(p.state, State::Missing | State::Foreign));
    found.extend(rest.chain(others.first().copied()).filter_map(of_part));
    if let (Some(last), 2..) = (found.last_mut(), others.len()) {
        last.message.push_str(&format!("; and {} more hooks like it", others.len() - 1));
    }
    found
}

/// What is wrong with a part.
fn of_part(part: &Part) -> Option<Finding> {
    let Part { place, detail, .. } = part;
    let told = detail.as_deref().unwrap_or("-");
    let (severity, message) = match part.state {
        State::Installed | State::Called => return None,
        State::Gone => {
            let program = told.trim_end_matches(" is not there").trim_matches('`');
            (Severity::Error, format!("`{place}` starts `{program}`, which is not there"))
        }
        State::Missing if part.name == "driver" => {
            (Severity::Warning, "the merge driver is not set up".to_owned())
        }
        State::Missing => {
            (Severity::Warning, format!("`{place}` does not give the ledgers to the driver"))
        }
        State::Outdated if part.name == "driver" => {
            (Severity::Warning, format!("`{place}` is of another version"))
        }
        State::Outdated | State::Altered | State::Foreign => {
            (Severity::Warning, format!("`{place}`: {told}"))
        }
    };
    let mut found = finding(severity, message);
    // The way out stands in the message: nobody's file is touched by a command.
    if matches!(part.state, State::Altered | State::Foreign) {
        found.help = Some("orch hooks status".to_owned());
    }
    Some(found)
}
