//! A cache in front of whichever store is opened.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use secretkit_cache::{CacheOptions, CachedStore, Staleness};
use secretkit_core::{Error, Fault, Result, SecretStore};

use crate::settings::text;

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

    /// What `SECRETKIT_CACHE` and `SECRETKIT_CACHE_STALE` say; `None` where neither is set.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] with the name of the variable that is no time, or that is set without the other.
    pub fn from_environment() -> Result<Option<Self>> {
        Self::said(text(AGE)?.as_deref(), text(STALE)?.as_deref())
    }

    fn said(age: Option<&str>, stale: Option<&str>) -> Result<Option<Self>> {
        let time = |name, text: Option<&str>| text.map(|text| duration(text).ok_or_else(|| no_time(name))).transpose();
        match (time(AGE, age)?, time(STALE, stale)?) {
            (Some(age), stale) => Ok(Some(Self::for_at_most(age).with_stale_while_away(stale.unwrap_or_default()))),
            (None, None | Some(Duration::ZERO)) => Ok(None),
            (None, Some(_)) => {
                let fault = Fault::Shape("it is for how much longer than SECRETKIT_CACHE, which is not set; set both");
                Err(Error::InvalidMetadata { field: STALE, fault })
            }
        }
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
        cache_time(text).map(Self::for_at_most)
    }
}

/// A time as the variables and the Python package write it, such as `30s`; none at all for `off`.
///
/// # Errors
/// [`Error::Unsupported`].
pub fn cache_time(text: &str) -> Result<Duration> {
    let why = || "a cache is off, or its time is one such as 500ms, 30s, 5min or 1h".to_owned();
    duration(text).ok_or_else(|| Error::Unsupported(why()))
}

const AGE: &str = "SECRETKIT_CACHE";
const STALE: &str = "SECRETKIT_CACHE_STALE";

fn no_time(name: &'static str) -> Error {
    Error::InvalidMetadata { field: name, fault: Fault::Shape("it is off, or a time such as 500ms, 30s, 5min or 1h") }
}

fn duration(text: &str) -> Option<Duration> {
    if text == "off" {
        return Some(Duration::ZERO);
    }
    let digits = text.trim_end_matches(|sign: char| !sign.is_ascii_digit());
    let milliseconds = match text.get(digits.len()..)? {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let milliseconds = digits.parse::<u64>().ok()?.checked_mul(milliseconds)?;
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
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

    #[test]
    fn what_the_variables_say_is_a_cache_or_an_error_that_names_one() {
        let times = |age, stale| {
            let cache: Option<Caching> = Caching::said(age, stale).unwrap();
            cache.map(|cache| (cache.max_age.as_secs(), cache.stale_for.as_secs()))
        };
        assert_eq!(times(None, None), None);
        assert_eq!(times(Some("30s"), None), Some((30, 0)));
        assert_eq!(times(Some("30s"), Some("5min")), Some((30, 300)));
        assert_eq!(times(Some("30s"), Some("off")), Some((30, 0)));
        assert_eq!(times(Some("off"), Some("5min")), Some((0, 300)));
        assert_eq!(times(None, Some("off")), None);
        let wrong = [
            (Some("5m"), None, "SECRETKIT_CACHE:"),
            (Some("30s"), Some("5m"), "SECRETKIT_CACHE_STALE:"),
            (None, Some("on"), "SECRETKIT_CACHE_STALE:"),
            (None, Some("5min"), "SECRETKIT_CACHE_STALE:"),
        ];
        for (age, stale, name) in wrong {
            let error = Caching::said(age, stale).unwrap_err().to_string();
            assert!(error.contains(name), "{age:?}, {stale:?}: {error}");
        }
    }
}
