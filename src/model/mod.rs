//! What a ledger means: tasks, approvals, actors, states, times.
//!
//! Pure: no I/O, no clock, no serde, no Markdown. Everything that depends on
//! the present takes it as a parameter.

pub mod actor;
pub mod alert;
pub mod approval;
pub mod duration;
pub mod evidence;
pub mod evidence_path;
pub mod field;
pub mod flags;
pub mod handover;
pub mod hidden;
pub mod history;
pub mod id;
pub mod lock;
pub mod lock_name;
pub mod lookalikes;
pub mod operation;
pub mod outcome;
pub mod run;
pub mod secrets;
pub mod severity;
pub mod size;
pub mod task;
pub mod task_state;
pub mod time;
pub mod value;
