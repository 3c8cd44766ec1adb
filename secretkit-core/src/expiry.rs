//! Expiries and spans as people write them.

use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::error::{Error, Fault, Result};
use crate::time::Timestamp;

/// An expiry as people write it: a date, a point in time, or a [`Span`] from now.
///
/// - `2027-01-31` lasts to the end of that day, UTC.
/// - `2027-01-31T18:00:00Z` or with another offset (RFC 3339).
/// - `90d`, see [`Span`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expiry(Form);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    At(Timestamp),
    In(Span),
}

impl Expiry {
    /// From when on the secret may not be read any more, if this is written `now`.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] where it lies beyond the calendar.
    pub fn at(self, now: Timestamp) -> Result<Timestamp> {
        match self.0 {
            Form::At(at) => Ok(at),
            Form::In(span) => now.checked_add(span).ok_or_else(|| invalid("expiry", "it lies beyond the calendar")),
        }
    }
}

impl FromStr for Expiry {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // A date alone also reads as a point in time to some parsers: it is tried first, and means the whole day.
        if let Ok(date) = text.parse::<Date>()
            && text.len() == "2027-01-31".len()
        {
            let after = date.tomorrow().and_then(|next| next.to_zoned(TimeZone::UTC));
            let after = after.map_err(|_| invalid("expiry", "it lies beyond the calendar"))?;
            return Ok(Self(Form::At(Timestamp::from_micros(after.timestamp().as_microsecond()))));
        }
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(Form::At(Timestamp::from_micros(time.as_microsecond()))));
        }
        if let Ok(span) = text.parse::<Span>() {
            return Ok(Self(Form::In(span)));
        }
        Err(invalid(
            "expiry",
            "write a date such as 2027-01-31, a time such as 2027-01-31T18:00:00Z, or a span such as 90d",
        ))
    }
}

/// A length of time as people write it: a whole number of minutes, hours, days or weeks, such as `30m`, `12h`, `90d`
/// or `4w`. At most a thousand years.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    micros: i64,
}

impl Span {
    /// Its length in microseconds.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.micros
    }
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const MINUTE: i64 = 60 * 1_000_000;
        const LONGEST: i64 = 1000 * 366 * 24 * 60 * MINUTE;
        let units = [('m', MINUTE), ('h', 60 * MINUTE), ('d', 24 * 60 * MINUTE), ('w', 7 * 24 * 60 * MINUTE)];
        let parsed = units.iter().find_map(|(unit, micros)| {
            let digits = text.strip_suffix(*unit)?;
            let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok())??;
            number.checked_mul(*micros).filter(|length| (1..=LONGEST).contains(length))
        });
        let micros =
            parsed.ok_or_else(|| invalid("span", "write a number with m, h, d or w, such as 30m, 12h, 90d or 4w"))?;
        Ok(Self { micros })
    }
}

fn invalid(field: &'static str, words: &'static str) -> Error {
    Error::InvalidMetadata { field, fault: Fault::Shape(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T00:00:00Z.
    const NOW: Timestamp = Timestamp::from_micros(1_795_219_200_000_000);

    #[test]
    fn a_date_lasts_to_its_end_and_a_span_begins_now() {
        let expiry = |text: &str| text.parse::<Expiry>().and_then(|expiry| expiry.at(NOW)).map(|at| at.to_string());
        assert_eq!(NOW.to_string(), "2026-11-21T00:00:00Z");
        for (text, at) in [
            ("2027-01-31", "2027-02-01T00:00:00Z"),
            ("2027-12-31", "2028-01-01T00:00:00Z"),
            ("2028-02-28", "2028-02-29T00:00:00Z"),
            ("2027-01-31T18:00:00Z", "2027-01-31T18:00:00Z"),
            ("2027-01-31T18:00:00+02:00", "2027-01-31T16:00:00Z"),
            ("90d", "2027-02-19T00:00:00Z"),
            ("1w", "2026-11-28T00:00:00Z"),
            ("12h", "2026-11-21T12:00:00Z"),
            ("30m", "2026-11-21T00:30:00Z"),
        ] {
            assert_eq!(expiry(text).unwrap(), at, "{text}");
        }
    }

    #[test]
    fn a_span_is_its_number_of_units_and_at_most_a_thousand_years() {
        let micros = |text: &str| text.parse::<Span>().map(Span::as_micros).ok();
        for (text, minutes) in [("1m", 1), ("3h", 180), ("1d", 1_440), ("2w", 20_160), ("366000d", 527_040_000)] {
            assert_eq!(micros(text), Some(minutes * 60_000_000), "{text}");
        }
        for text in ["0m", "366001d", "527040001m", "52286w"] {
            assert_eq!(micros(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_else_is_an_expiry() {
        for text in [
            "",
            " ",
            "90",
            "d",
            "0d",
            "-1d",
            "+1d",
            "1.5d",
            "90D",
            "90 d",
            "1y",
            "1mo",
            "90d ",
            "9999999999999999999d",
            "400000d",
            "2027-02-30",
            "2027-1-31",
            "31.01.2027",
            "2027-01-31T18:00:00",
            "2027-01-31 ",
            "tomorrow",
            "never",
            "20270131",
            "9999-12-31",
            "12d12h",
        ] {
            let parsed = text.parse::<Expiry>().and_then(|expiry| expiry.at(NOW));
            assert!(matches!(parsed, Err(Error::InvalidMetadata { .. })), "{text}: {parsed:?}");
        }
    }
}
