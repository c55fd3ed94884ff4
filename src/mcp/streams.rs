//! The two streams of a session, as far as their ends matter to us.
//!
//! The protocol's own loop only notices that nobody writes to it any more. Here
//! it is also noticed that nobody reads, and both are told at once: whoever
//! waits for a change would otherwise hold the end of the session up.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// Something that happens once and is heard by everybody, then or later.
#[derive(Debug, Default)]
pub(super) struct Event {
    happened: AtomicBool,
    bell: Notify,
}

impl Event {
    /// It happens.
    pub(super) fn ring(&self) {
        self.happened.store(true, Ordering::SeqCst);
        self.bell.notify_waiters();
    }

    /// Whether it happened.
    pub(super) fn is_over(&self) -> bool {
        self.happened.load(Ordering::SeqCst)
    }

    /// Waits until it happened.
    pub(super) async fn happened(&self) {
        loop {
            let rung = self.bell.notified();
            tokio::pin!(rung);
            // Registered before the look: what rings in between is heard.
            rung.as_mut().enable();
            if self.is_over() {
                return;
            }
            rung.await;
        }
    }
}

/// What the client writes. Its end rings.
#[derive(Debug)]
pub(super) struct Ears<R> {
    pub(super) inner: R,
    pub(super) ended: Arc<Event>,
    /// How many bytes the line that is read has so far.
    pub(super) line: usize,
    /// Why nothing more is read though more may come.
    pub(super) why: Arc<OnceLock<String>>,
}

/// The SDK passes over longer lines without a word, and whoever wrote one would wait
/// for ever.
const LONGEST_LINE: usize = 16 << 20;

impl<R: AsyncRead + Unpin> AsyncRead for Ears<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let new = buffer.filled().get(before..).unwrap_or_default();
        self.line = match memchr::memrchr(b'\n', new) {
            Some(at) => new.len() - at - 1,
            None => self.line + new.len(),
        };
        if self.line > LONGEST_LINE {
            let _ = self.why.set("a line on stdin is longer than 16 MiB".to_owned());
            self.ended.ring();
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let is_over = match &polled {
            Poll::Ready(Ok(())) => buffer.filled().len() == before && buffer.remaining() > 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if is_over {
            self.ended.ring();
        }
        polled
    }
}

/// What the client reads. That it does not any more rings.
#[derive(Debug)]
pub(super) struct Mouth<W> {
    pub(super) inner: W,
    pub(super) shut: Arc<Event>,
    /// Why nothing can be written though somebody may still read.
    pub(super) why: Arc<OnceLock<String>>,
}

impl<W> Mouth<W> {
    fn heard<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled {
            if error.kind() != io::ErrorKind::BrokenPipe {
                let _ = self.why.set(format!("cannot write to standard output: {error}"));
            }
            self.shut.ring();
        }
        polled
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Mouth<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.heard(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.heard(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
