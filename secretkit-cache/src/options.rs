//! How much a cache keeps, and for how long.

use std::time::Duration;

/// How much a cache keeps, and for how long.
///
/// ```
/// use std::time::Duration;
/// use secretkit_cache::CacheOptions;
///
/// let options = CacheOptions::default()
///     .with_max_age(Duration::from_secs(10))
///     .with_stale_while_away(Duration::from_secs(300));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct CacheOptions {
    pub(crate) max_entries: u64,
    pub(crate) max_bytes: u64,
    pub(crate) max_age: Duration,
    pub(crate) stale_for: Duration,
    pub(crate) retry_every: Duration,
}

impl CacheOptions {
    /// At most this many answers: 10,000 unless it is said otherwise. All that one call asks for is one answer.
    #[must_use]
    pub const fn with_max_entries(mut self, entries: u64) -> Self {
        self.max_entries = entries;
        self
    }

    /// At most about this many bytes of sealed records: 64 MiB unless it is said otherwise.
    #[must_use]
    pub const fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// No answer is given any more that was asked for this long ago: 30 seconds unless it is said otherwise. It holds
    /// always, whatever is heard of the commits of others, and so it is the longest that a change stays unseen where
    /// nothing is heard.
    #[must_use]
    pub const fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// While the store cannot be reached, gives answers for this long beyond their greatest age; not at all unless it
    /// is said. What is known to have changed is never given.
    ///
    /// In that time a secret that was revoked meanwhile is given still. That it happens is told, see
    /// [`CachedStore::staleness`](crate::CachedStore::staleness).
    #[must_use]
    pub const fn with_stale_while_away(mut self, time: Duration) -> Self {
        self.stale_for = time;
        self
    }

    /// Where answers are given while the store is away, it is tried this often, so that not every caller waits for its
    /// time-out: once a second unless it is said otherwise.
    #[must_use]
    pub const fn with_retry_every(mut self, time: Duration) -> Self {
        self.retry_every = time;
        self
    }

    pub(crate) const fn gives_stale(&self) -> bool {
        !self.stale_for.is_zero()
    }

    /// When an answer is of no use any more, whatever happens.
    pub(crate) const fn end(&self) -> Duration {
        self.max_age.saturating_add(self.stale_for)
    }
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            max_entries: 10_000,
            max_bytes: 64 << 20,
            max_age: Duration::from_secs(30),
            stale_for: Duration::ZERO,
            retry_every: Duration::from_secs(1),
        }
    }
}
