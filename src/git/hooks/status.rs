//! How the parts of the set-up stand.
//!
//! Not here: doing something about it (`install`), what `doctor` makes of it
//! (`health`). Invariant: nothing is written.

use super::place::{Here, Place};
use super::repository::Repository;
use super::script::{Script, VERSION};
use super::{Hook, Part, State, attributes, program};
use crate::error::Result;
use crate::store::layout::Layout;
use crate::sys::Sys;
use std::path::Path;

/// The setting that names our driver's command.
pub(super) const DRIVER_KEY: &str = "merge.orch.driver";

/// Files of which each kind of attribute can be asked.
const MERGED: [&str; 3] =
    ["ORCH/STATE/TASKS.md", "ORCH/STATE/APPROVALS.md", "ORCH/STATE/archive/TASKS-2026.md"];
/// How much of somebody else's line is shown.
const LONGEST: usize = 60;
const UNITED: &str = "ORCH/LOGS/2026-01/journal.jsonl";

/// The command of the merge driver. Whatever is no answer of ours stops the
/// merge: git takes any number up to 128 for conflicts that are marked in the
/// file, and a missing program ends with 127 and marks nothing. Git before 2.44
/// takes every number so: for it the lines are marked as git itself would, lest
/// the other side be lost without a word.
pub(super) fn driver(word: &str) -> String {
    let program = program::quoted(word).replace('%', "%%");
    let labels = "--base-label %S --ours-label %X --theirs-label %Y";
    let lines = "git merge-file -q --marker-size=%L -L %X -L %S -L %Y %A %O %B";
    format!(
        "{program} merge-driver %O %A %B %L %P {labels} || \
         {{ test $? = 1 && exit 1; {lines}; exit 129; }}"
    )
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
                let text = self.text(&path).unwrap_or_default();
                // Whose lines are missing is not heard yet: `install` adds them.
                let is_ours = attributes::missing(&text).is_empty();
                let state = if is_ours { State::Altered } else { State::Missing };
                let way = if is_ours { self.way_out(file, &found) } else { String::new() };
                (state, Some(format!("`{file}` has `merge={found}`{way}")))
            }
        };
        let place = self.layout.display(&path);
        Ok(Part { name: "attributes", state, did: None, place, detail })
    }

    /// The line that says otherwise, as git looks for it: the repository's own
    /// file first, then the nearest folder's; of one file the last line counts.
    fn way_out(&self, file: &str, found: &str) -> String {
        let spelled = match found {
            "set" => vec!["merge".to_owned()],
            "unset" => vec!["-merge".to_owned(), "binary".to_owned()],
            value => vec![format!("merge={value}")],
        };
        let says = |line: &str| {
            let is_ours = attributes::TEMPLATE.lines().any(|ours| ours == line.trim());
            let mut words = line.split_ascii_whitespace().skip(1);
            !line.starts_with('#') && !is_ours && words.any(|w| spelled.iter().any(|s| s == w))
        };
        let mut places = vec![self.repository.common.join("info/attributes")];
        let folders = Path::new(file).ancestors().skip(1);
        places.extend(folders.map(|dir| self.layout.root.join(dir).join(".gitattributes")));
        let line = places.iter().find_map(|place| {
            let text = self.text(place)?;
            let (at, line) = text.lines().enumerate().filter(|(_, line)| says(line)).last()?;
            Some((self.repository.shown(place), at + 1, shortened(line)))
        });
        match line {
            Some((place, at, line)) => {
                format!(": remove line {at} of `{place}`, `{line}`, then: orch hooks install")
            }
            None => format!(": another attributes file says so, see `git check-attr -a {file}`"),
        }
    }

    fn text(&self, path: &Path) -> Option<String> {
        let bytes = self.repository.sys.fs.read(path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn hook_part(&self, hook: Hook, place: &Place) -> Part {
        let (state, detail) = match &place.here {
            Here::Nothing => (State::Missing, None),
            Here::Calls => (State::Called, Some("a hook that is not ours asks orch".to_owned())),
            Here::Other => (State::Missing, Some("another hook is here".to_owned())),
            Here::Fixed(why) => (State::Foreign, Some(fixed(hook, why))),
            Here::Ours(script @ Script { is_whole: false, .. }, text) => {
                (State::Altered, Some(altered(hook, script, text)))
            }
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

/// What somebody changed in a hook of ours, and what to do with it.
fn altered(hook: Hook, script: &Script, text: &str) -> String {
    let ours = super::script::spell(hook, &script.program, script.locks);
    let mut ours = ours.lines();
    let other = text.lines().enumerate().find(|(_, line)| ours.next() != Some(line));
    let line = match other {
        _ if script.version != VERSION => String::new(),
        Some((at, line)) => format!(" (line {}: `{}`)", at + 1, shortened(line)),
        None => " (lines are gone at its end)".to_owned(),
    };
    format!(
        "it was changed since it was installed{line} and is left alone: move it away, then: orch \
         hooks install; lines of your own belong into `{}.before-orch` beside it, which runs first",
        hook.name()
    )
}

/// A line of somebody else's, fit for a message.
fn shortened(line: &str) -> String {
    let plain = line.trim().chars().map(|c| if c.is_control() || c == '`' { ' ' } else { c });
    let mut short: String = plain.clone().take(LONGEST).collect();
    if plain.count() > LONGEST {
        short.push('…');
    }
    short
}

/// Why a hook stays where it is, and how it may ask us.
fn fixed(hook: Hook, why: &str) -> String {
    format!("{why}; add to your own hook the line: orch hooks run {}", hook.name())
}
