//! What is sent, and what is said when it cannot be.

use super::*;
use crate::store::alerts::State as AlertState;
use crate::sys::sim::Sim;

/// A limit that only a stuck test reaches.
const LONG: Duration = Duration::from_mins(5);

fn alert(key: &str) -> Alert {
    Alert {
        ts: "2026-01-01T00:00:00.000Z".into(),
        kind: "overdue".into(),
        severity: "warning".into(),
        key: key.into(),
        summary: format!("`{key}` is late"),
        state: AlertState::Firing,
    }
}

fn hook(url: &str, secret_env: Option<&str>) -> Notify {
    Notify::Webhook { url: url.into(), secret_env: secret_env.map(str::to_owned) }
}

struct Stage {
    sim: Sim,
    said: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    fn new() -> Self {
        Self { sim: Sim::new("/"), said: Arc::default() }
    }

    fn notifier(&self, entries: &[Notify]) -> Notifier {
        let said = self.said.clone();
        let log: Log = Arc::new(move |text| said.lock().unwrap().push(text.to_owned()));
        Notifier::new(&self.sim.sys(), Path::new("/"), entries, log)
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

/// Waits until nothing is under way, without ending anything.
fn settle(notifier: &Notifier) {
    assert!(notifier.world.wait_idle(LONG));
}

#[test]
fn a_webhook_is_tried_again_with_one_name_for_all_tries() {
    let stage = Stage::new();
    stage.sim.net.answer([500, 429, 204]);
    let notifier = stage.notifier(&[hook("http://a/x", None)]);
    notifier.send(&[alert("a")]);
    settle(&notifier);
    let posted = stage.sim.net.posted();
    assert_eq!(posted.len(), 3);
    assert!(posted.iter().all(|one| *one == posted[0]));
    let header = |name: &str| posted[0].headers.iter().find(|(n, _)| n == name).map(|(_, v)| v);
    assert_eq!(header("Content-Type").unwrap(), "application/json");
    assert_eq!((header("X-Orch-Delivery").unwrap().len(), header("X-Orch-Signature")), (32, None));
    assert_eq!(serde_json::from_slice::<Alert>(&posted[0].body).unwrap(), alert("a"));
    assert_eq!(stage.said(), Vec::<String>::new());
    // Another delivery has another name.
    stage.sim.net.answer([200]);
    notifier.send(&[alert("a")]);
    settle(&notifier);
    assert_ne!(stage.sim.net.posted()[3].headers, posted[0].headers);
}

#[test]
fn it_is_given_up_after_five_tries_in_order() {
    let stage = Stage::new();
    stage.sim.net.answer([500; 5].into_iter().chain([200]));
    let url = "https://user:pa55@hooks.example/services/s3cret?token=s3cret#s3cret";
    let notifier = stage.notifier(&[hook(url, None)]);
    let before = stage.sim.sys().clock.now_ms();
    notifier.send(&[alert("a"), alert("b")]);
    settle(&notifier);
    let keys = stage
        .sim
        .net
        .posted()
        .into_iter()
        .map(|posted| serde_json::from_slice::<Alert>(&posted.body).unwrap().key);
    assert_eq!(keys.collect::<String>(), "aaaaab");
    assert_eq!(
        stage.said(),
        [
            "the webhook `https://hooks.example` was not told of an alert, tried 5 times: it answers 500"
        ]
    );
    let waited = stage.sim.sys().clock.now_ms() - before;
    assert!((1..=15_000).contains(&waited), "{waited}");
}

#[test]
fn nothing_is_sent_unsigned_that_should_be_signed() {
    let stage = Stage::new();
    let notifier = stage.notifier(&[hook("http://a/", Some("HOOK_KEY"))]);
    for value in [None, Some("")] {
        if let Some(value) = value {
            stage.sim.env.set_var("HOOK_KEY", value);
        }
        notifier.send(&[alert("a"), alert("b")]);
        settle(&notifier);
    }
    assert_eq!(stage.sim.net.posted(), []);
    let said = ["the webhook `http://a` is not told: `$HOOK_KEY`, its key, is not set"];
    assert_eq!(stage.said(), said);
    stage.sim.env.set_var("HOOK_KEY", "s3cret");
    stage.sim.net.answer([200]);
    notifier.send(&[alert("c")]);
    settle(&notifier);
    let posted = &stage.sim.net.posted()[0];
    let (_, signature) = posted.headers.iter().find(|(n, _)| n == "X-Orch-Signature").unwrap();
    assert_eq!(*signature, sign(b"s3cret", &posted.body));
    assert!(!stage.said().concat().contains("s3cret"));
}

#[test]
fn a_signature_is_the_hmac_of_rfc_4231() {
    // Test case 2.
    assert_eq!(
        sign(b"Jefe", b"what do ya want for nothing?"),
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[test]
fn placeholders_are_filled_once_as_those_of_runs_are() {
    let odd = Alert { summary: "{{key}} $(id)".into(), ..alert("k") };
    let fill = |word: &str| runner::fill(word, &|name| text(name, &odd));
    assert_eq!(fill("{{summary}}|{{state}}"), "{{key}} $(id)|firing");
    assert_eq!(fill("{{ts}} {{ kind }} {{severity}}"), "2026-01-01T00:00:00.000Z overdue warning");
    for text in ["", "{{", "{{}}", "{{x}}", "}}{{x", "{{{{", "{{ x }}"] {
        assert_eq!(fill(text), text);
    }
    assert_eq!(fill("{{x{{key}}"), "{{xk");
}

#[test]
fn who_is_slow_loses_the_oldest_and_holds_nobody_up() {
    let stage = Stage::new();
    let entries = [hook("http://a/", None), hook("http://b/", None)];
    let mut notifier = stage.notifier(&entries);
    let keys: Vec<_> = (0..300).map(|n| alert(&n.to_string())).collect();
    // As if its thread were busy all the time.
    notifier.lanes[0].state().works = true;
    stage.sim.net.answer([200; 256]);
    notifier.send(&keys);
    settle(&notifier);
    notifier.send(&keys[..1]);
    let waiting = |lane: usize| {
        let state = notifier.lanes[lane].state();
        (state.waiting.len(), state.waiting.front().map(|alert| alert.key.clone()))
    };
    assert_eq!(waiting(0), (256, Some("45".into())));
    assert!(stage.sim.net.posted().iter().all(|posted| posted.url == "http://b/"));
    let slow = |host| {
        format!(
            "more than 256 alerts wait for the webhook `http://{host}`: the oldest are left out"
        )
    };
    assert_eq!(stage.said()[..2], [slow("a"), slow("b")], "said once for each");
    // Other settings keep what waits for whom they still name.
    notifier.set(&[Notify::Command(vec!["x".into()]), entries[0].clone()]);
    assert_eq!(notifier.lanes[1].state().waiting.len(), 256);
    assert_eq!(notifier.lanes[0].state().waiting.len(), 0);
}

#[test]
fn at_the_end_everything_is_tried_once() {
    let stage = Stage::new();
    let notifier = stage.notifier(&[hook("http://a/", None)]);
    notifier.world.closing.store(true, Ordering::SeqCst);
    notifier.send(&[alert("a"), alert("b")]);
    assert!(notifier.drain(LONG));
    assert_eq!(stage.sim.net.posted().len(), 2);
    assert!(stage.said()[0].contains("tried once"), "{:?}", stage.said());
}

#[test]
fn a_program_that_is_missing_is_told_of() {
    let stage = Stage::new();
    let notifier = stage.notifier(&[Notify::Command(vec!["/opt/bin/tell".into(), "x".into()])]);
    notifier.send(&[alert("a")]);
    settle(&notifier);
    assert!(stage.said()[0].starts_with("the program `tell` was not told of an alert: "));
}
