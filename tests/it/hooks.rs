//! What git runs of ours: real git, the real binary, in folders of their own.
//!
//! In the folder: setting up and taking away (`set_up`), commits (`commits`),
//! what holds behind merges (`merges`). Nothing sleeps.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "places files by hand")]

mod commits;
mod ground;
mod merges;
mod set_up;
