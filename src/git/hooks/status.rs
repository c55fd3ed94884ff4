//! How the parts of the set-up stand.
//!
//! Not here: doing something about it (`install`), what `doctor` makes of it
//! (`health`). Invariant: nothing is written.

use super::place::{Here, Place};
use super::repository::Repository;
use super::script::{Script, VERSION};
use super::{Hook, Part, State, program};
use crate::error::Result;
use crate::store::layout::Layout;
use crate::sys::Sys;

/// The setting that names our driver's command.
pub(super) const DRIVER_KEY: &str = "merge.orch.driver";

/// Files of which each kind of attribute can be asked.
const MERGED: [&str; 3] =
    ["ORCH/STATE/TASKS.md", "ORCH/STATE/APPROVALS.md", "ORCH/STATE/archive/TASKS-2026.md"];
const UNITED: &str = "ORCH/LOGS/2026-01/journal.jsonl";

/// The command of the merge driver. Whatever is no answer of ours stops the
/// merge: git takes any number up to 128 for conflicts that are marked in the
/// file, and a missing program ends with 127 and marks nothing.
pub(super) fn driver(word: &str) -> String {
    let program = program::quoted(word).replace('%', "%%");
    let labels = "--base-label %S --ours-label %X --theirs-label %Y";
    format!("{program} merge-driver %O %A %B %L %P {labels} || exit $(($?-1?129:1))")
}

/// The whole set-up of a workspace's repository.
#[derive(Debug)]
pub struct Setup<'s> {
    pub(super) repository: Repository<'s>,
    pub(super) layout: Layout,
    pub(super) program: String,
}

impl<'s> Setup<'s> {
    /// Finds the repository and this program.
    ///
    /// # Errors
    /// As finding the repository, and this program, has.
    pub fn of(sys: &'s Sys, layout: &Layout) -> Result<Self> {
        let repository = Repository::of(sys, layout)?;
        Ok(Self { repository, layout: layout.clone(), program: program::own(sys)? })
    }

    /// Where git looks for hooks, as people read it.
    pub fn hooks_folder(&self) -> String {
        self.repository.shown(&self.repository.hooks)
    }

    /// The usual folder of hooks, where ours are in it though git looks elsewhere.
    pub(super) fn hooks_elsewhere(&self) -> Option<String> {
        let usual = self.repository.common.join("hooks");
        if usual == self.repository.hooks {
            return None;
        }
        let is_ours = |hook: Hook| {
            let place = Place::of(self.repository.sys, &usual, hook);
            place.is_ok_and(|place| matches!(place.here, Here::Ours(..)))
        };
        Hook::ALL.into_iter().any(is_ours).then(|| self.repository.shown(&usual))
    }

    /// What is worth a warning about that folder.
    pub fn folder_warning(&self) -> Option<String> {
        let Repository { hooks, top, common, .. } = &self.repository;
        // Husky's is nobody's to commit, and nothing is put there.
        if hooks.starts_with(common) || hooks.ends_with(".husky/_") {
            return None;
        }
        let shown = self.hooks_folder();
        Some(if hooks.starts_with(top) {
            format!(
                "`core.hooksPath` is `{shown}`, a folder of the work tree: a hook that is \
                 committed there is everybody's"
            )
        } else {
            format!("`core.hooksPath` is `{shown}`, outside of this repository: others may use it")
        })
    }

    /// How every part stands.
    ///
    /// # Errors
    /// `failed` where git or a file cannot be asked.
    pub fn status(&self) -> Result<Vec<Part>> {
        let mut parts = vec![self.driver_part()?, self.attributes_part()?];
        for hook in Hook::ALL {
            let place = Place::of(self.repository.sys, &self.repository.hooks, hook)?;
            let part = self.hook_part(hook, &place);
            if hook != Hook::CommitMsg || part.state != State::Missing {
                parts.push(part);
            }
        }
        Ok(parts)
    }

    fn driver_part(&self) -> Result<Part> {
        let command = self.repository.setting(DRIVER_KEY)?;
        let state = match &command {
            None => State::Missing,
            Some(command) => {
                let word = program::first_word(command).replace("%%", "%");
                if !self.runs(&word) {
                    State::Gone
                } else if *command == driver(&word) {
                    State::Installed
                } else {
                    State::Outdated
                }
            }
        };
        Ok(Part {
            name: "driver",
            state,
            did: None,
            place: DRIVER_KEY.to_owned(),
            detail: command.map(|command| program::first_word(&command)),
        })
    }

    /// Whether a program is there, be it this one.
    fn runs(&self, word: &str) -> bool {
        word == self.program || program::is_there(self.repository.sys, word)
    }

    pub(super) fn attributes_part(&self) -> Result<Part> {
        let found = self.repository.merge_attributes(&[&MERGED[..], &[UNITED]].concat())?;
        let wanted = MERGED.iter().map(|_| "orch").chain(["union"]);
        let files = MERGED.iter().chain([&UNITED]);
        let other = files.zip(found).zip(wanted).find(|((_, found), wanted)| found != wanted);
        let path = self.layout.gitattributes();
        let (state, detail) = match other {
            None => (State::Installed, None),
            Some(((_, found), _)) if found == "unspecified" => (State::Missing, None),
            Some(((file, found), _)) => {
                (State::Altered, Some(format!("`{file}` has `merge={found}`")))
            }
        };
        let place = self.layout.display(&path);
        Ok(Part { name: "attributes", state, did: None, place, detail })
    }

    pub(super) fn hook_part(&self, hook: Hook, place: &Place) -> Part {
        let (state, detail) = match &place.here {
            Here::Nothing => (State::Missing, None),
            Here::Calls => (State::Called, Some("a hook that is not ours asks orch".to_owned())),
            Here::Other => (State::Missing, Some("another hook is here".to_owned())),
            Here::Fixed(why) => (State::Foreign, Some(fixed(hook, why))),
            Here::Ours(Script { is_whole: false, .. }, _) => (
                State::Altered,
                Some("it was changed since it was installed, and is left alone".to_owned()),
            ),
            Here::Ours(script, _) => self.of_script(script, place),
        };
        // Nobody needs a trailer, so a hook of others is no part of ours.
        let state = match (hook, state) {
            (Hook::CommitMsg, State::Foreign | State::Called) => State::Missing,
            (_, state) => state,
        };
        let shown = self.repository.shown(&place.path);
        Part { name: hook.name(), state, did: None, place: shown, detail }
    }

    fn of_script(&self, script: &Script, place: &Place) -> (State, Option<String>) {
        if !self.runs(&script.program) {
            return (State::Gone, Some(format!("`{}` is not there", script.program)));
        }
        if !place.can_run {
            return (State::Outdated, Some("it may not be run, so git leaves it out".to_owned()));
        }
        if script.version != VERSION {
            return (
                State::Outdated,
                Some(format!("it is of another version, {}", script.version)),
            );
        }
        let mut said = Vec::new();
        said.extend(script.locks.then_some("looks at named locks"));
        said.extend(place.has_before.then_some("a former hook runs first"));
        (State::Installed, Some(said.join("; ")).filter(|said| !said.is_empty()))
    }
}

/// Why a hook stays where it is, and how it may ask us.
fn fixed(hook: Hook, why: &str) -> String {
    format!("{why}; add to your own hook the line: orch hooks run {}", hook.name())
}
