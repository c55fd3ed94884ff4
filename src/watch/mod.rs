//! Dispatcher and monitor: what `orch watch` does.
//!
//! ```text
//!   files, signals, ended runs, the clock ──▶ dispatcher ──▶ plan (pure) ──▶ actions
//!                                                 │                            │
//!                                                 ▼                            ▼
//!                              monitor ──▶ alerts ──▶ notify      services::runs, keeper
//! ```
//!
//! The ledger is the truth; what lies in `ORCH/runs` only helps to find a process
//! again. Invariant: a command runs only under a lease that was committed before
//! it was started, and is ended before that lease is anybody else's.

pub mod dispatcher;
pub mod event;
pub mod keeper;
pub mod log;
pub mod metrics;
pub mod monitor;
pub mod notify;
pub mod past;
pub mod plan;
pub mod runner;
pub mod schedule;
pub mod usual;
