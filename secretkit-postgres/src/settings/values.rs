//! Values as people write them.

use std::time::Duration;

use secretkit_core::Result;

use super::{Given, Keyword, wrong};

/// A number in a range.
pub(super) fn number(given: &Given, keyword: Keyword, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>> {
    let Some(text) = given.get(keyword) else { return Ok(None) };
    match text.trim().parse() {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => Err(wrong(keyword, &format!("is a number from {} to {}", range.start(), range.end()))),
    }
}

/// Seconds, as libpq counts; 0 and less is for ever, and so is no time at all.
pub(super) fn seconds(given: &Given, keyword: Keyword) -> Result<Option<Duration>> {
    let number = number(given, keyword, -1..=86_400)?;
    Ok(number.and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0).map(Duration::from_secs))
}

/// A time as the server's settings are written: milliseconds, or with a unit.
pub(super) fn time(given: &Given, keyword: Keyword, default: Duration) -> Result<Duration> {
    let Some(text) = given.get(keyword) else { return Ok(default) };
    let text = text.trim();
    let digits = text.trim_end_matches(|sign: char| !sign.is_ascii_digit());
    let unit = match text.get(digits.len()..).map(str::trim) {
        Some("" | "ms") => Some(1),
        Some("s") => Some(1_000),
        Some("min") => Some(60_000),
        _ => None,
    };
    let milliseconds = unit.and_then(|unit| digits.parse::<u64>().ok()?.checked_mul(unit));
    match milliseconds {
        Some(milliseconds @ 1..=86_400_000) => Ok(Duration::from_millis(milliseconds)),
        _ => Err(wrong(keyword, "is a time such as 500ms, 5s or 1min, up to a day")),
    }
}

/// One of these words.
pub(super) fn word<T: Copy>(given: &Given, keyword: Keyword, words: &[(&str, T)], default: T) -> Result<T> {
    let Some(text) = given.get(keyword) else { return Ok(default) };
    let found = words.iter().find(|(word, _)| *word == text);
    let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    found.map(|(_, meaning)| *meaning).ok_or_else(|| wrong(keyword, &format!("is one of {}", all.join(", "))))
}

/// The schema that the server's options name first on the search path, if they name one.
pub(super) fn searched(options: &str) -> Result<Option<String>> {
    let mut found = None;
    let mut words = options.split_ascii_whitespace();
    while let Some(word) = words.next() {
        let setting = match word {
            "-c" => words.next(),
            _ => word.strip_prefix("-c").or_else(|| word.strip_prefix("--")),
        };
        let Some((name, value)) = setting.and_then(|setting| setting.split_once('=')) else { continue };
        if name.replace('-', "_") == "search_path" {
            let plain = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
            if value.is_empty() || !value.chars().all(plain) {
                let what = "have a search path that is not one plain name; say schema= instead";
                return Err(wrong(Keyword::Options, what));
            }
            found = Some(value.to_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn given(keyword: Keyword, value: &str) -> Given {
        let mut given = Given::default();
        given.set_unless_empty(keyword, Zeroizing::new(value.to_owned())).unwrap();
        given
    }

    #[test]
    fn times_have_units() {
        let read = |text| time(&given(Keyword::LockTimeout, text), Keyword::LockTimeout, Duration::ZERO);
        for (text, milliseconds) in [("1", 1), ("250ms", 250), ("5s", 5_000), ("2 min", 120_000)] {
            assert_eq!(read(text).unwrap(), Duration::from_millis(milliseconds), "{text}");
        }
        for text in ["0", "-1", "5 hours", "s", "1.5s", "9999999min"] {
            assert!(read(text).unwrap_err().to_string().contains("lock_timeout"), "{text}");
        }
    }

    #[test]
    fn the_search_path_of_options_is_one_plain_name() {
        for options in
            ["-c search_path=team", "-csearch_path=team -c jit=off", "--search-path=team", "-x --search_path=team"]
        {
            assert_eq!(searched(options).unwrap().as_deref(), Some("team"), "{options}");
        }
        assert_eq!(searched("-c jit=off").unwrap(), None);
        for options in ["-c search_path=a,b", "-c search_path=\"A\"", "-c search_path="] {
            assert!(searched(options).unwrap_err().to_string().contains("schema="), "{options}");
        }
    }
}
