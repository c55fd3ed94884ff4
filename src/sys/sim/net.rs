//! Machines that a test wrote the answers of.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::sys::Net;

/// One address, whatever it is, that answers what was set, in that order, and
/// then refuses.
#[derive(Debug, Default)]
pub struct SimNet(Mutex<VecDeque<u16>>);

impl SimNet {
    /// What is answered next.
    pub fn answer(&self, statuses: impl IntoIterator<Item = u16>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(statuses);
    }
}

impl Net for SimNet {
    fn get(&self, _: &str, _: Duration) -> io::Result<u16> {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
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
        assert_eq!((ask(), ask(), ask()), (Some(200), Some(503), None));
    }
}
