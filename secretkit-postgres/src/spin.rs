//! Staying awake for an answer that is about to come.
//!
//! A processor with nothing to do goes to sleep, and to wake it takes as long as a near server works for an answer; on a
//! virtual machine, longer. Whoever is awake when the answer comes has it in half the time. So a thread that waits looks
//! again and again for a moment before it sleeps, as locks do, and only where that is likely to help: where it mostly did
//! on this connection, where nobody else of this process waits, who would keep the processors awake as well, and where
//! there is a processor for the server beside. Whatever else wants to run is let before each look.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What one connection knows of how soon its server answers. One thread at a time waits on it.
#[derive(Default)]
pub(crate) struct Pace {
    /// So many waits were too long, one after the other, as far as it was tried.
    missed: AtomicU32,
    /// So many are left before it is tried again.
    left: AtomicU32,
}

/// The threads that wait for answers at a time.
#[derive(Default)]
pub(crate) struct Waiters(AtomicUsize);

/// Those of this process. A child that is forked off meanwhile counts those of its parent for ever, and then merely sleeps.
pub(crate) static OF_THIS_PROCESS: Waiters = Waiters(AtomicUsize::new(0));

/// A thread that waits for an answer, awake at first.
pub(crate) struct Wait<'a> {
    pace: &'a Pace,
    among: &'a Waiters,
    /// When it began to stay awake, if it does.
    begun: Option<Instant>,
}

impl Pace {
    /// How often in a row staying awake was in vain.
    #[cfg(test)]
    pub(crate) fn missed(&self) -> u32 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Begins to wait, until what is returned is dropped.
    pub(crate) fn wait<'a>(&'a self, among: &'a Waiters) -> Wait<'a> {
        let is_alone = among.0.fetch_add(1, Ordering::Relaxed) == 0;
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        Wait { pace: self, among, begun: (is_alone && left == 0 && has_processors()).then(Instant::now) }
    }
}

impl Wait<'_> {
    /// Whether to look once more before sleeping. Others may have run meanwhile.
    pub(crate) fn stays_awake(&mut self) -> bool {
        let Some(begun) = self.begun else { return false };
        let is_over = begun.elapsed() >= MOMENT;
        if is_over {
            // The next tries come ever later.
            let missed = (self.pace.missed.load(Ordering::Relaxed) + 1).min(MOST_MISSED);
            self.pace.missed.store(missed, Ordering::Relaxed);
            self.pace.left.store((1 << missed) - 1, Ordering::Relaxed);
        }
        if is_over || self.among.0.load(Ordering::Relaxed) != 1 {
            self.begun = None;
            return false;
        }
        thread::yield_now();
        true
    }

    /// The answer came in time.
    pub(crate) fn was_in_time(&self) {
        self.pace.missed.store(0, Ordering::Relaxed);
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.among.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) fn has_processors() -> bool {
    static SEVERAL: OnceLock<bool> = OnceLock::new();
    *SEVERAL.get_or_init(|| thread::available_parallelism().is_ok_and(|count| count.get() > 1))
}

/// No answer is stayed awake for any longer.
const MOMENT: Duration = Duration::from_micros(200);

/// Then it is tried once in 64 waits, which costs three microseconds for each.
const MOST_MISSED: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it stayed awake at first.
    fn waits(pace: &Pace, among: &Waiters, in_time: bool) -> bool {
        let mut wait = pace.wait(among);
        let stayed = wait.begun.is_some();
        match in_time {
            true => wait.was_in_time(),
            false => while wait.stays_awake() {},
        }
        stayed
    }

    #[test]
    fn what_comes_late_is_stayed_awake_for_ever_less_and_what_comes_soon_each_time() {
        if !has_processors() {
            return secretkit_test_postgres::skip("there is one processor, and nobody stays awake on it");
        }
        let (pace, among) = (Pace::default(), Waiters::default());
        let late: Vec<usize> = (0..300).filter(|_| waits(&pace, &among, false)).collect();
        assert_eq!(late, [0, 2, 6, 14, 30, 62, 126, 190, 254]);
        // Once it is tried again, and an answer comes.
        let first = (0..100).find(|_| waits(&pace, &among, true));
        assert!(first.is_some_and(|first| first < 64), "{first:?}");
        assert!((0..100).all(|_| waits(&pace, &among, true)));
    }

    #[test]
    fn nobody_stays_awake_where_others_wait() {
        let (pace, among) = (Pace::default(), Waiters::default());
        let other = pace.wait(&among);
        assert!((0..100).all(|_| !waits(&Pace::default(), &among, true)));
        drop(other);
        assert_eq!(waits(&Pace::default(), &among, true), has_processors());
    }
}
