//! Keeping what is in a process's memory from its disk and from other processes.

use std::fmt;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What [`harden_process`] could do.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Hardening {
    /// No core dump is written, by this process or what it starts.
    pub no_core_dumps: Measure,
    /// Other processes of the same user can neither trace it nor read its memory, and no dump of it is made in any
    /// other way.
    pub untraceable: Measure,
    /// Its memory stays out of the swap.
    pub locked_memory: Measure,
}

/// Whether one measure was taken.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Measure {
    /// It was.
    Taken,
    /// It was not, because of this.
    NotTaken(String),
}

impl Measure {
    /// Whether it was taken.
    #[must_use]
    pub const fn is_taken(&self) -> bool {
        matches!(self, Self::Taken)
    }

    fn of(outcome: Result<(), rustix::io::Errno>) -> Self {
        outcome.map_or_else(|errno| Self::NotTaken(errno.to_string()), |()| Self::Taken)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("done"),
            Self::NotTaken(why) => write!(f, "not done: {why}"),
        }
    }
}

impl Hardening {
    /// Each measure by its name.
    #[must_use]
    pub const fn measures(&self) -> [(&'static str, &Measure); 3] {
        let Self { no_core_dumps, untraceable, locked_memory } = self;
        [("no_core_dumps", no_core_dumps), ("untraceable", untraceable), ("locked_memory", locked_memory)]
    }
}

/// Keeps the memory of this process, with its keys and opened values, from the disk and from other processes as far as
/// the system allows. Call it once, early, before threads and before the store is opened.
///
/// It is the host's decision, because it holds for the whole process: there is no core dump to look at after a crash,
/// no debugger can be attached but by root, and what this process starts inherits the limit on core dumps. What is not
/// allowed is told and no error.
///
/// - Core dumps: the limit `RLIMIT_CORE` is set to 0 for good.
/// - Tracing: `PR_SET_DUMPABLE` is set to 0, on Linux. It holds until the process executes another program.
/// - Swap: all memory is locked as it comes into use (`mlockall` with `MCL_ONFAULT`), on Linux, where `RLIMIT_MEMLOCK`
///   sets no limit or the process has `CAP_IPC_LOCK`. Under a limit nothing is locked: to lock single keys takes calls
///   on raw memory, which this crate does not make, and to lock everything under a limit makes later allocations
///   fail. `LimitMEMLOCK=infinity` in a systemd unit lifts it. Hibernation writes locked memory all the same.
///
/// ```
/// for (name, measure) in secretkit::harden_process().measures() {
///     println!("{name}: {measure}");
/// }
/// ```
#[expect(clippy::must_use_candidate, reason = "whoever does not ask what was possible may still want it")]
pub fn harden_process() -> Hardening {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    Hardening {
        no_core_dumps: Measure::of(setrlimit(Resource::Core, none)),
        untraceable: refuse_tracing(),
        locked_memory: lock_memory(),
    }
}

#[cfg(target_os = "linux")]
fn refuse_tracing() -> Measure {
    Measure::of(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable))
}

#[cfg(target_os = "linux")]
fn lock_memory() -> Measure {
    use rustix::mm::{MlockAllFlags, mlockall};
    use rustix::thread::CapabilitySet;

    let Rlimit { current, maximum } = getrlimit(Resource::Memlock);
    let capable = rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    if let (Some(limit), false) = (current, capable) {
        let raised = maximum.is_none() && setrlimit(Resource::Memlock, Rlimit { current: None, maximum }).is_ok();
        if !raised {
            return Measure::NotTaken(format!(
                "RLIMIT_MEMLOCK is {} KiB, and memory is locked only where there is no limit; raise it with ulimit -l \
                 unlimited, or LimitMEMLOCK=infinity in a systemd unit",
                limit / 1024
            ));
        }
    }
    Measure::of(mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT))
}

#[cfg(not(target_os = "linux"))]
fn refuse_tracing() -> Measure {
    Measure::NotTaken("there is no safe call for it on this system".to_owned())
}

#[cfg(not(target_os = "linux"))]
fn lock_memory() -> Measure {
    let _ = getrlimit(Resource::Memlock);
    Measure::NotTaken("there is no safe call for it on this system".to_owned())
}
