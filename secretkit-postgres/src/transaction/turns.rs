//! Who begins anew when.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

/// Pauses between attempts, longer and longer and each of a random length, so that those who meet part.
pub(super) struct Turns {
    end: Option<Instant>,
    longest: Duration,
    random: RandomState,
}

impl Turns {
    /// For ever where that is `None`.
    pub(super) fn until(end: Option<Instant>) -> Self {
        Self { end, longest: SHORTEST, random: RandomState::new() }
    }

    /// Waits before the next attempt, in this thread, which is the caller's own. False where there is no time left for one.
    pub(super) fn wait(&mut self) -> bool {
        if self.end.is_some_and(|end| Instant::now() >= end) {
            return false;
        }
        let longest = u64::try_from(self.longest.as_micros()).unwrap_or(u64::MAX);
        thread::sleep(Duration::from_micros(self.random.hash_one(Instant::now()) % longest));
        self.longest = (self.longest * 2).min(LONGEST);
        true
    }
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_there_is_no_time_left() {
        let begun = Instant::now();
        let mut turns = Turns::until(Some(begun + Duration::from_millis(50)));
        let mut count = 0;
        while turns.wait() {
            count += 1;
        }
        assert!(count > 1 && begun.elapsed() >= Duration::from_millis(50), "{count}");
        assert!(!turns.wait());
    }
}
