//! What one process keeps.
//!
//! A child that was forked has copies of all of it, but nobody who tells it of changes, and a lock that another thread held
//! at that moment is held for ever. So each process has a room of its own, empty at first, and leaves alone those that it
//! inherited.

use std::fmt;
use std::sync::OnceLock;

use moka::sync::Cache;
use secretkit_core::store::{Listener, Notice, Want};

use crate::away::Reach;
use crate::board::Board;
use crate::options::CacheOptions;
use crate::store::Kept;

/// The rooms of this process and of those that it comes from, the first one first.
pub(crate) struct Rooms {
    options: CacheOptions,
    first: Room,
}

/// What this process keeps, and what it knows of it.
pub(crate) struct Room {
    process: u32,
    pub(crate) kept: Cache<Vec<Want>, Kept>,
    pub(crate) board: Board,
    pub(crate) reach: Reach,
    of_child: OnceLock<Box<Self>>,
}

impl Rooms {
    pub(crate) fn new(options: CacheOptions) -> Self {
        Self { first: Room::new(&options), options }
    }

    /// That of this process.
    pub(crate) fn ours(&self) -> &Room {
        let process = std::process::id();
        let mut room = &self.first;
        while room.process != process {
            room = room.of_child.get_or_init(|| Box::new(Room::new(&self.options)));
        }
        room
    }

    pub(crate) const fn options(&self) -> &CacheOptions {
        &self.options
    }
}

impl Room {
    fn new(options: &CacheOptions) -> Self {
        // Weights count bytes; that none is below the average bounds the number of entries as well.
        let least = options.max_bytes.checked_div(options.max_entries).unwrap_or(0).max(1);
        let weight = move |_: &Vec<Want>, kept: &Kept| {
            let bytes = kept.entry.as_ref().map_or(0, |entry| entry.bytes());
            u32::try_from(least.max(bytes as u64)).unwrap_or(u32::MAX)
        };
        let capacity = if options.max_entries == 0 { 0 } else { options.max_bytes };
        let kept =
            Cache::builder().max_capacity(capacity).weigher(weight).time_to_live(options.end().min(FOR_EVER)).build();
        let (board, reach) = (Board::new(), Reach::default());
        Self { process: std::process::id(), kept, board, reach, of_child: OnceLock::new() }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // So that nothing of it is taken apart here.
            std::mem::forget(self.kept.clone());
        }
    }
}

/// It holds no store: whoever tells it keeps none alive.
impl Listener for Rooms {
    fn hear(&self, notice: &Notice) {
        self.ours().board.hear(notice);
    }
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rooms")
    }
}

/// moka refuses more than this.
const FOR_EVER: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 60 * 60);
