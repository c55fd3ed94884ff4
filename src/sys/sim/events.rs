//! Folders in which changes when a test says so.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sys::{Events, Heard, Listening};

/// Events that a test makes up.
#[derive(Default)]
pub struct SimEvents(Arc<Mutex<Facts>>);

#[derive(Default)]
struct Facts {
    listeners: BTreeMap<u64, Ear>,
    next: u64,
    missing: Vec<PathBuf>,
    is_full: bool,
}

struct Ear {
    dirs: Vec<PathBuf>,
    heard: Box<dyn Fn(Heard) + Send>,
}

impl SimEvents {
    /// Tells every listener, in the caller's thread. They must not begin or end
    /// to listen meanwhile.
    pub fn tell(&self, heard: &Heard) {
        for ear in self.facts().listeners.values() {
            (ear.heard)(heard.clone());
        }
    }

    /// The folders that somebody listens to now.
    pub fn watched(&self) -> Vec<PathBuf> {
        self.facts().listeners.values().flat_map(|ear| ear.dirs.clone()).collect()
    }

    /// These folders are missing from now on, and no others.
    pub fn lack(&self, dirs: &[PathBuf]) {
        self.facts().missing = dirs.to_vec();
    }

    /// Whether there is no more room for listeners.
    pub fn fill(&self, is_full: bool) {
        self.facts().is_full = is_full;
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        lock(&self.0)
    }
}

fn lock(facts: &Mutex<Facts>) -> MutexGuard<'_, Facts> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Events for SimEvents {
    fn watch(
        &self,
        dirs: &[PathBuf],
        heard: Box<dyn Fn(Heard) + Send>,
    ) -> io::Result<Box<dyn Listening>> {
        let mut facts = self.facts();
        if facts.is_full {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let lacks = |dir: &PathBuf| facts.missing.contains(dir);
        let (missing, dirs) = dirs.iter().cloned().partition(lacks);
        let number = facts.next;
        facts.next += 1;
        facts.listeners.insert(number, Ear { dirs, heard });
        Ok(Box::new(SimListener { number, missing, facts: self.0.clone() }))
    }
}

struct SimListener {
    number: u64,
    missing: Vec<PathBuf>,
    facts: Arc<Mutex<Facts>>,
}

impl Listening for SimListener {
    fn missing(&self) -> &[PathBuf] {
        &self.missing
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let ear = lock(&self.facts).listeners.remove(&self.number);
        // Not under the mutex: what it holds may listen too.
        drop(ear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn what_is_told_is_heard_while_somebody_listens() {
        let events = SimEvents::default();
        let (a, b) = (PathBuf::from("/a"), PathBuf::from("/b"));
        events.lack(std::slice::from_ref(&b));
        let (tell, told) = channel();
        let heard = Box::new(move |heard| tell.send(heard).unwrap_or_default());
        let listening = events.watch(&[a.clone(), b.clone()], heard).unwrap();
        assert_eq!((listening.missing(), events.watched()), (&[b][..], vec![a.clone()]));
        events.tell(&Heard::Changed(vec![a.clone()]));
        assert_eq!(told.recv(), Ok(Heard::Changed(vec![a])));
        drop(listening);
        events.tell(&Heard::Lost);
        assert!(told.recv().is_err() && events.watched().is_empty());
        events.fill(true);
        let full = events.watch(&[], Box::new(|_| {})).err().map(|e| e.kind());
        assert_eq!(full, Some(io::ErrorKind::QuotaExceeded));
    }
}
