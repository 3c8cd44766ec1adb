//! Whether the store can be reached.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secretkit_core::{Clock, Error, Timestamp};
use tracing::{info, warn};

use crate::board::{Board, Count};

/// That a cache gives answers of before, because the store cannot be reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Staleness {
    /// Since when the store cannot be reached.
    pub since: Timestamp,
    /// How many answers of before were given since then.
    pub answers: u64,
}

/// What is known of it.
#[derive(Debug, Default)]
pub(crate) struct Reach(Mutex<Option<Away>>);

#[derive(Debug)]
struct Away {
    staleness: Staleness,
    tried: Instant,
    /// When the last attempt began.
    begun: Count,
}

impl Reach {
    fn lock(&self) -> MutexGuard<'_, Option<Away>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store has answered.
    pub(crate) fn answered(&self) {
        if let Some(Away { staleness, .. }) = self.lock().take()
            && staleness.answers > 0
        {
            info!(answers = staleness.answers, "the secret store answers again");
        }
    }

    /// The store could not be reached, by an attempt that began then.
    pub(crate) fn failed(&self, clock: &dyn Clock, begun: Count) {
        let mut away = self.lock();
        let since = away.as_ref().map_or_else(|| clock.now(), |away| away.staleness.since);
        let answers = away.as_ref().map_or(0, |away| away.staleness.answers);
        let begun = away.as_ref().map_or(begun, |away| away.begun.max(begun));
        *away = Some(Away { staleness: Staleness { since, answers }, tried: Instant::now(), begun });
    }

    /// Whether it was tried in vain so lately that it is not tried again yet. What was tried before notices were heard
    /// again says nothing of now: then it is tried once more.
    pub(crate) fn rests(&self, retry_every: Duration, board: &Board) -> bool {
        let rests = |away: &Away| away.tried.elapsed() < retry_every && !board.is_doubted(away.begun);
        self.lock().as_ref().is_some_and(rests)
    }

    /// An answer of before was given.
    pub(crate) fn gave_stale(&self) {
        if let Some(Away { staleness, .. }) = &mut *self.lock() {
            if staleness.answers == 0 {
                warn!(since = %staleness.since, "the secret store cannot be reached; answers of before are given");
            }
            staleness.answers += 1;
        }
    }

    pub(crate) fn staleness(&self) -> Option<Staleness> {
        self.lock().as_ref().map(|away| away.staleness).filter(|staleness| staleness.answers > 0)
    }
}

/// The same error once more, for others who wait for the same answer; `None` where it does not mean that the store
/// cannot be reached.
pub(crate) fn again(error: &Error) -> Option<Error> {
    match error {
        Error::Busy { store } => Some(Error::Busy { store: store.clone() }),
        Error::Unavailable { store, why } => Some(Error::Unavailable { store: store.clone(), why: why.clone() }),
        Error::Store { store, source } => {
            Some(Error::Store { store: store.clone(), source: source.to_string().into() })
        }
        _ => None,
    }
}
