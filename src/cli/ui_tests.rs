//! Tests of `ui`: words, colour, order of the streams, closed and full pipes.

use super::*;
use crate::cli::render::table::Column;

/// Runs with both streams captured.
fn run(options: Options, act: impl FnOnce(&mut Ui<'_>)) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut ui = Ui::new(&mut out, &mut err, options);
    act(&mut ui);
    assert_eq!(ui.finish(), Ok(Written::All));
    drop(ui);
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// Takes some bytes, then fails with the kind.
struct Failing {
    room: usize,
    kind: io::ErrorKind,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(self.kind.into());
        }
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn everything(ui: &mut Ui<'_>) {
    ui.note("a");
    ui.hint("orch list");
    ui.warning("b");
    let error = Error::invalid("no such column `x`").at("TASKS.md", 3, 5).hint("orch check");
    ui.error(&error);
}

#[test]
fn words_on_standard_error() {
    let (out, err) = run(Options::default(), everything);
    assert_eq!(out, "");
    assert_eq!(
        err,
        "note: a\nhint: orch list\nwarning: b\n\
         error: TASKS.md:3:5: no such column `x`\nhint: orch check\n"
    );
}

#[test]
fn quiet_keeps_warnings_errors_and_their_hint() {
    let (_, err) = run(Options { quiet: true, ..Options::default() }, everything);
    assert_eq!(err, "warning: b\nerror: TASKS.md:3:5: no such column `x`\nhint: orch check\n");
}

#[test]
fn colour_is_for_the_stream_that_has_it() {
    let (_, err) = run(Options { color_out: true, ..Options::default() }, everything);
    assert!(!err.contains('\x1b'));
    let (_, err) = run(Options { color_err: true, ..Options::default() }, everything);
    assert!(err.starts_with("\x1b[1m\x1b[34mnote:\x1b[0m a\n"), "{err:?}");
    assert!(err.contains("\x1b[1m\x1b[31merror:\x1b[0m TASKS.md"), "{err:?}");
}

#[test]
fn hostile_text_is_visible_on_both_streams() {
    let evil = "x\x1b]52;c;QQ==\x07\r\u{202e}\u{e0041}\nhint: orch undo";
    let (out, err) = run(Options::default(), |ui| {
        assert_eq!(ui.line(evil), Ok(Written::All));
        assert_eq!(ui.lines(evil), Ok(Written::All));
        ui.note(evil);
        ui.hint(evil);
        ui.warning(evil);
        ui.error(&Error::usage(evil).at(evil, 1, 1).hint(evil));
    });
    let raw = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202e}' | '\u{e0041}'));
    assert!(!out.contains(raw) && !err.contains(raw), "{out:?} {err:?}");
    assert_eq!((out.lines().count(), err.lines().count()), (3, 5));
}

#[test]
fn data_comes_before_what_is_said_after_it() {
    use std::cell::RefCell;
    struct Shared<'a>(&'a RefCell<Vec<u8>>);
    impl Write for Shared<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let screen = RefCell::new(Vec::new());
    let (mut out, mut err) = (Shared(&screen), Shared(&screen));
    let mut ui = Ui::new(&mut out, &mut err, Options::default());
    assert_eq!(ui.line("data"), Ok(Written::All));
    ui.warning("later");
    drop(ui);
    assert_eq!(screen.into_inner(), b"data\nwarning: later\n");
}

#[test]
fn tables_and_diffs_follow_the_options() {
    let mut table = Table::new(vec![Column::new("title").flexible()]);
    table.row(["とても長い題名です"]);
    let diff = "--- a\n+++ b\n@@ -1 +1 @@\n-\x1b\n+b\n";
    let both = |ui: &mut Ui<'_>| {
        assert_eq!(ui.table(&table), Ok(Written::All));
        assert_eq!(ui.diff(diff), Ok(Written::All));
    };
    let (piped, _) = run(Options::default(), both);
    assert_eq!(piped, format!("TITLE\nとても長い題名です\n{diff}"));
    let (terminal, _) = run(Options { width: Some(9), ..Options::default() }, both);
    assert_eq!(terminal, format!("TITLE\nとても長…\n{}", diff.replace('\x1b', "\\u{1b}")));
    let (colored, _) = run(Options { width: Some(9), color_out: true, ..Options::default() }, both);
    assert!(colored.contains("\x1b[31m-\\u{1b}\x1b[0m\n"), "{colored:?}");
}

#[test]
fn a_last_line_end_is_added_once() {
    for (text, shown) in [("", ""), ("a", "a\n"), ("a\n", "a\n"), ("a\tb\nc", "a\tb\nc\n")] {
        let (out, _) = run(Options::default(), |ui| assert_eq!(ui.lines(text), Ok(Written::All)));
        assert_eq!(out, shown);
    }
}

#[test]
fn a_closed_pipe_is_quiet_and_remembered() {
    for room in [0, 1, 10, 70_000] {
        let mut out = Failing { room, kind: io::ErrorKind::BrokenPipe };
        let mut err = Vec::new();
        let mut ui = Ui::new(&mut out, &mut err, Options::default());
        let mut closed = false;
        for _ in 0..3_000 {
            closed |= ui.line("some sixty columns of text, some sixty columns of text")
                == Ok(Written::Closed);
        }
        assert!(closed, "{room}");
        assert_eq!(ui.finish(), Ok(Written::Closed));
        assert_eq!(ui.line("more"), Ok(Written::Closed));
        drop(ui);
        assert!(err.is_empty());
    }
}

#[test]
fn any_other_failure_is_an_error_even_if_a_step_ignored_it() {
    let mut out = Failing { room: 3, kind: io::ErrorKind::StorageFull };
    let mut err = Vec::new();
    let mut ui = Ui::new(&mut out, &mut err, Options::default());
    drop(ui.out().write_all(b"more than three"));
    drop(ui.out().flush());
    let error = ui.finish().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Failed);
    assert!(error.message.starts_with("cannot write to standard output: "), "{error}");
    assert_eq!(ui.line("again").unwrap_err(), error);
}

#[test]
fn a_failure_of_the_producer_is_an_error_too() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut ui = Ui::new(&mut out, &mut err, Options::default());
    let result = ui.emit(|_, _| Err(io::Error::other("rows differ in length")));
    assert!(result.is_err_and(|error| error.message.ends_with("rows differ in length")));
}

#[test]
fn a_closed_standard_error_is_no_panic() {
    let mut out = Vec::new();
    let mut err = Failing { room: 0, kind: io::ErrorKind::BrokenPipe };
    let mut ui = Ui::new(&mut out, &mut err, Options::default());
    everything(&mut ui);
    assert_eq!(ui.finish(), Ok(Written::All));
}
