//! From a cell to bytes, and what is refused on the way.

use super::*;
use crate::services::context::Mode;
use crate::store::layout::Layout;
use crate::store::redo::{Redo, RedoFile};
use crate::sys::Sys;
use crate::sys::sim::Sim;
use std::path::Path;

/// A workspace in a folder of its own, with something beside it.
struct Ground {
    dir: tempfile::TempDir,
    sys: Sys,
}

impl Ground {
    fn new(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sys = Sim::new(dir.path().join("w")).sys();
        let ground = Self { dir, sys };
        let head = "| task_id | title | state | owner |\n|---|---|---|---|\n";
        ground.write("w/ORCH/STATE/TASKS.md", head.as_bytes());
        ground.write("w/ORCH/orch.yaml", settings.as_bytes());
        ground
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.at(path);
        self.sys.fs.create_dir_all(path.parent().unwrap(), None).unwrap();
        self.sys.fs.create_new(&path).unwrap().write_all(bytes).unwrap();
    }

    fn load(&self, cell: &str) -> Result<Stored> {
        let ctx = Context::open(&self.sys, Some(self.at("w")), Mode::Read).unwrap();
        load(&ctx, cell)
    }

    #[track_caller]
    fn refuses(&self, cell: &str, kind: ErrorKind, why: &str) {
        let error = self.load(cell).unwrap_err();
        assert!(error.kind == kind && error.message.contains(why), "{cell}: {error:?}");
    }
}

fn link(to: impl AsRef<Path>, at: PathBuf) {
    std::os::unix::fs::symlink(to, at).unwrap();
}

#[test]
fn every_spelling_is_one_file() {
    let ground = Ground::new("evidence: {root: 'C:\\work\\repo'}\n");
    ground.write("w/ORCH/patches/x.md", b"abc");
    link("patches", ground.at("w/ORCH/linked"));
    for cell in [
        "ORCH/patches/x.md",
        r"C:\work\repo\ORCH\patches\x.md",
        r"c:\\Work\\repo\\ORCH\\patches\\x.md",
        &ground.load("ORCH/patches/x.md").unwrap().path.to_string_lossy(),
    ] {
        let stored = ground.load(cell).unwrap();
        assert_eq!(stored.name, "ORCH/patches/x.md", "{cell}");
        assert_eq!((stored.bytes.as_slice(), stored.sha), (&b"abc"[..], sha256_hex(b"abc")));
    }
    assert_eq!(ground.load("ORCH/linked/x.md").unwrap().bytes, b"abc");
}

#[test]
fn what_is_not_there_is_stale() {
    let ground = Ground::new("");
    ground.write("w/x", b"");
    for cell in ["coverage.xml, other.txt", "x/y", "no/such/file", &"a".repeat(5000), "説明 文"]
    {
        ground.refuses(cell, ErrorKind::Stale, "is not there");
    }
    ground.refuses("ORCH/STATE", ErrorKind::Stale, "is not a regular file");
    let fifo = std::process::Command::new("mkfifo").arg(ground.at("w/pipe")).status();
    assert!(fifo.unwrap().success());
    ground.refuses("pipe", ErrorKind::Stale, "is not a regular file");
    let large = std::fs::File::create(ground.at("w/large")).unwrap();
    large.set_len(MAX_BYTES).unwrap();
    assert_eq!(ground.load("large").unwrap().bytes.len() as u64, MAX_BYTES);
    large.set_len(MAX_BYTES + 1).unwrap();
    ground.refuses("large", ErrorKind::Stale, "more than the 67108864");
    link("circle", ground.at("w/circle"));
    ground.refuses("circle", ErrorKind::Stale, "leads nowhere");
    link("nowhere", ground.at("w/dangling"));
    ground.refuses("dangling", ErrorKind::Stale, "leads nowhere");
}

#[test]
fn what_lies_outside_is_refused() {
    let ground = Ground::new("");
    ground.write("secret", b"s");
    ground.write("wx/secret", b"s");
    link("../secret", ground.at("w/out"));
    link(ground.at("wx"), ground.at("w/beside"));
    for (cell, why) in [
        ("../secret", "climbs out"),
        (r"ORCH\..\..\secret", "climbs out"),
        ("out", "leads out of the workspace"),
        ("beside/secret", "leads out of the workspace"),
        (".", "names no file"),
    ] {
        ground.refuses(cell, ErrorKind::LedgerInvalid, why);
    }
    // Of another machine, as far as anybody can tell: it is not here.
    let beside = ground.at("secret").to_string_lossy().into_owned();
    for cell in ["/etc/passwd", r"C:\work\repo\x", &beside] {
        ground.refuses(cell, ErrorKind::Stale, "under no configured root");
    }
}

#[test]
fn a_committed_change_counts_before_it_is_in_its_place() {
    let ground = Ground::new("");
    ground.write("w/ORCH/patches/.x.md.orch-0123456789abcdef", b"new");
    let layout = Layout::new(ground.at("w"));
    let file = RedoFile {
        name: "ORCH/patches/x.md".into(),
        path: "ORCH/patches/x.md".into(),
        staged: ".x.md.orch-0123456789abcdef".into(),
        sha_in: None,
        sha_out: sha256_hex(b"new"),
    };
    let month = "2026-01".into();
    let redo = Redo { op: "1".into(), files: vec![file], month, ..Redo::default() };
    ground.sys.fs.create_new(&layout.redo()).unwrap().write_all(&redo.encode()).unwrap();
    assert_eq!(ground.load("ORCH/patches/x.md").unwrap().bytes, b"new");
    ground.refuses("ORCH/patches/y.md", ErrorKind::Stale, "is not there");
}
