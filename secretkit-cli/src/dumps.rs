//! Core dumps, which the command's own memory stays out of.

#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};

/// Neither a core dump nor another process of the same user gets at the memory of this one, where the system can see to
/// that. [`run`](crate::run) does not do it by itself, because it may run in somebody else's process.
///
/// It ends where the command `run` starts another program; the limits that such a program inherits are its own business
/// and stay as they are.
#[cfg(target_os = "linux")]
pub fn keep_out_of_dumps() {
    // Where the system refuses it, the command works all the same.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Elsewhere there is no such switch.
#[cfg(not(target_os = "linux"))]
pub const fn keep_out_of_dumps() {}

/// Whether the memory of this process stays out of them.
#[cfg(target_os = "linux")]
pub(crate) fn is_kept_out() -> bool {
    dumpable_behavior() == Ok(DumpableBehavior::NotDumpable)
}

#[cfg(not(target_os = "linux"))]
pub(crate) const fn is_kept_out() -> bool {
    false
}
