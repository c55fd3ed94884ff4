//! The face for agents: the Model Context Protocol on two streams.
//!
//! ```text
//!   client ⇄ streams ⇄ SDK ⇄ handler ─▶ tools, resources, prompts ─▶ desk ─▶ answer
//!                              └──────▶ subscriptions ◀── files
//! ```
//!
//! Lives here: everything that knows the protocol or its SDK (`rmcp`), and the
//! one runtime of the program, which is built when a server starts and by nobody
//! else. Not here: answers, which are those of `--json` (`answer`). Invariants:
//! nothing but the protocol goes to stdout; a server keeps to one workspace and
//! one actor; a call can do nothing that its actor could not do by command.

mod arguments;
mod desk;
mod handler;
mod prompts;
mod resources;
mod streams;
mod subscriptions;
mod tools;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::{Signal, Sys};
use desk::{Desk, THREADS};
use handler::Handler;
use rmcp::service::{ServerInitializeError, serve_server};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use streams::{Ears, Mouth};
use tokio::io::{AsyncRead, AsyncWrite};
use tools::Tools;

/// What a server is started with.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `-C`
    pub dir: Option<PathBuf>,
    /// `--as`
    pub actor: Option<String>,
    /// `--allow`: tools that people keep to themselves otherwise.
    pub allow: Vec<String>,
}

/// Serves one client on stdin and stdout, until either ends or a signal comes.
///
/// # Errors
/// Before the first word of the protocol: `not_found` outside a workspace,
/// `usage` for bad settings, actors and tools. Later `failed`, where the client
/// speaks something else, or its stream takes nothing more though it is open.
pub fn serve(sys: &Sys, request: Request) -> Result<Ended> {
    let server = Server::open(sys, request)?;
    let stop = server.desk.over.clone();
    let interrupted = Arc::new(AtomicBool::new(false));
    let heard = interrupted.clone();
    sys.process
        .on_signal(Box::new(move |signal| {
            heard.fetch_or(signal == Signal::Interrupt, Ordering::SeqCst);
            stop.ring();
        }))
        .map_err(|e| Error::new(ErrorKind::Failed, format!("cannot listen for signals: {e}")))?;
    let runtime = runtime()?;
    let end = runtime.block_on(async {
        let (reader, writer) = rmcp::transport::io::stdio_pipes();
        server.run(reader, writer).await
    });
    // A thread may still wait for a stdin that does not end.
    runtime.shutdown_background();
    end?;
    Ok(if interrupted.load(Ordering::SeqCst) { Ended::Interrupted } else { Ended::Quietly })
}

/// How a session ended, where nothing was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The client is gone, or somebody asked us to end.
    Quietly,
    /// Ctrl-C.
    Interrupted,
}

/// The same on other streams, for tests.
///
/// # Errors
/// As [`serve`].
pub fn serve_on<R, W>(sys: &Sys, request: Request, reader: R, writer: W) -> Result<()>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let server = Server::open(sys, request)?;
    let runtime = runtime()?;
    let end = runtime.block_on(server.run(reader, writer));
    runtime.shutdown_background();
    end
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS)
        .build()
        .map_err(|e| Error::new(ErrorKind::Failed, format!("cannot start the server: {e}")))
}

struct Server {
    desk: Arc<Desk>,
    tools: Tools,
}

impl Server {
    fn open(sys: &Sys, request: Request) -> Result<Self> {
        let tools = Tools::with(&request.allow)?;
        let desk = Desk::open(sys, request.dir, request.actor)?;
        Ok(Self { desk: Arc::new(desk), tools })
    }

    async fn run<R, W>(self, reader: R, writer: W) -> Result<()>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let Self { desk, tools } = self;
        let (ended, over) = (desk.ended.clone(), desk.over.clone());
        let broken: Arc<OnceLock<String>> = Arc::default();
        let (shut, why) = (over.clone(), broken.clone());
        let ears = Ears { inner: reader, ended, line: 0, why: why.clone() };
        let transport = (ears, Mouth { inner: writer, shut, why });
        let handler = Handler::new(desk.clone(), tools);
        let begun = tokio::select! {
            biased;
            () = over.happened() => return Ok(()),
            begun = serve_server(handler, transport) => begun,
        };
        let session = match begun {
            Ok(session) => session,
            // It went away before it said anything, or while it said it.
            Err(
                ServerInitializeError::ConnectionClosed(_)
                | ServerInitializeError::TransportError { .. },
            ) => return whole(&broken),
            Err(other) => {
                return Err(Error::new(
                    ErrorKind::Failed,
                    format!("the client does not begin a session: {}", words(&other)),
                ));
            }
        };
        let cancel = session.cancellation_token();
        let mut waiting = std::pin::pin!(session.waiting());
        tokio::select! {
            _ = &mut waiting => {}
            () = over.happened() => {
                cancel.cancel();
                let _ = waiting.await;
            }
        }
        desk.close().await;
        whole(&broken)
    }
}

/// A client that reads no more is quiet success; a stream that takes nothing is not,
/// nor is a line that no session can be worth.
fn whole(broken: &OnceLock<String>) -> Result<()> {
    match broken.get() {
        None => Ok(()),
        Some(why) => Err(Error::new(ErrorKind::Failed, why.clone())),
    }
}

/// The first line of what the SDK says.
fn words(error: &ServerInitializeError) -> String {
    error.to_string().lines().next().unwrap_or_default().chars().take(200).collect()
}
