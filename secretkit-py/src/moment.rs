//! Points in time as Python gives them: an aware datetime, a date, a timedelta, or the text that the command takes.

use std::str::FromStr;

use pyo3::prelude::*;
use pyo3::types::PyString;
use secretkit::{Error, Expiry, Fault, Span, Timestamp};

use crate::error::Result;
use crate::keywords::wrong;
use crate::text;

/// A point in time, or one that is counted from now.
#[derive(Clone, Copy)]
pub(crate) enum Moment {
    At(Timestamp),
    /// As the command takes it.
    Written(Expiry),
    /// So many microseconds from now.
    In(i64),
    /// So many microseconds before now.
    Ago(i64),
}

impl Moment {
    /// From when on something is over. A date lasts to its end, UTC.
    pub(crate) fn end(field: &'static str, value: &Bound<'_, PyAny>) -> Result<Self> {
        match Given::of(field, value)? {
            Given::Text(text) => Ok(Self::Written(Expiry::from_str(&text)?)),
            Given::Date(date) => Ok(Self::Written(Expiry::from_str(&date)?)),
            Given::Time(micros) => Ok(Self::At(Timestamp::from_micros(micros))),
            Given::Span(micros) => Ok(Self::In(micros)),
        }
    }

    /// Since when something is so. A date counts from its beginning, UTC, and a span back from now.
    pub(crate) fn since(field: &'static str, value: &Bound<'_, PyAny>) -> Result<Self> {
        match Given::of(field, value)? {
            Given::Text(text) => Ok(Self::Ago(text.parse::<Span>()?.as_micros())),
            Given::Date(date) => Ok(Self::Written(Expiry::from_str(&format!("{date}T00:00:00Z"))?)),
            Given::Time(micros) => Ok(Self::At(Timestamp::from_micros(micros))),
            Given::Span(micros) => Ok(Self::Ago(micros)),
        }
    }

    pub(crate) fn at(self, field: &'static str, now: Timestamp) -> secretkit::Result<Timestamp> {
        let counted = |micros: Option<i64>| {
            micros
                .filter(|micros| jiff::Timestamp::from_microsecond(*micros).is_ok())
                .map(Timestamp::from_micros)
                .ok_or(Error::InvalidMetadata { field, fault: BEYOND })
        };
        match self {
            Self::At(at) => Ok(at),
            Self::Written(expiry) => expiry.at(now),
            Self::In(micros) => counted(now.as_micros().checked_add(micros)),
            Self::Ago(micros) => counted(now.as_micros().checked_sub(micros)),
        }
    }
}

enum Given {
    Text(String),
    /// As `2027-01-31`.
    Date(String),
    /// Microseconds since 1970.
    Time(i64),
    /// Microseconds.
    Span(i64),
}

impl Given {
    fn of(field: &'static str, value: &Bound<'_, PyAny>) -> Result<Self> {
        if let Ok(given) = value.cast::<PyString>() {
            return Ok(Self::Text(text::field(field, given)?.to_owned()));
        }
        // A slow import, which whoever has such an object has made already.
        let datetime = value.py().import("datetime")?;
        let micros = |span: &Bound<'_, PyAny>| {
            let unit = datetime.getattr("timedelta")?.call1((0, 0, 1))?;
            // Ten thousand years fit into an i64 of them, and a span of Python's goes much further.
            span.floor_div(unit)?.extract::<i64>()
        };
        let beyond = |_| Error::InvalidMetadata { field, fault: BEYOND };
        if value.is_instance(&datetime.getattr("timedelta")?)? {
            return Ok(Self::Span(micros(value).map_err(beyond)?));
        }
        if value.is_instance(&datetime.getattr("datetime")?)? {
            if value.call_method0("utcoffset")?.is_none() {
                return Err(Error::InvalidMetadata { field, fault: NAIVE }.into());
            }
            let utc = datetime.getattr("timezone")?.getattr("utc")?;
            let epoch = datetime.getattr("datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, utc))?;
            return Ok(Self::Time(micros(&value.sub(epoch)?).map_err(beyond)?));
        }
        if value.is_instance(&datetime.getattr("date")?)? {
            let part = |name: &str| value.getattr(name)?.extract::<u32>();
            return Ok(Self::Date(format!("{:04}-{:02}-{:02}", part("year")?, part("month")?, part("day")?)));
        }
        Err(wrong(field, "a datetime, a date, a timedelta or a text such as 90d", value)?.into())
    }
}

const NAIVE: Fault = Fault::Shape(
    "this datetime does not say in which time zone it is; give it a tzinfo, such as datetime.timezone.utc",
);
const BEYOND: Fault = Fault::Shape("it lies beyond the calendar");
