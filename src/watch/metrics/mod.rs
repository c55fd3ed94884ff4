//! Figures for a monitoring system.
pub mod histogram;
