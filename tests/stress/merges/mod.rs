//! Merges by real git whose driver is the program under test: random papers that
//! two sides changed, held against a model of a few maps (`generated`), and
//! histories of real commands with their journal (`histories`).
//!
//! `paper` writes and reads ledgers, `generate` makes up what the sides do,
//! `model` knows the rules, `repository` asks git. At `ORCH_STRESS=10` there are
//! 10,000 merges.

mod generate;
mod generated;
mod histories;
mod model;
mod paper;
mod repository;
