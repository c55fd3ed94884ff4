//! Transactions over plain files: who may write, when, and in which order.
//!
//! Lives here: the workspace's paths and how it is found, the lock, the redo
//! record, recovery, the journal, replacing files whole. Not here: what the
//! text means (`ledger`), what a command decides (`services`), single system
//! calls (`sys`). Invariant: at every instant each ledger file is whole, old or
//! new; all are of one operation, or a durable record says which to make of
//! them; and a writer that does not hold the lock writes nothing.
//!
//! ```text
//!  writer (`transaction`)                            on failure: exit, state
//!  ───────────────────────────────────────────────   ────────────────────────────
//!  begin    resolve each ledger                      10, nothing made
//!           take the lock (`lock`)                   11, names the holder
//!           settle a dead writer's record            1; 10 where a save clashes
//!             (`recovery`)                             or the version is another
//!           set late saves into a base aside         best effort
//!           read ledgers and flags (`snapshot`)      1, 10; 11, they keep changing
//!  decide   pure, in `services`                      the rule that says no
//!  prepare  journal lines and diff (`prepare`)       1, 10, nothing changed
//!  commit   make the journal's folder (`append`)     1, 10, nothing changed
//!           stage a copy beside each file, fsync     1, copies removed
//!           is the lock still ours?                  11, copies removed
//!           is each file still as it was read?       interrupted
//!           write the redo record (`redo`), fsync    1, removed; 13 if it stays
//!           fsync the folders of the files           13
//!           ══════════════ commit point ══════════════
//!           exchange each copy with its file, look   interrupted; 1, taken back;
//!             at what that displaced (`install`)       13 where that fails
//!           named-lock files, fsync (`named_locks`)  13
//!           append the journal lines, fsync          13
//!           append audit lines, fsync                13
//!           fsync the folders of the files           13
//!           lease mirrors (`mirror`)                 best effort
//!           keep what was displaced as base, write   best effort
//!             the checkpoint (`checkpoint`)
//!           remove the copies, then the record       13
//!  end      unlock (drop)
//!
//!  reader (`snapshot`): no lock, no write
//!    read record ─▶ read files ─▶ status as before? ─▶ record as before? ─▶ parse
//!        ▲                              │ no                 │ no
//!        └── pause 1 … 50 ms, 20 times ─┴────────────────────┘   then 11
//!    with a record, a file that still is as the change found it is read from
//!    its copy: a committed change is seen before it is in place
//! ```
//!
//! 13 is `committed`: the change stands, and the next changing command or
//! `doctor` completes it by the table on [`recovery`]'s page. *Interrupted* is
//! an editor that saved in between: what was exchanged goes back, the record is
//! withdrawn, and `services::change` does the whole command again on top of the
//! save, as long as `lock_wait` lasts; then 11, with their bytes in place.
//!
//! # Concurrency
//! Processes exclude each other by `flock` on `LOCKS/ledger`, which we never
//! rename or remove, and on the folder `STATE`, for the case that somebody else
//! does. Editors take neither. The exchange is one call, so
//! what it displaced has a name whoever wrote it; where it is not what was read
//! it goes back. Where names cannot be exchanged a look and a rename take its
//! place, and a save between the two is lost. A reader that looks between the
//! record and the exchange can see a change that then gives way to a save.
//!
//! # Durability
//! With [`replace::Durability::Full`] a copy is synced before the record names
//! it, and the record before a file changes. A failed sync is never repeated;
//! the file is thrown away. That the record is gone is not synced: where it is
//! back after a power cut, its line is in the journal, and only the rest is
//! cleaned up. `Fast` syncs nothing.
//!
//! Cost, as counted by strace: a `claim` is 5 fsyncs (copy, record, folder,
//! journal, folder), and 8 where it begins a month's journal (month, LOGS,
//! ORCH). A further file is one more, its own folder two; an audit line one, the
//! first of a day four; `lock acquire` of one name 7. A claim in 1,000 rows of
//! 190 bytes writes 195,761 bytes: the ledger's 189,766, record 3,041, journal
//! 2,335, checkpoint 394, mirror 156, lock note 69. The base is renamed, not
//! written.

pub mod accepted;
pub mod alerts;
pub mod append;
pub mod ask_git;
pub mod audit_line;
pub mod checkpoint;
pub mod chronicle;
pub mod discover;
pub mod entry;
pub mod git;
pub mod graph;
pub mod install;
pub mod journal;
pub mod layout;
pub mod lock;
pub mod mirror;
pub mod named_locks;
pub mod past;
pub mod prepare;
pub mod recovery;
pub mod redo;
pub mod replace;
pub mod runs;
pub mod schedules;
pub mod seen;
pub mod snapshot;
pub mod staged;
pub mod transaction;
