//! The keeper of a run: a process of ours that owns the command.
