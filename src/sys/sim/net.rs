//! Machines that a test wrote the answers of.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sys::Net;

/// One address, whatever it is, that answers what was set, in that order, and
/// then refuses.
#[derive(Debug, Default)]
pub struct SimNet(Mutex<Facts>);

#[derive(Debug, Default)]
struct Facts {
    answers: VecDeque<u16>,
    posted: Vec<Posted>,
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

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(net.posted(), [Posted { url: "http://a/".into(), headers, body: b"hi".into() }]);
    }
}
