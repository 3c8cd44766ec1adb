//! Times in words for people.

use secretkit::{SecretInfo, Timestamp};

/// RFC 3339 without the fraction.
pub(crate) fn to_the_second(time: Timestamp) -> String {
    let micros = time.as_micros();
    Timestamp::from_micros(micros.saturating_sub(micros.rem_euclid(SECOND))).to_string()
}

/// The day, UTC.
pub(crate) fn day(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('T').map_or(text.clone(), |(day, _)| day.to_owned())
}

/// How long ago that was. A clock that was set back makes it a plain time.
pub(crate) fn ago(now: Timestamp, time: Timestamp) -> String {
    match now.as_micros().checked_sub(time.as_micros()) {
        Some(micros @ 0..) => format!("{} ago", length(micros)),
        _ => format!("at {}", to_the_second(time)),
    }
}

/// Whether a secret is given out, and how long still.
#[derive(Clone, Copy)]
pub(crate) enum State {
    /// For ever.
    Active,
    /// Not any more from this time on.
    Until(Timestamp),
    /// Not since this time: its expiry passed.
    Expired(Timestamp),
    /// Not since this time: it was switched off, whether it has expired or not.
    Inactive(Timestamp),
}

impl State {
    pub(crate) fn of(info: &SecretInfo, now: Timestamp) -> Self {
        match (info.metadata.inactive_since, info.metadata.expires_at) {
            (Some(since), _) => Self::Inactive(since),
            (None, Some(at)) if at <= now => Self::Expired(at),
            (None, Some(at)) => Self::Until(at),
            (None, None) => Self::Active,
        }
    }

    /// In one or two words.
    pub(crate) fn brief(self) -> String {
        match self {
            Self::Active => "active".to_owned(),
            // The last day on which it is given out: the one that people wrote, whose end is the next one's beginning.
            Self::Until(at) => {
                format!("until {}", day(Timestamp::from_micros(at.as_micros().saturating_sub(1))))
            }
            Self::Expired(_) => "expired".to_owned(),
            Self::Inactive(_) => "inactive".to_owned(),
        }
    }

    /// With since when.
    pub(crate) fn since(self) -> String {
        match self {
            Self::Active | Self::Until(_) => "active".to_owned(),
            Self::Expired(at) => format!("expired since {}", to_the_second(at)),
            Self::Inactive(at) => format!("inactive since {}", to_the_second(at)),
        }
    }

    /// Whether it ends within a month.
    pub(crate) fn ends_soon(self, now: Timestamp) -> bool {
        matches!(self, Self::Until(at) if at.as_micros().saturating_sub(now.as_micros()) <= 30 * DAY)
    }
}

/// An expiry with how far away it is.
pub(crate) fn expiry(now: Timestamp, at: Option<Timestamp>) -> String {
    match at {
        None => "never".to_owned(),
        Some(at) if at <= now => format!("{}, passed {}", to_the_second(at), ago(now, at)),
        Some(at) => format!("{}, in {}", to_the_second(at), length(at.as_micros().saturating_sub(now.as_micros()))),
    }
}

fn length(micros: i64) -> String {
    let units = [(DAY, 2 * DAY, "day"), (HOUR, 2 * HOUR, "hour"), (MINUTE, MINUTE, "minute")];
    match units.iter().find(|(_, from, _)| micros >= *from) {
        None => "less than a minute".to_owned(),
        Some((unit, ..)) if micros / unit == 1 => format!("1 {}", units[2].2),
        Some((unit, _, name)) => format!("{} {name}s", micros / unit),
    }
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

#[cfg(test)]
mod tests {
    use secretkit::Expiry;

    use super::*;

    /// 2026-11-21T00:00:00Z.
    const NOW: Timestamp = Timestamp::from_micros(1_795_219_200_000_000);

    #[test]
    fn a_distance_is_told_in_the_largest_unit_that_says_enough() {
        let before = |micros: i64| ago(NOW, Timestamp::from_micros(NOW.as_micros() - micros));
        assert_eq!(before(0), "less than a minute ago");
        assert_eq!(before(MINUTE), "1 minute ago");
        assert_eq!(before(2 * HOUR - 1), "119 minutes ago");
        assert_eq!(before(2 * HOUR), "2 hours ago");
        assert_eq!(before(2 * DAY - 1), "47 hours ago");
        assert_eq!(before(90 * DAY), "90 days ago");
        assert_eq!(before(-DAY), "at 2026-11-22T00:00:00Z");
        assert!(ago(NOW, Timestamp::from_micros(i64::MIN)).starts_with("at "), "a row may hold any integer");
    }

    #[test]
    fn an_expiry_shows_the_last_day_that_was_meant() {
        let at = "2027-01-31".parse::<Expiry>().unwrap().at(NOW).unwrap();
        assert_eq!(State::Until(at).brief(), "until 2027-01-31");
        assert_eq!(expiry(NOW, Some(at)), "2027-02-01T00:00:00Z, in 72 days");
        assert_eq!(expiry(at, Some(at)), "2027-02-01T00:00:00Z, passed less than a minute ago");
        assert!(
            !State::Until(at).ends_soon(NOW)
                && State::Until(at).ends_soon(Timestamp::from_micros(at.as_micros() - DAY))
        );
    }
}
