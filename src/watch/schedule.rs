//! Commands at set times.
