//! Signals: those that somebody sends to us are the child's.
//!
//! They are held back and read by a thread that passes them on, so no handler is installed and afterwards the process is
//! as it was. What the terminal sends, it sends to the child as well, which is in the same process group; that is not
//! passed on a second time.

use std::io::Result;
use std::os::unix::thread::JoinHandleExt;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use nix::sys::pthread::pthread_kill;
use nix::sys::signal::{SigSet, Signal, kill, raise};
use rustix::process::Pid;

use self::source::{Origin, Source};
use super::child::{self, Change};

/// What may be meant for the child. All others do to us what they always do.
const PASSED: [Signal; 10] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGWINCH,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];

/// Those among them that would have ended us before there was a child.
const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// Those by which the thread that passes them on can be woken, the first that it reads.
const WAKING: [Signal; 7] = [
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGQUIT,
    Signal::SIGINT,
    Signal::SIGHUP,
];

/// While it lives, signals wait in this thread and those that it starts.
pub(super) struct HeldBack {
    source: Source,
    before: SigSet,
    /// None where somebody held back all of them before; then there is nothing to pass on.
    waking: Option<Signal>,
}

impl HeldBack {
    pub(super) fn new() -> Result<Self> {
        let before = SigSet::thread_get_mask()?;
        // Those that are held back already are somebody's who waits for them.
        let held: SigSet = PASSED.into_iter().filter(|&signal| !before.contains(signal)).collect();
        let source = Source::new(held)?;
        held.thread_block()?;
        Ok(Self { source, before, waking: WAKING.into_iter().find(|&signal| held.contains(signal)) })
    }

    /// What was held back before: what the child is to hold back.
    pub(super) const fn before(&self) -> SigSet {
        self.before
    }

    /// One that came already and ends us, by its number.
    pub(super) fn one_that_ends_it(&self) -> Option<u8> {
        let signal = self.source.arrived().filter(|signal| ENDING.contains(signal))?;
        u8::try_from(signal as i32).ok()
    }

    /// Gets ready to pass them on to a child that is still to be started.
    pub(super) fn pass_on(self) -> Result<Passing> {
        let child = Arc::new(Mutex::new(None));
        let (started, starts) = channel();
        let (of_thread, source) = (Arc::clone(&child), self.source.try_clone()?);
        let work = move || {
            // Nothing comes where the child could not be started.
            if starts.recv().is_ok() {
                pass_on(&source, &of_thread);
            }
        };
        let start = || std::thread::Builder::new().name("signals".to_owned()).spawn(work);
        let thread = match self.waking {
            Some(waking) => Some((start()?, waking)),
            None => None,
        };
        Ok(Passing { _held: self, child, started: Some(started), thread })
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        // Fails only for what is no mask.
        let _ = self.before.thread_set_mask();
    }
}

/// The child, for as long as its id is its own.
type Running = Mutex<Option<Pid>>;

/// The thread that passes signals on.
pub(super) struct Passing {
    _held: HeldBack,
    child: Arc<Running>,
    started: Option<Sender<()>>,
    thread: Option<(JoinHandle<()>, Signal)>,
}

impl Passing {
    /// Waits for the child, which has just started, and returns the exit code to pass on. Where it stops, so do we.
    ///
    /// # Errors
    /// Those of [`child::wait_for_change`].
    pub(super) fn until_the_end_of(mut self, child: Pid) -> Result<u8> {
        *locked(&self.child) = Some(child);
        if let Some(started) = self.started.take() {
            // Fails only where the thread is gone; the child is there all the same.
            let _ = started.send(());
        }
        loop {
            child::wait_for_change(child)?;
            let mut running = locked(&self.child);
            match child::collect(child)? {
                Some(Change::Ended(code)) => {
                    *running = None;
                    return Ok(code);
                }
                Some(Change::Stopped(signal)) => {
                    drop(running);
                    stop_too(signal);
                }
                None => {}
            }
        }
    }
}

/// Ends the thread, whether or not there ever was a child.
impl Drop for Passing {
    fn drop(&mut self) {
        *locked(&self.child) = None;
        self.started = None;
        if let Some((thread, waking)) = self.thread.take() {
            // To that thread alone, which holds it back and reads it: so it wakes up and sees that the child is gone.
            let _ = pthread_kill(thread.as_pthread_t(), waking);
            let _ = thread.join();
        }
    }
}

fn pass_on(source: &Source, child: &Running) {
    while let Ok((signal, origin)) = source.next() {
        let Some(pid) = *locked(child) else { return };
        // A terminal that hangs up tells the first process of its session alone, which may be us; and whoever continues
        // us continues the child.
        let always = matches!(signal, Signal::SIGHUP | Signal::SIGCONT);
        if always || origin == Origin::Process {
            // It is there: it has not been collected.
            let _ = kill(nix::unistd::Pid::from_raw(pid.as_raw_nonzero().get()), signal);
        }
    }
}

/// Stops this process as its child was stopped, so that the shell that waits for us gets the terminal back. Returns when
/// it goes on. A child that was stopped otherwise, for a look at it, is no reason to.
fn stop_too(signal: i32) {
    if let Ok(signal @ (Signal::SIGTSTP | Signal::SIGTTIN | Signal::SIGTTOU)) = Signal::try_from(signal) {
        let only = SigSet::from(signal);
        let held = SigSet::thread_get_mask().is_ok_and(|mask| mask.contains(signal));
        // In this order: the terminal's own may be waiting too, and what waits while this process is stopped is thrown
        // away when it goes on. The other way round it would stop twice.
        let _ = raise(signal);
        let _ = only.thread_unblock();
        if held {
            let _ = only.thread_block();
        }
    }
}

fn locked(child: &Running) -> MutexGuard<'_, Option<Pid>> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(target_os = "linux")]
mod source {
    use std::io::Error;
    use std::sync::Arc;

    use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::{Result, SigSet, Signal};

    /// Who sent a signal.
    #[derive(Eq, PartialEq)]
    pub(super) enum Origin {
        /// The terminal, or the system otherwise.
        Kernel,
        /// A process.
        Process,
    }

    /// A descriptor that signals are read from.
    pub(super) struct Source(Arc<SignalFd>);

    impl Source {
        pub(super) fn new(held: SigSet) -> Result<Self> {
            Ok(Self(Arc::new(SignalFd::with_flags(&held, SfdFlags::SFD_CLOEXEC)?)))
        }

        #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
        pub(super) fn try_clone(&self) -> Result<Self> {
            Ok(Self(Arc::clone(&self.0)))
        }

        /// One that is there already.
        pub(super) fn arrived(&self) -> Option<Signal> {
            let mut ready = [PollFd::new(&*self.0, PollFlags::IN)];
            match poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
                Ok(1..) => self.next().ok().map(|(signal, _)| signal),
                _ => None,
            }
        }

        /// The next one, however long it takes.
        pub(super) fn next(&self) -> Result<(Signal, Origin)> {
            loop {
                match self.0.read_signal() {
                    Ok(Some(siginfo { ssi_signo, ssi_code, .. })) => {
                        let signal = i32::try_from(ssi_signo).map_err(Error::other)?;
                        // Positive codes are the kernel's own.
                        let origin = if ssi_code > 0 { Origin::Kernel } else { Origin::Process };
                        return Ok((Signal::try_from(signal)?, origin));
                    }
                    Ok(None) | Err(nix::errno::Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

/// Elsewhere nothing tells who sent a signal. What the keys of a terminal send is taken to come from there for as long as
/// we are in its foreground.
#[cfg(not(target_os = "linux"))]
mod source {
    use std::fs::File;

    use super::{Result, SigSet, Signal};

    /// Who sent a signal, as far as one can tell.
    #[derive(Eq, PartialEq)]
    pub(super) enum Origin {
        Kernel,
        Process,
    }

    pub(super) struct Source(SigSet);

    impl Source {
        #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
        pub(super) const fn new(held: SigSet) -> Result<Self> {
            Ok(Self(held))
        }

        #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
        pub(super) const fn try_clone(&self) -> Result<Self> {
            Ok(Self(self.0))
        }

        /// None that can be asked for without waiting: it reaches the child as soon as there is one.
        #[expect(clippy::unused_self, reason = "elsewhere it is used")]
        pub(super) const fn arrived(&self) -> Option<Signal> {
            None
        }

        pub(super) fn next(&self) -> Result<(Signal, Origin)> {
            let signal = self.0.wait()?;
            let of_keys = matches!(signal, Signal::SIGINT | Signal::SIGQUIT | Signal::SIGTSTP | Signal::SIGWINCH);
            let origin = if of_keys && in_foreground() { Origin::Kernel } else { Origin::Process };
            Ok((signal, origin))
        }
    }

    fn in_foreground() -> bool {
        let terminal = File::open("/dev/tty").map(rustix::termios::tcgetpgrp);
        matches!(terminal, Ok(Ok(group)) if group == rustix::process::getpgrp())
    }
}
