//! Transactions over plain files: who may write, when, and in which order.
//!
//! Lives here: the workspace's paths and how it is found, the lock, replacing
//! files whole. Not here: what the text means (`ledger`), what a command decides
//! (`services`), single system calls (`sys`). Invariant: at every instant each
//! ledger file is whole, old or new, and a writer that does not hold the lock
//! writes nothing.
//!
//! ```text
//!  writer                                         on failure
//!  ──────────────────────────────────────────     ─────────────────────────────
//!  replace::resolve, each ledger                  ledger_invalid, nothing made
//!  lock::LedgerLock::acquire                      busy, names the holder
//!    │  replace::clean_temporaries                failed
//!    │  ┄┄ recover: settle a redo record that a dead writer left ┄┄   (to come)
//!    │  read the files, inside the lock           ledger_invalid, failed
//!    │  decide (pure)                             the rule that says no
//!    │  journal::Place::make                      ledger_invalid, failed
//!    │  replace::Staged::prepare, each file       failed, nothing changed
//!    │  LedgerLock::still_ours                    busy, nothing changed
//!    │  ┄┄ redo record: write, sync, rename, sync the folder ┄┄       (to come)
//!    │  ══════ commit point ══════ (until then: the first rename)
//!    │  replace::publish, each file               busy before the first rename,
//!    │                                            committed after it
//!    │  journal append                            committed
//!    │  lease mirrors                             committed
//!    │  ┄┄ drop the redo record, sync the folder ┄┄                   (to come)
//!  unlock (drop)
//!
//!  reader: no lock, no write; reads again until nothing changed in between
//! ```
//!
//! # Concurrency
//! Processes exclude each other by `flock` on `LOCKS/ledger`, which is never
//! renamed or removed. Editors do not take it: `publish` looks at the live file
//! once more before it replaces it, and gives way.
//!
//! # Durability
//! With [`replace::Durability::Full`] a file is synced before its rename and its
//! folder after it. A failed sync is never repeated; the file is thrown away.

pub mod discover;
pub mod entry;
pub mod git;
pub mod graph;
pub mod journal;
pub mod layout;
pub mod lock;
pub mod mirror;
pub mod replace;
pub mod snapshot;
pub mod transaction;
