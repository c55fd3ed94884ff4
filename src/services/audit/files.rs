//! What the lines say of files, among themselves and of the files as they are.
//!
//! An operation begins with a file as the one before it left it. Where it does
//! not, an operation between them is gone, or one of them was made up; what
//! other programs did in between is an `external` operation of its own.

use crate::services::audit::Finding;
use crate::services::audit::chain::{Chain, Sound};
use crate::services::doctor::Severity;
use crate::store::entry::sha256_hex;
use crate::store::layout::Layout;
use crate::sys::Sys;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

/// What a file may hold at a place in the graph, by hash; `None` is no file.
/// Several where branches met and nobody has written it since.
type Contents = BTreeSet<Option<String>>;
/// The files at a place in the graph.
type State = BTreeMap<String, Contents>;

/// Looks at the files, but for those of which something worse was told.
pub fn look(
    sys: &Sys,
    layout: &Layout,
    chain: &Chain<'_>,
    told: &BTreeSet<String>,
    findings: &mut Vec<Finding>,
) {
    for (path, contents) in follow(chain, findings) {
        // A path comes from the journal: it must not lead elsewhere.
        if !path.starts_with("ORCH/") || path.split('/').any(|part| part == "..") {
            continue;
        }
        let now = match sys.fs.read(&layout.root.join(&path)) {
            Ok(bytes) => Some(sha256_hex(&bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                let message = format!("`{path}` cannot be read: {e}");
                findings.push(finding("unread", Severity::Warning, message));
                continue;
            }
        };
        if contents.contains(&now) || told.contains(&path) {
            continue;
        }
        // Settings are people's own; what counts of them is journalled apart.
        let is_ledger = layout.display(&layout.settings()) != path;
        let severity = if is_ledger { Severity::Warning } else { Severity::Note };
        let what = if now.is_some() { "was changed" } else { "is gone" };
        let message = format!("`{path}` {what} since the newest operation, by another program");
        findings.push(finding("not-journalled", severity, message));
    }
}

fn finding(code: &'static str, severity: Severity, message: String) -> Finding {
    Finding { code, severity, message, place: None }
}

/// Follows every file along the graph; gives what it may hold at the heads.
pub fn follow(chain: &Chain<'_>, findings: &mut Vec<Finding>) -> State {
    let mut children: HashMap<&str, usize> = HashMap::new();
    for sound in &chain.lines {
        sound.line.parents().for_each(|parent| *children.entry(parent).or_default() += 1);
    }
    // The state behind each line that still has children to come.
    let mut states: HashMap<&str, State> = HashMap::new();
    let mut heads = State::new();
    for sound in &chain.lines {
        let mut state = State::new();
        for (n, parent) in sound.line.parents().enumerate() {
            let Some(left) = children.get_mut(parent) else { continue };
            *left -= 1;
            let before =
                if *left == 0 { states.remove(parent) } else { states.get(parent).cloned() };
            match before {
                Some(before) if n == 0 => state = before,
                Some(before) => unite(&mut state, before),
                None => {}
            }
        }
        step(sound, &mut state, findings);
        if children.contains_key(sound.line.hash) {
            states.insert(sound.line.hash, state);
        } else {
            unite(&mut heads, state);
        }
    }
    heads
}

fn unite(state: &mut State, other: State) {
    for (path, contents) in other {
        state.entry(path).or_default().extend(contents);
    }
}

/// What one operation does to the files.
fn step(sound: &Sound<'_>, state: &mut State, findings: &mut Vec<Finding>) {
    let said = &sound.said;
    for (path, before) in &said.sha_in {
        let explained = said.command == "external" || said.respelled.contains(path);
        let known = state.get(path).filter(|known| known.len() == 1 && !known.contains(before));
        if known.is_some() && !explained {
            let (seq, id) = (sound.line.seq, sound.line.id);
            let message = format!(
                "operation {seq} (`{id}`) does not begin with `{path}` as the operation before \
                 it left it: one between them is gone, or one of them was made up"
            );
            let place = Some(sound.place.clone());
            findings.push(Finding { code: "gap", severity: Severity::Error, message, place });
        }
        if !said.sha_out.contains_key(path) {
            state.insert(path.clone(), Contents::from([None]));
        }
    }
    for (path, after) in &said.sha_out {
        state.insert(path.clone(), Contents::from([Some(after.clone())]));
    }
}
