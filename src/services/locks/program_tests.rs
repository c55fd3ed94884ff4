//! A program under locks, on a simulated clock.

use super::*;
use crate::services::context::Mode;
use crate::store::layout::Layout;
use crate::sys::Sys;
use crate::sys::sim::{Life, Sim};
use std::sync::Arc;

const TASKS: &str = "| task_id | title | state | owner |\n|---|---|---|---|\n";

struct Stage {
    _dir: tempfile::TempDir,
    sim: Sim,
    ctx: Context,
    who: Identity,
}

fn stage() -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let layout = Layout::new(&root);
    let sim = Sim::new(&root);
    let sys = sim.sys();
    sys.fs.create_dir_all(&layout.state_dir(), None).unwrap();
    sys.fs.append(&layout.tasks()).unwrap().write_all(TASKS.as_bytes()).unwrap();
    let ctx = Context::open(&sys, Some(root), Mode::Change).unwrap();
    let who = ctx.identity(Some("WORK@ada")).unwrap();
    Stage { _dir: dir, sim, ctx, who }
}

impl Stage {
    fn guard(&self, names: &[&str], ttl: Duration) -> Guard<'_> {
        let typed: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let names = locks::names(&self.ctx, &typed).unwrap();
        let request = Request { names, ttl: Some(ttl), token: None };
        let wait = Duration::ZERO;
        Guard::acquire(&self.ctx, &self.who, &request, None, wait, &|| false).unwrap()
    }

    fn child(&self, life: Life) -> Box<dyn Child> {
        self.sim.process.know("program", life);
        let argv = vec!["program".into()];
        let program = crate::sys::Program { argv, env: Vec::new(), own_group: true };
        self.sim.sys().process.spawn(&program).unwrap()
    }

    fn keep(&self, guard: &mut Guard<'_>, life: Life) -> Result<Ended> {
        let mut child = self.child(life);
        let caught = self.sim.sys().process.catch().unwrap();
        guard.keep(&mut *child, true, &*caught)
    }

    fn journal(&self) -> String {
        let sys: Sys = self.sim.sys();
        let path = self.ctx.layout.journal_month("2026-01");
        String::from_utf8(sys.fs.read(&path).unwrap()).unwrap()
    }
}

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn it_renews_every_third_of_the_ttl_and_no_more() {
    let stage = stage();
    let mut guard = stage.guard(&["x", "a/**"], 3 * MINUTE);
    let ended = stage.keep(&mut guard, Life { ends: Ended::Code(7), ..Life::of(61 * MINUTE) });
    assert_eq!(ended.unwrap(), Ended::Code(7));
    assert_eq!(stage.journal().matches("\"command\":\"lock renew\"").count(), 60);
    guard.release().unwrap();
    assert_eq!(locks::list(&stage.ctx).unwrap(), []);
    assert_eq!(stage.sim.process.sent(), []);
}

#[test]
fn a_program_whose_lock_is_released_by_somebody_else_is_ended_within_seconds() {
    let stage = stage();
    for deaf in [false, true] {
        let mut guard = stage.guard(&["x", "y"], 60 * MINUTE);
        let from = stage.sim.clock.as_ref().now();
        let path = stage.ctx.layout.named_lock("y");
        let fs = Arc::clone(&stage.sim.fs);
        stage.sim.process.later(10 * MINUTE, move || {
            crate::sys::Fs::remove_file(&*fs, &path).unwrap();
        });
        let deaf_to = if deaf { vec![Signal::Terminate] } else { Vec::new() };
        let error = stage.keep(&mut guard, Life { deaf_to, ..Life::of(600 * MINUTE) }).unwrap_err();
        assert_eq!(error.kind, ErrorKind::LeaseLost);
        let passed = stage.sim.clock.as_ref().now() - from;
        assert!(passed < 600_000 + 7_000, "{passed} ms");
        assert_eq!(guard.release().unwrap_err().kind, ErrorKind::LeaseLost);
        assert_eq!(locks::list(&stage.ctx).unwrap(), [], "the other lock is given back");
    }
    let sent = stage.sim.process.sent();
    assert_eq!(sent, [Signal::Terminate, Signal::Terminate, Signal::Kill]);
}

trait Now {
    fn now(&self) -> i64;
}

impl Now for crate::sys::sim::SimClock {
    fn now(&self) -> i64 {
        crate::sys::Clock::now_ms(self)
    }
}

#[test]
fn a_lock_that_cannot_be_renewed_lasts_until_its_end() {
    let stage = stage();
    let mut guard = stage.guard(&["x"], 3 * MINUTE);
    let from = stage.sim.clock.as_ref().now();
    let fs = Arc::clone(&stage.sim.fs);
    // The disk is gone for good after half a minute.
    stage.sim.process.later(MINUTE / 2, move || fs.crash_at(1));
    let error = stage.keep(&mut guard, Life::of(600 * MINUTE)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::LeaseLost);
    let passed = stage.sim.clock.as_ref().now() - from;
    assert!((180_000..190_000).contains(&passed), "{passed} ms");
}

#[test]
fn signals_are_passed_on() {
    let stage = stage();
    let mut guard = stage.guard(&["x"], 60 * MINUTE);
    stage.sim.process.raise(Signal::Terminate);
    assert_eq!(stage.keep(&mut guard, Life::of(MINUTE)).unwrap(), Ended::Signal(15));
    guard.release().unwrap();
}

#[test]
fn waiting_ends_when_somebody_says_stop() {
    let stage = stage();
    let _guard = stage.guard(&["x"], 60 * MINUTE);
    let names = locks::names(&stage.ctx, &["x".to_owned()]).unwrap();
    let request = Request { names, ttl: None, token: None };
    let acquire = |wait, stop: &dyn Fn() -> bool| {
        Guard::acquire(&stage.ctx, &stage.who, &request, None, wait, stop).unwrap_err().kind
    };
    assert_eq!(acquire(MINUTE, &|| true), ErrorKind::Failed);
    assert_eq!(acquire(MINUTE, &|| false), ErrorKind::Held);
}
