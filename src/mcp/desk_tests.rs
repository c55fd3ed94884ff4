//! Calls that go wrong, and queues after them.
#![allow(clippy::disallowed_methods, reason = "the ledger is placed by hand")]

use super::*;
use crate::sys::sim::Sim;
use serde_json::json;
use std::future::{pending, ready};

const LEDGER: &str = "\
| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |
|---|---|---|---|---|---|---|---|---|---|
";

/// A desk in a workspace of its own.
fn desk() -> (Arc<Desk>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let sys = Sim::new(&root).sys();
    std::fs::create_dir_all(root.join("ORCH/STATE")).unwrap();
    std::fs::write(root.join("ORCH/STATE/TASKS.md"), LEDGER).unwrap();
    (Arc::new(Desk::open(&sys, None, Some("WORK@ada".to_owned())).unwrap()), dir)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

const DOORS: [Door; 3] = [Door::Read, Door::Change, Door::Long];

#[test]
fn a_call_that_panics_is_answered_and_stops_nobody() {
    let (desk, _dir) = desk();
    run(async {
        for door in DOORS {
            for _ in 0..=READERS {
                let work =
                    desk.work(door, "orch list --help", pending(), |_| panic!("a test's own"));
                let refused = work.await.expect_err("it panicked");
                assert_eq!(refused.kind, ErrorKind::Failed);
                assert!(refused.message().contains("bug"), "{refused:?}");
            }
            let work = desk.work(door, "orch list --help", pending(), |_| Ok(json!("fine")));
            assert_eq!(work.await, Ok(json!("fine")), "{door:?}");
        }
    });
}

#[test]
fn what_is_given_up_or_comes_too_late_is_not_begun() {
    let (desk, _dir) = desk();
    run(async {
        for door in DOORS {
            let work = desk.work(door, "orch list --help", ready(()), |_| panic!("it began"));
            assert_eq!(work.await.expect_err("it was given up").kind, ErrorKind::Busy);
        }
        desk.close().await;
        for door in DOORS {
            let work = desk.work(door, "orch list --help", pending(), |_| panic!("it began"));
            assert_eq!(work.await.expect_err("it is over").kind, ErrorKind::Busy);
        }
    });
}

#[test]
fn the_end_waits_for_what_has_begun() {
    let (desk, _dir) = desk();
    run(async {
        let (begin, begun) = tokio::sync::oneshot::channel();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (worker, flag) = (desk.clone(), done.clone());
        let call = tokio::spawn(async move {
            let work = worker.work(Door::Change, "orch list --help", pending(), move |_| {
                begin.send(()).expect("somebody waits");
                wait.recv().expect("it is let go on");
                flag.store(true, std::sync::atomic::Ordering::SeqCst);
                Ok(json!("done"))
            });
            work.await
        });
        begun.await.unwrap();
        // Whoever asked is gone; what has begun goes on.
        call.abort();
        let closing = desk.close();
        tokio::pin!(closing);
        let early = tokio::select! {
            biased;
            () = &mut closing => true,
            () = tokio::task::yield_now() => false,
        };
        assert!(!early, "it ended before the change did");
        go_on.send(()).unwrap();
        closing.await;
        assert!(done.load(std::sync::atomic::Ordering::SeqCst));
    });
}
