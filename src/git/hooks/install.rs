//! Setting the parts up, and taking them away.
//!
//! Not here: how they stand (`status`), moving files (`place`). Invariant: what
//! was done is told part by part, also where a later part fails.

use super::place::{Here, Place};
use super::script::{self, Script};
use super::status::{DRIVER_KEY, Setup, driver};
use super::{Did, Hook, Part, State, Wanted, attributes};
use crate::error::{Error, Result};
use crate::store::replace::{Durability, replace, resolve};

/// The settings of our driver.
const SECTION: &str = "merge.orch";
const NAME_KEY: &str = "merge.orch.name";
const NAME: &str = "ledgers of orch, row by row and cell by cell";

impl Setup<'_> {
    /// Sets everything up and tells of each part, also where a later one fails.
    ///
    /// # Errors
    /// `failed` where git or a folder cannot be written.
    pub fn install(&self, wanted: Wanted, done: &mut Vec<Part>) -> Result<()> {
        done.push(self.install_attributes(wanted.dry_run)?);
        done.push(self.install_driver(wanted.dry_run)?);
        let folder = &self.repository.hooks;
        let places = Hook::ALL.map(|hook| Place::of(self.repository.sys, folder, hook));
        let [pre, merge, after, rewrite, message] = places;
        let places = [pre?, merge?, after?, rewrite?, message?];
        let ours = |hook: &Place| match &hook.here {
            Here::Ours(script, _) => Some(script.clone()),
            _ => None,
        };
        // What was asked for once stays until it is uninstalled.
        let locks = wanted.locks || ours(&places[0]).is_some_and(|script| script.locks);
        for (hook, place) in Hook::ALL.into_iter().zip(places) {
            if hook == Hook::CommitMsg && !wanted.trailer && ours(&place).is_none() {
                continue;
            }
            done.push(self.install_hook(hook, &place, locks, wanted.dry_run)?);
        }
        Ok(())
    }

    fn install_attributes(&self, dry_run: bool) -> Result<Part> {
        let sys = &self.repository.sys.within(&self.layout.root);
        let path = self.layout.gitattributes();
        let was = match sys.fs.read(&path) {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::io("read", &path, &e)),
        };
        let text = was.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let missing = attributes::missing(text.as_deref().unwrap_or_default());
        let mut part = self.attributes_part()?;
        // Where the effect is there by another file, no line is missing.
        if missing.is_empty() || (part.state.is_whole() && was.is_some()) {
            let is_whole = part.state.is_whole();
            part.did = Some(if is_whole { Did::Kept } else { Did::Left });
            return Ok(part);
        }
        if !dry_run {
            let target = resolve(sys, &self.layout, &path)?;
            let old = was.unwrap_or_default();
            let added = attributes::completed(&String::from_utf8_lossy(&old));
            // What is no UTF-8 stays as it is: only the end is ours.
            let end = added.get(String::from_utf8_lossy(&old).len()..).unwrap_or(&added);
            let bytes = [&old[..], end.as_bytes()].concat();
            let expected = target.stat.clone();
            replace(sys, &target, expected.as_ref(), &bytes, Durability::Full)?;
            part = self.attributes_part()?;
        } else if part.state == State::Missing {
            part.state = State::Installed;
        }
        let lines = missing.len();
        part.did = Some(Did::Made);
        part.detail.get_or_insert(format!("{lines} line{}", if lines == 1 { "" } else { "s" }));
        Ok(part)
    }

    fn install_driver(&self, dry_run: bool) -> Result<Part> {
        let (wanted, was) = (driver(&self.program), self.repository.setting(DRIVER_KEY)?);
        let did = match &was {
            Some(was) if *was == wanted && self.repository.has_own(DRIVER_KEY)? => Did::Kept,
            Some(_) => Did::Replaced,
            None => Did::Made,
        };
        if did != Did::Kept && !dry_run {
            self.repository.set(NAME_KEY, NAME)?;
            self.repository.set(DRIVER_KEY, &wanted)?;
        }
        let place = DRIVER_KEY.to_owned();
        let detail = Some(self.program.clone());
        Ok(Part { name: "driver", state: State::Installed, did: Some(did), place, detail })
    }

    fn install_hook(&self, hook: Hook, place: &Place, locks: bool, dry_run: bool) -> Result<Part> {
        let sys = self.repository.sys;
        let text = script::spell(hook, &self.program, locks);
        let mut part = self.hook_part(hook, place);
        let before = self.repository.shown(&place.before);
        let installed = |part: Part, did, detail| {
            let state = State::Installed;
            Ok(Part { state, did: Some(did), detail, ..part })
        };
        let put = || if dry_run { Ok(()) } else { place.put(sys, &text) };
        match &place.here {
            Here::Nothing => {
                put()?;
                let first = place.has_before.then(|| format!("`{before}` runs first"));
                installed(part, Did::Made, first)
            }
            Here::Ours(Script { is_whole: true, .. }, there) => {
                if *there == text && place.can_run {
                    part.did = Some(Did::Kept);
                    return Ok(part);
                }
                put()?;
                let detail = part.detail.take().filter(|_| part.state == State::Installed);
                installed(part, Did::Replaced, detail)
            }
            Here::Other if !place.has_before => {
                if !dry_run {
                    place.take_over(sys, &text)?;
                }
                installed(part, Did::Moved, Some(format!("it is `{before}` now, and runs first")))
            }
            Here::Other => {
                let why = format!(
                    "another hook is here, and `{before}` is one that was here before: move one \
                     of them away"
                );
                Ok(Part { state: State::Foreign, did: Some(Did::Left), detail: Some(why), ..part })
            }
            Here::Calls => Ok(Part { did: Some(Did::Kept), ..part }),
            Here::Ours(..) | Here::Fixed(_) => Ok(Part { did: Some(Did::Left), ..part }),
        }
    }

    /// Takes everything away that is ours and unchanged. The attributes stay:
    /// they are the workspace's, and other clones go by them.
    ///
    /// # Errors
    /// `failed` where git or a folder cannot be written.
    pub fn uninstall(&self, dry_run: bool, done: &mut Vec<Part>) -> Result<()> {
        let has_own = self.repository.has_own(DRIVER_KEY)?;
        if has_own && !dry_run {
            self.repository.remove_section(SECTION)?;
        }
        done.push(Part {
            name: "driver",
            state: State::Missing,
            did: Some(if has_own { Did::Removed } else { Did::Kept }),
            place: DRIVER_KEY.to_owned(),
            detail: None,
        });
        let mut folders = vec![self.repository.hooks.clone()];
        let usual = self.repository.common.join("hooks");
        if !folders.contains(&usual) {
            folders.push(usual);
        }
        for folder in &folders {
            for hook in Hook::ALL {
                let place = Place::of(self.repository.sys, folder, hook)?;
                done.extend(self.uninstall_hook(hook, &place, dry_run)?);
            }
        }
        let detail = Some("they stay: other clones go by them".to_owned());
        done.push(Part { did: Some(Did::Kept), detail, ..self.attributes_part()? });
        Ok(())
    }

    fn uninstall_hook(&self, hook: Hook, place: &Place, dry_run: bool) -> Result<Option<Part>> {
        let part = self.hook_part(hook, place);
        let is_ours = match &place.here {
            Here::Ours(script, _) => script.is_whole,
            // Half of an installation that was ended: the former hook is aside.
            Here::Nothing if place.has_before => true,
            Here::Calls => false,
            Here::Other | Here::Fixed(_) if place.has_before => false,
            _ => return Ok(None),
        };
        if !is_ours {
            let before = self.repository.shown(&place.before);
            let why = match &place.here {
                Here::Ours(..) => "it was changed since it was installed".to_owned(),
                Here::Calls => "it is not ours, and asks orch by itself".to_owned(),
                _ => format!("it is not ours; the hook that was here before is `{before}`"),
            };
            return Ok(Some(Part { did: Some(Did::Left), detail: Some(why), ..part }));
        }
        if !dry_run {
            place.give_back(self.repository.sys)?;
        }
        let did = if place.has_before { Did::Restored } else { Did::Removed };
        Ok(Some(Part { state: State::Missing, did: Some(did), detail: None, ..part }))
    }
}
