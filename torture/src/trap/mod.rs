//! A layer under everything that a process does with files.
//!
//! A process installs a filter of its own calls into the kernel (seccomp), which raises a signal where a file is
//! opened, written, truncated, flushed, renamed or removed. The handler of that signal makes the call in its place,
//! and writes down what it was; or fails it, or kills the process, as the [`Plan`] says. So it meets every call,
//! whoever makes it: SQLite, the standard library, and crates that speak to the kernel without libc. It needs no
//! right, no tool and no library beside the program.

mod journal;
mod machine;
mod plan;

mod handler;

pub(crate) use handler::install;
pub(crate) use journal::{Entry, Event, read};
pub(crate) use plan::{FAULTS, Fault, Kind, Moment, Plan};
