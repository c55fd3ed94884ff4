//! Torture of the real program: kills, faults, full disks, power cuts, editors,
//! crowds, clocks and odd text, one test a number of the reliability plan.
//!
//! Everything here starts processes and judges files, exit numbers and JSON;
//! only `model` runs in process. A room a file: `durability` (kills, recovery,
//! broken redo records), `syscalls` (faults at every call), `disks` (power cuts,
//! full disks, limits), `locks` (the lock and its surroundings), `streams`,
//! `concurrency`, `editors`, `readers`, `clocks`, `model`, `text`, `sizes`;
//! `merges` (git, with the program as its merge driver); what hostile hands do:
//! `hostile` (names), `records`, `diffs`, `places` and `swap` (links), `journal`,
//! `secrets`, `shown` (evidence); and `watch`, a room of rooms: runs, their
//! keepers, and all that can happen to either.
//!
//! ```text
//! cargo test --test stress                    everything, small
//! cargo test --test stress t02                one number
//! ORCH_STRESS=10 cargo test --test stress     ten times as much of everything
//! ```
//!
//! `ORCH_STRESS=N` multiplies sizes (at 10 they are those of a release, at 100
//! those of a night); `ORCH_STRESS_BIN=PATH` tortures that program instead of
//! the one that was just built; `ORCH_STRESS_SEED=N` repeats a random run (each
//! test says its seed). What a machine cannot do (no ptrace, no mounts, a tool
//! that is not installed) is skipped, and said on standard error.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests place and look at files by hand, and may panic"
)]

mod clocks;
mod concurrency;
mod diffs;
mod disks;
mod durability;
mod editors;
mod hostile;
mod journal;
mod locks;
mod merges;
mod model;
mod places;
mod readers;
mod records;
mod secrets;
mod shown;
mod sizes;
mod streams;
mod support;
mod swap;
mod syscalls;
mod text;
mod watch;
