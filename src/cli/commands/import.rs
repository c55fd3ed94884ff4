//! `orch import`

use crate::cli::answer::{Cx, End, Verb};
use crate::cli::args::ChangeArgs;
use crate::error::{Error, ErrorKind, Result};
use crate::services::exchange::fields::Mapping;
use crate::services::exchange::import::{self, Existing, Request};
use crate::services::exchange::sheet::{MAX_BYTES, Source, too_large};
use crate::services::exchange::{self, Format};
use crate::store::entry::sha256_hex;
use crate::sys::FileKind;
use clap::{Args, ValueEnum};
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

/// What can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FromFormat {
    /// A header, then a row a task
    Csv,
    /// One JSON object a line
    Jsonl,
    /// A line a task, as todo.txt has them
    #[value(name = "todo.txt", aliases = ["todotxt", "todo"])]
    TodoTxt,
    /// A Markdown task list; what is indented below an item is its detail
    #[value(alias = "md")]
    Checkbox,
}

/// What becomes of a row whose id is in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExistingArg {
    /// Import nothing
    Fail,
    /// Leave the row out
    Skip,
    /// Set what differs, by the rules of `set`: an empty cell clears (but a state
    /// stays, and a title must stand), a column that is missing changes nothing
    Update,
}

/// Arguments of `orch import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file (`-` reads stdin): .csv, .jsonl, .txt (todo.txt) or .md (task list);
    /// calendars (.ics) are written only
    file: String,
    /// Which format it has, whatever its name
    #[arg(long, value_name = "FORMAT")]
    from: Option<FromFormat>,
    /// Which column of the file a field is (title=Summary); `owner=` leaves that out
    #[arg(long, value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// What to do with a row whose id is in the ledger
    #[arg(long, value_name = "WAY", default_value = "fail")]
    existing: ExistingArg,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn run(cx: &mut Cx<'_>, args: ImportArgs) -> End {
    let format = format(&args)?;
    let map = args.map.iter().map(|text| Mapping::parse(text)).collect::<Result<Vec<_>>>()?;
    let existing = match args.existing {
        ExistingArg::Fail => Existing::Fail,
        ExistingArg::Skip => Existing::Skip,
        ExistingArg::Update => Existing::Update,
    };
    let bytes = bytes(cx, &args.file)?;
    // What a key stands for: the bytes, wherever they came from.
    let asked_for = (sha256_hex(&bytes), format, &map, existing);
    let asked_for = format!("{asked_for:?}");
    let name = if args.file == "-" { "stdin" } else { &args.file };
    let source = Source::new(name, bytes)?;
    let Some(sheet) = exchange::read(format, &source) else {
        return Err(written_only());
    };
    let request = Request { sheet: sheet?, source, map, existing, places: RefCell::default() };
    let verb = Verb { command: "import", kind: "task.import" };
    cx.change(&verb, args.change, &asked_for, &|asked| {
        import::import(asked.ctx, asked.snapshot, asked.who, &request, asked.note, asked.now)
    })
    .map_err(|error| request.locate(error))
}

fn written_only() -> Error {
    Error::usage("a calendar (ics) can be exported, not imported").hint("orch import --help")
}

fn format(args: &ImportArgs) -> Result<Format> {
    match args.from {
        Some(FromFormat::Csv) => return Ok(Format::Csv),
        Some(FromFormat::Jsonl) => return Ok(Format::Jsonl),
        Some(FromFormat::TodoTxt) => return Ok(Format::TodoTxt),
        Some(FromFormat::Checkbox) => return Ok(Format::Checkbox),
        None => {}
    }
    match Format::of_path(&args.file) {
        Some(Format::Ics) => Err(written_only()),
        Some(format) => Ok(format),
        None => Err(Error::usage(format!(
            "the name of `{}` does not say its format; give `--from csv`, `jsonl`, `todo.txt` or \
             `checkbox`",
            args.file
        ))),
    }
}

fn bytes(cx: &Cx<'_>, name: &str) -> Result<Vec<u8>> {
    if name == "-" {
        return cx.bytes();
    }
    let path = current_dir(cx)?.join(name);
    let no_file = |why: &str| Error::usage(format!("cannot read `{name}`: {why}"));
    let stat = cx.sys.fs.stat(&path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => no_file("no such file"),
        _ => Error::io("read", &path, &e),
    })?;
    if stat.kind == FileKind::Dir {
        return Err(no_file("it is a folder"));
    }
    if stat.len > MAX_BYTES {
        return Err(too_large(name, stat.len));
    }
    cx.sys.fs.read(&path).map_err(|e| Error::io("read", &path, &e))
}

/// The folder that paths are relative to.
pub(super) fn current_dir(cx: &Cx<'_>) -> Result<PathBuf> {
    cx.sys.env.current_dir().map_err(|e| {
        let here = Path::new(".");
        Error { kind: ErrorKind::Failed, ..Error::io("find", here, &e) }
    })
}
