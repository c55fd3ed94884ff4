//! Hook files on the disk: what stands in a hook's place, putting ours there,
//! giving the place back.
//!
//! Not here: which of these is right (`mod`). Invariant: somebody else's hook is
//! only ever renamed, and never onto a name that is taken; ours appears whole.
//!
//! ```text
//!   install    hook ──▶ hook.before-orch (a free name)      ours ──▶ hook
//!   uninstall  hook.before-orch ──▶ hook, in the place of ours
//! ```

use super::Hook;
use super::script::{self, Script};
use crate::error::{Error, Result};
use crate::sys::{FileKind, Stat, Sys};
use std::io;
use std::path::{Path, PathBuf};

/// No hook is longer that anybody wrote.
const LONGEST: u64 = 1 << 20;

/// What stands in the place of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Here {
    /// Nothing.
    Nothing,
    /// Ours, with its text.
    Ours(Script, String),
    /// Somebody else's that asks us, by itself or through one of ours that a
    /// hook manager moved aside.
    Calls,
    /// Somebody else's that can be moved.
    Other,
    /// Somebody else's that has to stay where it is, and why.
    Fixed(&'static str),
}

/// The place of one hook.
#[derive(Debug, Clone)]
pub struct Place {
    /// The hook.
    pub path: PathBuf,
    /// Where a former hook lies.
    pub before: PathBuf,
    /// Whether one lies there.
    pub has_before: bool,
    /// What is in it.
    pub here: Here,
    /// Whether git runs it: it does not run what may not be run.
    pub can_run: bool,
}

impl Place {
    /// Looks at the place of a hook in a folder.
    ///
    /// # Errors
    /// `failed` where that cannot be read.
    pub fn of(sys: &Sys, folder: &Path, hook: Hook) -> Result<Self> {
        let path = folder.join(hook.name());
        let before = folder.join(format!("{}.before-orch", hook.name()));
        let has_before = sys.fs.lstat(&before).is_ok();
        let here = look(sys, folder, &path, hook)?;
        let can_run = sys.fs.stat(&path).is_ok_and(|stat| stat.mode & 0o111 != 0);
        // What git does not run asks nobody; husky's are run by its own.
        let here = match here {
            Here::Calls if !can_run && !is_of_husky(folder) => Here::Other,
            here => here,
        };
        Ok(Self { path, before, has_before, here, can_run })
    }

    /// Puts a text in the place; what was there must be ours or nothing.
    ///
    /// # Errors
    /// `failed` where the folder cannot be written; then nothing is changed.
    pub fn put(&self, sys: &Sys, text: &str) -> Result<()> {
        let temporary = self.staged(sys, text)?;
        self.rename(sys, &temporary, &self.path).inspect_err(|_| {
            let _ = sys.fs.remove_file(&temporary);
        })
    }

    /// Moves somebody else's hook aside and puts ours in its place.
    ///
    /// # Errors
    /// `failed` as above; the other one is then where it was.
    pub fn take_over(&self, sys: &Sys, text: &str) -> Result<()> {
        let temporary = self.staged(sys, text)?;
        let moved = sys.fs.rename_new(&self.path, &self.before);
        let put = moved.and_then(|()| {
            sys.fs.rename_new(&temporary, &self.path).inspect_err(|_| {
                let _ = sys.fs.rename_new(&self.before, &self.path);
            })
        });
        put.map_err(|e| {
            let _ = sys.fs.remove_file(&temporary);
            Error::io("replace", &self.path, &e).hint("orch hooks status")
        })
    }

    /// Gives the place back to the former hook, or to nobody.
    ///
    /// # Errors
    /// `failed` where the folder cannot be written.
    pub fn give_back(&self, sys: &Sys) -> Result<()> {
        if self.has_before {
            return self.rename(sys, &self.before, &self.path);
        }
        let removed = sys.fs.remove_file(&self.path);
        removed.map_err(|e| Error::io("remove", &self.path, &e).hint("orch hooks status"))
    }

    fn rename(&self, sys: &Sys, from: &Path, to: &Path) -> Result<()> {
        let renamed = sys.fs.rename(from, to);
        renamed.map_err(|e| Error::io("replace", &self.path, &e).hint("orch hooks status"))
    }

    /// A whole copy beside the place, that may be run.
    fn staged(&self, sys: &Sys, text: &str) -> Result<PathBuf> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = folder.join(format!(".{name}.orch-{}", sys.random_hex()));
        let write = || {
            sys.fs.create_dir_all(folder, None)?;
            let like = Stat { mode: 0o755, ..sys.fs.stat(folder)? };
            let mut file = sys.fs.create_new(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.set_attributes(&like)?;
            file.sync()
        };
        write().map_err(|e: io::Error| {
            let _ = sys.fs.remove_file(&temporary);
            Error::io("write", &self.path, &e).hint("orch hooks status")
        })?;
        Ok(temporary)
    }
}

fn look(sys: &Sys, folder: &Path, path: &Path, hook: Hook) -> Result<Here> {
    if is_of_husky(folder) {
        // Written anew by every `husky`; it runs the file above by this name.
        let own = folder.parent().map(|above| above.join(hook.name())).unwrap_or_default();
        let calls = text_of(sys, &own)?.is_some_and(|text| script::calls_us(&text));
        return Ok(if calls { Here::Calls } else { Here::Fixed("husky writes this folder anew") });
    }
    let Some(text) = text_of(sys, path)? else {
        return Ok(match sys.fs.lstat(path) {
            Ok(_) => Here::Fixed("it is no file that can be read"),
            Err(_) => Here::Nothing,
        });
    };
    if let Some(ours) = script::read(&text) {
        return Ok(Here::Ours(ours, text));
    }
    // The pre-commit framework keeps the hook that it found, and runs it.
    let kept = folder.join(format!("{}.legacy", hook.name()));
    let through_us = || -> Result<bool> {
        Ok(text_of(sys, &kept)?.is_some_and(|text| script::read(&text).is_some()))
    };
    Ok(if script::calls_us(&text) || through_us()? {
        Here::Calls
    } else if script::needs_its_name(&text) {
        Here::Fixed("it goes by its own name, and would do nothing under another")
    } else {
        Here::Other
    })
}

fn is_of_husky(folder: &Path) -> bool {
    folder.ends_with(".husky/_")
}

/// The text of a hook, links followed; none where there is no such file, or no
/// text in it.
fn text_of(sys: &Sys, path: &Path) -> Result<Option<String>> {
    match sys.fs.stat(path) {
        Ok(stat) if stat.kind == FileKind::File && stat.len <= LONGEST => {}
        _ => return Ok(None),
    }
    let bytes = sys.fs.read(path).map_err(|e| Error::io("read", path, &e))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
