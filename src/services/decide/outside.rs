//! Whether somebody wrote into the workspace beside `orch` while commands ran.
//!
//! A command has our rights, and nothing holds it in its copy; if it wrote into
//! the ledgers or the settings, its success means little. What other `orch`
//! commands did meanwhile is in the journal, and is fine.

use crate::services::context::Context;
use crate::store::entry::sha256_hex;
use crate::store::journal::Journal;
use std::path::PathBuf;
use std::time::Duration;

/// How often a file is looked at again that a command of `orch` may have
/// replaced and not yet journalled.
const LOOKS: u32 = 5;

/// The files that count, as they were.
#[derive(Debug)]
pub struct Outside(Vec<(PathBuf, Option<String>)>);

fn sha(ctx: &Context, path: &std::path::Path) -> Option<String> {
    ctx.sys.fs.read(path).ok().map(|bytes| sha256_hex(&bytes))
}

impl Outside {
    /// Looks at ledgers, flags and settings.
    pub fn look(ctx: &Context) -> Self {
        let layout = &ctx.layout;
        let flags = layout.flags(&*ctx.sys.fs);
        let paths = [layout.tasks(), layout.approvals(), flags, layout.settings()];
        Self(paths.map(|path| (path.clone(), sha(ctx, &path))).to_vec())
    }

    /// A file that is otherwise now, and not by a command of `orch`.
    pub fn changed(&self, ctx: &Context) -> Option<String> {
        self.0.iter().find_map(|(path, before)| {
            let name = ctx.layout.display(path);
            for look in 0..LOOKS {
                let now = sha(ctx, path);
                if now == *before || now.is_some() && journalled(ctx, &name) == now {
                    return None;
                }
                if look + 1 < LOOKS {
                    ctx.sys.clock.sleep(Duration::from_millis(20));
                }
            }
            Some(name)
        })
    }
}

/// What the newest operation that wrote a file left there.
fn journalled(ctx: &Context, name: &str) -> Option<String> {
    Journal::read(&ctx.sys, &ctx.layout).ok()?.last_sha(name)
}
