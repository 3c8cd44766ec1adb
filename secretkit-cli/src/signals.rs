//! Signals that come while the terminal is silent.
//!
//! They are held back in this thread and read from a descriptor, so that no handler has to be installed: afterwards the
//! process has those that it had before, which matters where it is somebody else's.

#[cfg(target_os = "linux")]
pub(crate) use self::linux::Signals;
#[cfg(not(target_os = "linux"))]
pub(crate) use self::other::Signals;

use nix::sys::signal::SigSet;

/// Starts a thread that no signal comes to.
pub(crate) fn keeping_off<T>(start: impl FnOnce() -> T) -> T {
    let before = SigSet::thread_get_mask().ok();
    let held = SigSet::all().thread_block();
    let started = start();
    if let (Some(before), Ok(())) = (before, held) {
        // Fails only for what is no mask.
        let _ = before.thread_set_mask();
    }
    started
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::Result;
    use std::time::{Duration, Instant};

    use nix::sys::signal::{SigSet, Signal};
    use nix::sys::signalfd::{SfdFlags, SignalFd};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    /// While it lives, the signals that would end the process wait; then whatever holds for them holds again.
    pub(crate) struct Signals {
        arriving: SignalFd,
        before: SigSet,
    }

    const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

    impl Signals {
        pub(crate) fn hold_back() -> Result<Self> {
            let before = SigSet::thread_get_mask()?;
            // Those that are held back already are somebody's who waits for them.
            let ending: SigSet = ENDING.into_iter().filter(|&signal| !before.contains(signal)).collect();
            let arriving = SignalFd::with_flags(&ending, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
            ending.thread_block()?;
            Ok(Self { arriving, before })
        }

        /// Waits until there is something to read at the terminal; or the number of a signal that came.
        pub(crate) fn first_of(&self, terminal: &File) -> Result<Option<u8>> {
            let mut both = [PollFd::new(&self.arriving, PollFlags::IN), PollFd::new(terminal, PollFlags::IN)];
            while let Err(error) = poll(&mut both, None) {
                if error != Errno::INTR {
                    return Err(error.into());
                }
            }
            let signal = self.arriving.read_signal()?;
            Ok(signal.and_then(|signal| u8::try_from(signal.ssi_signo).ok()))
        }
    }

    impl Signals {
        /// The number of a signal that came, or comes within this time.
        pub(crate) fn within(&self, time: Duration) -> Result<Option<u8>> {
            let until = Instant::now() + time;
            loop {
                if let Some(signal) = self.arriving.read_signal()? {
                    return Ok(u8::try_from(signal.ssi_signo).ok());
                }
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(None);
                }
                let left = Timespec {
                    tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                    tv_nsec: left.subsec_nanos().into(),
                };
                match poll(&mut [PollFd::new(&self.arriving, PollFlags::IN)], Some(&left)) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    impl Drop for Signals {
        fn drop(&mut self) {
            // Fails only for what is no mask.
            let _ = self.before.thread_set_mask();
        }
    }
}

/// Elsewhere there is no such descriptor: a signal ends the process as it would at any other time.
#[cfg(not(target_os = "linux"))]
mod other {
    use std::fs::File;
    use std::io::Result;
    use std::time::Duration;

    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn hold_back() -> Result<Self> {
            Ok(Self)
        }

        pub(crate) fn first_of(&self, _terminal: &File) -> Result<Option<u8>> {
            Ok(None)
        }

        pub(crate) fn within(&self, time: Duration) -> Result<Option<u8>> {
            std::thread::sleep(time);
            Ok(None)
        }
    }
}
