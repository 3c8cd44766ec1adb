//! A cache in front of whichever store is opened.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use secretkit_cache::{CacheOptions, CachedStore, Staleness};
use secretkit_core::{Error, Result, SecretStore};

/// Whether sealed records are kept in front of the store, and for how long. Not unless it is said.
///
/// ```
/// use std::time::Duration;
/// use secretkit::{Caching, Settings};
///
/// let caching = Caching::for_at_most(Duration::from_secs(30));
/// let mut settings = Settings::default();
/// settings.store = Some("memory:".parse()?);
/// settings.cache = Some(caching.clone());
/// let secrets = settings.open_existing()?;
/// // Nobody else can commit to a store in memory, and so it tells of nobody.
/// assert!(!caching.state().unwrap().told);
/// # drop(secrets);
/// # Ok::<(), secretkit::Error>(())
/// ```
///
/// Whatever is delivered may then be as old as that. A PostgreSQL store tells of what others commit, within a second;
/// while it cannot, and with every other store, a change by another process is seen after that time and no earlier.
#[derive(Clone, Debug)]
pub struct Caching {
    max_age: Duration,
    stale_for: Duration,
    /// What was opened with it last.
    opened: Arc<Mutex<Weak<CachedStore>>>,
}

/// What a cache can be relied on for, at this moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CacheState {
    /// Whether what others commit is heard of.
    pub told: bool,
    /// Since when answers of before are given, because the store cannot be reached; `None` where they are not.
    pub staleness: Option<Staleness>,
}

impl Caching {
    /// Nothing is kept, whatever `SECRETKIT_CACHE` says.
    #[must_use]
    pub fn off() -> Self {
        Self::for_at_most(Duration::ZERO)
    }

    /// Answers are given for this long at most; none at all where it is no time.
    #[must_use]
    pub fn for_at_most(max_age: Duration) -> Self {
        Self { max_age, stale_for: Duration::ZERO, opened: Arc::default() }
    }

    /// While the store cannot be reached, answers are given for this long beyond that. See
    /// [`CacheOptions::with_stale_while_away`].
    #[must_use]
    pub const fn with_stale_while_away(mut self, time: Duration) -> Self {
        self.stale_for = time;
        self
    }

    /// How it is with the cache that was opened last by settings that hold this, or a clone of it; `None` where there is
    /// none, or none any more.
    #[must_use]
    pub fn state(&self) -> Option<CacheState> {
        let cached = self.opened.lock().unwrap_or_else(PoisonError::into_inner).upgrade()?;
        Some(CacheState { told: cached.is_told(), staleness: cached.staleness() })
    }

    /// The store behind a cache, if there is to be one.
    pub(crate) fn around(&self, store: Arc<dyn SecretStore>) -> Option<Arc<CachedStore>> {
        let Self { max_age, stale_for, opened } = self;
        if max_age.is_zero() {
            return None;
        }
        let options = CacheOptions::default().with_max_age(*max_age).with_stale_while_away(*stale_for);
        let cached = Arc::new(CachedStore::new(store, options));
        *opened.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&cached);
        Some(cached)
    }
}

/// `off`, or the greatest age, such as `500ms`, `30s`, `5min` or `1h`.
impl FromStr for Caching {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "off" { Ok(Self::off()) } else { cache_time(text).map(Self::for_at_most) }
    }
}

/// A time as the variables and the Python package write it, such as `30s`.
///
/// # Errors
/// [`Error::Unsupported`].
pub fn cache_time(text: &str) -> Result<Duration> {
    let digits = text.trim_end_matches(|sign: char| !sign.is_ascii_digit());
    let unit = match text.get(digits.len()..) {
        Some("ms") => Some(1),
        Some("s") => Some(1_000),
        Some("min") => Some(60_000),
        Some("h") => Some(3_600_000),
        _ => None,
    };
    let milliseconds = unit.and_then(|unit| digits.parse::<u64>().ok()?.checked_mul(unit));
    milliseconds.filter(|milliseconds| *milliseconds > 0).map(Duration::from_millis).ok_or_else(|| {
        Error::Unsupported("a cache is off, or its time is one such as 500ms, 30s, 5min or 1h".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_off_or_has_a_time() {
        for (text, milliseconds) in [("500ms", 500), ("30s", 30_000), ("5min", 300_000), ("1h", 3_600_000), ("off", 0)]
        {
            assert_eq!(text.parse::<Caching>().unwrap().max_age, Duration::from_millis(milliseconds), "{text}");
        }
        for text in ["", "on", "30", "0s", "-1s", "1.5s", "s", "30 s", "99999999999999999999s", "18446744073709551615h"]
        {
            text.parse::<Caching>().unwrap_err();
        }
    }
}
