//! Simulated programs: how they live, end, and are found again.

use super::*;
use std::sync::atomic::{AtomicI64, Ordering};

fn program(words: &[&str]) -> Program {
    let argv = words.iter().map(Into::into).collect();
    Program { argv, env: Vec::new(), own_group: false }
}

#[test]
fn a_program_lives_by_the_clock_and_things_happen_meanwhile() {
    let clock = Arc::new(SimClock::new(0));
    let sim = SimProcess::new(clock.clone());
    let seen = Arc::new(AtomicI64::new(-1));
    let (mark, watch) = (seen.clone(), clock.clone());
    sim.later(Duration::from_secs(5), move || mark.store(watch.now_ms(), Ordering::SeqCst));
    let mut child = sim.spawn(&program(&["sleep", "10s"])).unwrap();
    let wait = |child: &mut Box<dyn Child>| child.wait(Duration::from_secs(8)).unwrap();
    assert_eq!((wait(&mut child), seen.load(Ordering::SeqCst)), (None, 5_000));
    assert_eq!((wait(&mut child), clock.now_ms()), (Some(Ended::Code(0)), 10_000));
    assert_eq!(sim.started_programs().len(), 1);
}

#[test]
fn our_own_program_is_played_found_again_and_ended() {
    let clock = Arc::new(SimClock::new(0));
    let sim = SimProcess::new(clock.clone());
    let said = Arc::new(Mutex::new(Vec::new()));
    let last = said.clone();
    sim.play(move |own, _| {
        let (last, name) = (last.clone(), own.args[0].clone());
        let at_end: Last = Box::new(move |ended| last.lock().unwrap().push((name, ended)));
        Ok(Role { life: Life::of(Duration::from_secs(9)), at_end: Some(at_end) })
    });
    let start = |name: &str| {
        let env = vec![("RUN".into(), name.into())];
        sim.spawn_self(&Own { args: vec![name.into()], env, dir: "/".into() }).unwrap()
    };
    let (mut a, b, c, d) = (start("a"), start("b"), start("c"), start("d"));
    let again = |pid| sim.attach(pid, sim.started(pid).unwrap_or(0)).unwrap();
    assert!(sim.attach(a.id(), 7).unwrap().is_none());
    again(b.id()).unwrap().signal(Signal::Terminate).unwrap();
    assert_eq!(sim.end_strays(None, &[("RUN", "c")], Signal::Kill).unwrap(), 1);
    let strays = Some((d.id(), sim.started(d.id()).unwrap()));
    assert_eq!(sim.end_strays(strays, &[("RUN", "c")], Signal::Kill).unwrap(), 1);
    assert!(again(c.id()).is_none());
    let mut attached = again(a.id()).unwrap();
    assert_eq!(attached.wait(Duration::from_mins(1)).unwrap(), Some(Ended::Code(0)));
    assert_eq!(a.wait(Duration::ZERO).unwrap(), Some(Ended::Code(0)));
    let ends = [("b".into(), Ended::Signal(15)), ("a".into(), Ended::Code(0))];
    assert_eq!(*said.lock().unwrap(), ends);
    assert_eq!(sim.started_own().len(), 4);
    let e = start("e");
    sim.set_machine("another");
    assert!(again(e.id()).is_none() && sim.machine() == "another");
}

#[test]
fn a_program_may_be_deaf_or_missing() {
    let sim = SimProcess::new(Arc::new(SimClock::new(0)));
    let deaf = Life { deaf_to: vec![Signal::Terminate], ..Life::of(Duration::from_secs(9)) };
    sim.know("deaf", deaf);
    let mut child = sim.spawn(&program(&["deaf"])).unwrap();
    child.signal(Signal::Terminate).unwrap();
    assert_eq!(child.wait(Duration::ZERO).unwrap(), None);
    child.signal(Signal::Kill).unwrap();
    assert_eq!(child.wait(Duration::ZERO).unwrap(), Some(Ended::Signal(9)));
    assert_eq!(sim.sent(), [Signal::Terminate, Signal::Kill]);
    let kind = sim.spawn(&program(&["nothing"])).err().map(|e| e.kind());
    assert_eq!(kind, Some(io::ErrorKind::NotFound));
    sim.raise(Signal::Interrupt);
    let caught = sim.catch().unwrap();
    assert_eq!((caught.take(), caught.take()), (vec![Signal::Interrupt], Vec::new()));
    let (tell, told) = std::sync::mpsc::channel();
    sim.on_signal(Box::new(move |signal| tell.send(signal).unwrap_or_default())).unwrap();
    sim.raise(Signal::Hangup);
    assert_eq!(told.recv(), Ok(Signal::Hangup));
}
