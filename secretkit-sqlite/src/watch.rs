//! Whether the files that a process has open are still those that stand at their place.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secretkit_core::Result;

use crate::place::{Files, Place};

/// Which files the connections have open, as far as their place tells.
pub(crate) struct Watch(Mutex<Seen>);

struct Seen {
    files: Files,
    looked: Instant,
    moves: u64,
}

/// What a look has shown.
pub(crate) struct Look {
    /// How often other files were found so far: a connection from before the last time has files that are gone.
    pub(crate) moves: u64,
    /// Whether it was this look that found them.
    pub(crate) is_first: bool,
}

impl Watch {
    pub(crate) fn new(files: Files) -> Self {
        Self(Mutex::new(Seen { files, looked: Instant::now(), moves: 0 }))
    }

    /// Looks, unless somebody did so within this time.
    ///
    /// # Errors
    /// [`Error::UnsafeStore`](secretkit_core::Error::UnsafeStore) where the log of the file of before stands beside the
    /// one of now. Nothing is noted then, so that every look finds it, until either is moved away.
    pub(crate) fn look(&self, place: &Place, within: Duration) -> Result<Look> {
        let mut seen = self.seen();
        if seen.looked.elapsed() < within {
            return Ok(Look { moves: seen.moves, is_first: false });
        }
        let files = place.files();
        place.check_replaced(files, seen.files)?;
        let is_first = files.differ_from(seen.files);
        let moves = seen.moves + u64::from(is_first);
        *seen = Seen { files, looked: Instant::now(), moves };
        Ok(Look { moves, is_first })
    }

    /// Takes note of a log that a connection has made.
    pub(crate) fn learn(&self, place: &Place) {
        let mut seen = self.seen();
        if seen.files.has_no_log() {
            let files = place.files();
            seen.files.learn(files);
        }
    }

    /// Whether the main file is that of the last look.
    pub(crate) fn is_where_it_was(&self, place: &Place) -> bool {
        place.files().is_same_file(self.seen().files)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
