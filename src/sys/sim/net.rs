//! Machines that a test wrote the answers of.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sys::{Answer, Answers, Listener, Net};

/// One address, whatever it is, that answers what was set, in that order, and
/// then refuses.
#[derive(Default)]
pub struct SimNet(Arc<Mutex<Facts>>);

#[derive(Default)]
struct Facts {
    answers: VecDeque<u16>,
    posted: Vec<Posted>,
    served: BTreeMap<SocketAddr, Answers>,
}

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Where to.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What.
    pub body: Vec<u8>,
}

impl SimNet {
    /// What is answered next.
    pub fn answer(&self, statuses: impl IntoIterator<Item = u16>) {
        self.facts().answers.extend(statuses);
    }

    /// What was sent, whatever the answer.
    pub fn posted(&self) -> Vec<Posted> {
        self.facts().posted.clone()
    }

    /// What is answered to whoever asks us for a path; `None` where nobody
    /// listens.
    pub fn ask(&self, path: &str) -> Option<Answer> {
        let answers = self.facts().served.values().next()?.clone();
        Some(answers(path))
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        lock(&self.0)
    }
}

fn lock(facts: &Mutex<Facts>) -> MutexGuard<'_, Facts> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server that only [`SimNet::ask`] reaches.
struct SimListener(SocketAddr, Arc<Mutex<Facts>>);

impl Listener for SimListener {
    fn address(&self) -> SocketAddr {
        self.0
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        lock(&self.1).served.remove(&self.0);
    }
}

impl Net for SimNet {
    fn get(&self, _: &str, _: Duration) -> io::Result<u16> {
        let next = self.facts().answers.pop_front();
        next.ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }

    fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        limit: Duration,
    ) -> io::Result<u16> {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let posted = Posted { url: url.into(), headers: headers.collect(), body: body.into() };
        self.facts().posted.push(posted);
        self.get(url, limit)
    }

    fn listen(&self, address: &str, answers: Answers) -> io::Result<Box<dyn Listener>> {
        let address: SocketAddr = address.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
        match self.facts().served.entry(address) {
            Entry::Occupied(_) => Err(io::ErrorKind::AddrInUse.into()),
            Entry::Vacant(free) => {
                free.insert(answers);
                Ok(Box::new(SimListener(address, self.0.clone())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_their_order() {
        let net = SimNet::default();
        net.answer([200, 503]);
        let ask = || net.get("http://a/", Duration::ZERO).ok();
        let tell = || net.post("http://a/", &[("X", "1")], b"hi", Duration::ZERO).ok();
        assert_eq!((ask(), tell(), ask()), (Some(200), Some(503), None));
        let headers = vec![("X".to_owned(), "1".to_owned())];
        let listen = || net.listen("127.0.0.1:1", Arc::new(|path| Answer::plain(200, path)));
        let listener = listen().unwrap();
        assert_eq!(listen().err().map(|e| e.kind()), Some(io::ErrorKind::AddrInUse));
        assert_eq!(net.ask("/x"), Some(Answer::plain(200, "/x")));
        drop(listener);
        assert_eq!(net.ask("/x"), None);
        assert_eq!(net.posted(), [Posted { url: "http://a/".into(), headers, body: b"hi".into() }]);
    }
}
