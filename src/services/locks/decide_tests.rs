//! Named locks: decisions, on files and pasts made by hand.

use super::*;
use crate::model::actor::Actor;
use crate::store::layout::Layout;
use crate::store::named_locks;
use crate::sys::sim::Sim;
use std::path::Path;

const GRACE: Duration = Duration::from_mins(5);

/// Files that were written by decisions, and the present.
struct World {
    _dir: tempfile::TempDir,
    sim: Sim,
    layout: Layout,
    past: std::collections::BTreeMap<String, LockPast>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let sim = Sim::new(dir.path());
        let sys = sim.sys();
        sys.fs.create_dir_all(&layout.locks_dir().join("names"), None).unwrap();
        Self { _dir: dir, sim, layout, past: std::collections::BTreeMap::new() }
    }

    fn put(&self, name: &str, text: &str) {
        let sys = self.sim.sys();
        let path = named_locks::path_of(&self.layout, name);
        let _ = sys.fs.remove_file(&path);
        sys.fs.append(&path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// A lock that `owner` took a minute ago, for so many minutes from now.
    fn held(&self, name: &str, owner: &str, token: u64, minutes: i64) {
        let now = Timestamp(self.sim.sys().clock.now_ms());
        let (since, end) = (Timestamp(now.0 - 60_000), Timestamp(now.0 + minutes * 60_000));
        self.put(
            name,
            &format!(
                "{{\"owner\":\"{owner}\",\"name\":\"{name}\",\"ts_acquired\":\"{since}\",\
                 \"ttl_sec\":60,\"status\":\"active\",\"token\":{token},\"host\":\"h\",\"pid\":1,\
                 \"expires_at\":\"{end}\",\"more\":[]}}"
            ),
        );
    }

    fn past(&mut self, name: &str, holds: &[(&str, u64, Option<HoldEnd>)]) {
        let hold = |(owner, token, end): &(&str, u64, _)| Hold {
            owner: (*owner).to_owned(),
            token: Some(*token),
            end: *end,
        };
        self.past.insert(name.to_owned(), LockPast(holds.iter().map(hold).collect()));
    }

    fn decide(
        &self,
        who: &str,
        verb: Verb,
        names: &[&str],
        token: Option<u64>,
    ) -> Result<Decision> {
        let sys = self.sim.sys();
        let files = named_locks::read_all(&sys, &self.layout).unwrap();
        let actor = Actor::parse(who).unwrap();
        let who = Identity { actor, solo: false, explicit: true, run: None };
        let facts = Facts {
            who: &who,
            files: &files,
            past: &|name| self.past.get(name.as_str()).cloned().unwrap_or_default(),
            largest_token: named_locks::largest_token(&sys, &self.layout, &files),
            ttl: Duration::from_mins(30),
            grace: GRACE,
            from: ("desk".to_owned(), 7),
            now: Timestamp(sys.clock.now_ms()),
        };
        let names = names.iter().map(|n| LockName::parse(n, Path::new("/w")).unwrap()).collect();
        decide(&facts, verb, &Request { names, ttl: None, token })
    }

    #[track_caller]
    fn refuses(&self, who: &str, verb: Verb, name: &str, token: Option<u64>, kind: ErrorKind) {
        let error = self.decide(who, verb, &[name], token).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}

use ErrorKind::{Held, LeaseLost, LedgerInvalid, NotAllowed};
use Verb::{Acquire, Release, Renew};

#[test]
fn a_token_is_above_every_one_known_and_above_the_clock() {
    let world = World::new();
    let now = u64::try_from(world.sim.sys().clock.now_ms()).unwrap();
    let token = |w: &World| w.decide("WORK@ada", Acquire, &["x"], None).unwrap().token.unwrap();
    assert_eq!(token(&world), now);
    world.held("y", "WORK@bob", now + 1_000, -60);
    assert_eq!(token(&world), now + 1_001);
    let mirror = world.layout.lease_mirror("T-1");
    let text = format!("{{\"token\":{}}}", now + 2_000);
    world.sim.fs.reset();
    let sys = world.sim.sys();
    sys.fs.append(&mirror).unwrap().write_all(text.as_bytes()).unwrap();
    assert_eq!(token(&world), now + 2_001);
    world.held("z", "WORK@bob", u64::MAX, 60);
    world.refuses("WORK@ada", Acquire, "x", None, LedgerInvalid);
}

#[test]
fn a_live_lock_is_in_everybodys_way_until_its_grace_is_over() {
    let world = World::new();
    for minutes in [1, 0, -4] {
        world.held("src/**", "WORK@bob", 5, minutes);
        for who in ["WORK@ada", "WORK@bob", "CMD@boss"] {
            world.refuses(who, Acquire, "src/**", None, Held);
            world.refuses(who, Acquire, "src/x", None, Held);
        }
    }
    world.held("src/**", "WORK@bob", 5, -5);
    let over = world.decide("WORK@ada", Acquire, &["src/**"], None).unwrap();
    assert_eq!(over.changes[0].taken_from.as_deref(), Some("WORK@bob"));
    assert_eq!(over.writes.len(), 1);
    // A lock that only overlaps is taken out of the way with it.
    let over = world.decide("WORK@ada", Acquire, &["src/x"], None).unwrap();
    assert_eq!(over.writes[0], LockWrite::Remove("src/**".into()));
    assert_eq!(over.changes[0].owner, None);
    assert!(world.decide("WORK@ada", Acquire, &["docs", "lib/**"], None).is_ok());
}

#[test]
fn acquiring_again_needs_the_token_and_several_are_all_or_none() {
    let world = World::new();
    world.held("a", "WORK@ada", 5, 10);
    world.refuses("WORK@ada", Acquire, "a", None, Held);
    world.refuses("WORK@ada", Acquire, "a", Some(4), LeaseLost);
    world.refuses("WORK@bob", Acquire, "a", Some(5), Held);
    let again = world.decide("work@ADA".replace("work", "WORK").as_str(), Acquire, &["a"], Some(5));
    assert_eq!(again.unwrap().writes, []);
    for names in [["a", "b"], ["b", "a"]] {
        assert_eq!(world.decide("WORK@bob", Acquire, &names, None).unwrap_err().kind, Held);
    }
    let both = world.decide("WORK@bob", Acquire, &["b", "c/**", "c/d"], None).unwrap();
    assert_eq!((both.writes.len(), both.rows.len()), (3, 3));
}

#[test]
fn only_the_holder_renews_with_its_token_where_it_must() {
    let mut world = World::new();
    world.held("a", "WORK@ada", 5, -60);
    // Even after the end, while nobody took over.
    let renewed = world.decide("WORK@ada", Renew, &["a"], None).unwrap();
    assert_eq!((renewed.writes.len(), renewed.token), (1, Some(5)));
    world.refuses("WORK@ada", Renew, "a", Some(4), LeaseLost);
    world.refuses("WORK@bob", Renew, "a", Some(5), Held);
    world.refuses("WORK@bob", Renew, "a", None, Held);
    world.past("a", &[("WORK@bob", 3, Some(HoldEnd::Lost)), ("WORK@ada", 5, None)]);
    world.refuses("WORK@bob", Renew, "a", None, LeaseLost);
    world.past("a", &[("WORK@ada", 3, Some(HoldEnd::Lost)), ("WORK@ada", 5, None)]);
    world.refuses("WORK@ada", Renew, "a", None, LeaseLost);
    assert!(world.decide("WORK@ada", Renew, &["a"], Some(5)).is_ok());
    world.held("b", "WORK", 6, 10);
    world.refuses("WORK", Renew, "b", None, LeaseLost);
    assert!(world.decide("WORK", Renew, &["b"], Some(6)).is_ok());
    // A renewal never shortens.
    world.held("c", "WORK@ada", 7, 10);
    assert_eq!(world.decide("WORK@ada", Renew, &["c"], None).unwrap().writes, []);
}

#[test]
fn what_is_gone_was_lost_unless_it_was_given_back() {
    let mut world = World::new();
    for verb in [Renew, Release] {
        world.past("a", &[]);
        world.refuses("WORK@ada", verb, "a", None, NotAllowed);
        world.refuses("WORK@ada", verb, "a", Some(5), LeaseLost);
        // The file was removed by hand, or somebody else released it.
        for end in [None, Some(HoldEnd::Lost)] {
            world.past("a", &[("WORK@ada", 5, end)]);
            world.refuses("WORK@ada", verb, "a", None, LeaseLost);
            world.refuses("WORK@ada", verb, "a", Some(5), LeaseLost);
            world.refuses("WORK@bob", verb, "a", None, NotAllowed);
        }
        world.refuses("WORK@ada", Acquire, "a", Some(5), LeaseLost);
    }
    world.past("a", &[("WORK@ada", 5, Some(HoldEnd::ByHolder))]);
    world.refuses("WORK@ada", Renew, "a", Some(5), NotAllowed);
    for token in [None, Some(5)] {
        let again = world.decide("WORK@ada", Release, &["a"], token).unwrap();
        assert_eq!((again.writes, again.rows[0].status), (Vec::new(), LockStatus::Free));
    }
    world.refuses("WORK@bob", Release, "a", None, NotAllowed);
    assert!(world.decide("CMD@boss", Release, &["a"], None).unwrap().writes.is_empty());
}

#[test]
fn the_holder_releases_and_cmd_and_anybody_once_it_is_over() {
    let world = World::new();
    world.held("a", "WORK@ada", 5, 10);
    for (who, token) in
        [("WORK@ada", None), ("WORK@ada", Some(5)), ("CMD@boss", None), ("CMD", None)]
    {
        let released = world.decide(who, Release, &["a"], token).unwrap();
        assert_eq!(released.writes, [LockWrite::Remove("a".into())]);
    }
    world.refuses("WORK@bob", Release, "a", None, Held);
    world.refuses("AUDIT@ada", Release, "a", None, Held);
    // Whoever lost a lock must not give back the next holder's.
    world.refuses("CMD@boss", Release, "a", Some(4), LeaseLost);
    world.held("a", "WORK@ada", 5, -5);
    assert!(world.decide("WORK@bob", Release, &["a"], None).is_ok());
    world.refuses("WORK@bob", Release, "a", Some(4), LeaseLost);
}

#[test]
fn garbage_counts_as_held_where_it_may_be_the_lock() {
    let world = World::new();
    for garbage in ["", "{}", "not json", "{\"owner\":1}"] {
        world.put("src/**", garbage);
        for who in ["WORK@ada", "CMD@boss"] {
            world.refuses(who, Acquire, "src/**", None, LedgerInvalid);
            world.refuses(who, Acquire, "src/x", None, LedgerInvalid);
            world.refuses(who, Renew, "src/**", Some(5), LedgerInvalid);
        }
        world.refuses("WORK@ada", Release, "src/**", None, LedgerInvalid);
        assert!(world.decide("WORK@ada", Acquire, &["docs/**", "word"], None).is_ok());
        let released = world.decide("CMD@boss", Release, &["src/**"], None).unwrap();
        assert_eq!(released.writes, [LockWrite::Remove("src/**".into())]);
    }
    // A lock's text in another lock's file is garbage too.
    world.held("docs/**", "WORK@bob", 5, 10);
    let sys = world.sim.sys();
    let text = sys.fs.read(&named_locks::path_of(&world.layout, "docs/**")).unwrap();
    world.put("src/**", &String::from_utf8(text).unwrap());
    world.refuses("WORK@bob", Renew, "src/**", None, LedgerInvalid);
    // A long name's file does not tell its name: it may be that of any path.
    let long = "x/".repeat(150);
    let name = LockName::parse(&long, Path::new("/w")).unwrap();
    world.put(name.as_str(), "garbage");
    world.refuses("WORK@ada", Acquire, "lib/**", None, LedgerInvalid);
    assert!(world.decide("WORK@ada", Acquire, &["word"], None).is_ok());
}

#[test]
fn every_name_is_found_again_in_its_file() {
    let world = World::new();
    let long = "名/".repeat(60);
    for typed in ["a", ".a", "-a", "%41", "./a", "*", ".", "a b", "a/**", "名前", "aux.lock", &long]
    {
        let name = LockName::parse(typed, Path::new("/w")).unwrap();
        world.held(name.as_str(), "WORK@ada", 5, 10);
        world.refuses("WORK@bob", Acquire, typed, None, Held);
        assert!(world.decide("WORK@ada", Renew, &[typed], Some(5)).is_ok(), "{typed}");
        let path = named_locks::path_of(&world.layout, name.as_str());
        world.sim.sys().fs.remove_file(&path).unwrap();
    }
}
