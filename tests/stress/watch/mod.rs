//! `orch watch` under everything that can go wrong with it, the real program and
//! real commands.
//!
//! `crashes` (kills of the watch, and what its end leaves), `heartbeat` (leases
//! that cannot be renewed), `drain` (signals), `poison` (tasks that fail for
//! ever), `two_watchers`, `steady` (for long), `hostile` (text of the ledger near
//! commands), `peers` (losses that others had), `surprises` (what changes under
//! it), `busy` and `idle` (what it costs), `injected` (the table of failures that
//! end without a person). All share `shop`, with `handle` and `processes`. Nothing
//! is waited for by the clock: a limit is long, and passes only where something is
//! broken.

mod busy;
mod crashes;
mod drain;
mod handle;
mod heartbeat;
mod hostile;
mod idle;
mod injected;
mod peers;
mod poison;
mod processes;
mod shop;
mod steady;
mod surprises;
mod two_watchers;
