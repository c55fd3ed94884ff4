//! The output of a run, as far as it is kept.
