//! Rows of a file that would depend on themselves.
//!
//! Here: the way through what the file says and, where it says nothing, the ledger.

use super::sheet::Source;
use crate::error::{Error, Result};
use crate::ledger::tasks::TaskLedger;
use std::collections::{HashMap, HashSet};

/// Refuses rows that would depend on themselves, by way of rows of the file and of the
/// ledger.
pub(super) fn no_circle(
    source: &Source,
    tasks: &TaskLedger<'_>,
    graph: &HashMap<String, (Vec<String>, usize)>,
) -> Result<()> {
    let next = |id: &str| -> Vec<String> {
        if let Some((depends, _)) = graph.get(id) {
            return depends.clone();
        }
        match tasks.rows_of(id)[..] {
            [row] => tasks.task(row).depends().map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    };
    let mut finished: HashSet<String> = HashSet::new();
    let mut starts: Vec<(&usize, &String)> = graph.iter().map(|(id, (_, at))| (at, id)).collect();
    starts.sort_unstable();
    for (_, start) in starts {
        // The way from the start, each with what is still to be followed from there.
        let mut way: Vec<(String, Vec<String>)> = vec![(start.clone(), next(start))];
        let mut on_it: HashSet<String> = HashSet::from([start.clone()]);
        while let Some((id, left)) = way.last_mut() {
            let Some(one) = left.pop() else {
                on_it.remove(id);
                finished.insert(std::mem::take(id));
                way.pop();
                continue;
            };
            if on_it.contains(&one) {
                let circle = way.iter().map(|(id, _)| id).skip_while(|id| **id != one);
                let circle: Vec<String> = circle.map(|id| format!("`{id}`")).collect();
                let ours = way.iter().rev().find_map(|(id, _)| graph.get(id));
                let at = ours.map_or(0, |(_, at)| *at);
                let error = Error::not_allowed(format!(
                    "these would depend on themselves in a circle: {}",
                    circle.join(", ")
                ));
                return Err(source.locate(at, error));
            }
            if !finished.contains(&one) {
                on_it.insert(one.clone());
                let left = next(&one);
                way.push((one, left));
            }
        }
    }
    Ok(())
}
