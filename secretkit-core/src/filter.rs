//! Which secrets a listing shows, by what people keep about them.

use std::ops::RangeInclusive;

use crate::error::{Error, Fault, Result};
use crate::head::Head;
use crate::time::Timestamp;

/// Which secrets a listing shows: those that meet every condition. The default shows all.
///
/// A store may leave the rest out by any means of its own, as long as it shows exactly those that
/// [`matches`](Self::matches) says; what it returns is checked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store must not miss a condition")]
pub struct Filter {
    /// Those in whose name, description or one of whose tags this text stands.
    pub search: Option<Search>,
    /// Those that have each of these tags.
    pub tags: Vec<Box<str>>,
    /// Those that have an expiry in this range.
    pub expires: Option<RangeInclusive<Timestamp>>,
    /// Those that are active, or those that are not.
    pub activity: Option<Activity>,
}

/// Whether a secret is switched on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third state")]
pub enum Activity {
    /// It is.
    Active,
    /// It is switched off.
    Inactive,
}

/// A text to search for, taken literally. ASCII letters match in either case; all other bytes match themselves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Search(Box<[u8]>);

impl Search {
    /// The longest text to search for, in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Searches for this text.
    ///
    /// # Errors
    /// [`Error::InvalidMetadata`] where it is empty or longer than anything that it could stand in.
    pub fn parse(text: &str) -> Result<Self> {
        let fault = match text.len() {
            0 => Fault::Empty,
            length @ ..=Self::MAX_BYTES => {
                debug_assert!(length > 0);
                return Ok(Self(text.to_ascii_lowercase().into_bytes().into()));
            }
            length => Fault::TooLong { length, limit: Self::MAX_BYTES },
        };
        Err(Error::InvalidMetadata { field: "search text", fault })
    }

    /// The text, its ASCII letters in lower case.
    #[must_use]
    pub fn as_lowercase(&self) -> &[u8] {
        &self.0
    }

    /// Whether it stands in this text.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_first() else { return true };
        let text = text.as_bytes();
        let last = text.len().checked_sub(self.0.len());
        last.is_some_and(|last| {
            text[..=last].iter().enumerate().any(|(at, byte)| {
                byte.to_ascii_lowercase() == *first && text[at + 1..][..rest.len()].eq_ignore_ascii_case(rest)
            })
        })
    }
}

impl Filter {
    /// Whether a secret with this head is to be shown.
    #[must_use]
    pub fn matches(&self, head: &Head) -> bool {
        let Self { search, tags, expires, activity } = self;
        let metadata = &head.metadata;
        tags.iter().all(|tag| metadata.tags.contains(tag))
            && expires.as_ref().is_none_or(|range| metadata.expires_at.is_some_and(|at| range.contains(&at)))
            && activity.is_none_or(|activity| (activity == Activity::Active) == metadata.is_active())
            && search.as_ref().is_none_or(|search| search.finds(head))
    }
}

impl Search {
    fn finds(&self, head: &Head) -> bool {
        let name = head.address.name();
        let in_name = match name.group() {
            None => self.is_in(name.key().as_str()),
            // As it is printed, with the slash.
            Some(_) => self.is_in(&name.to_string()),
        };
        let metadata = &head.metadata;
        in_name
            || metadata.description.as_ref().is_some_and(|text| self.is_in(text.as_str()))
            || metadata.tags.iter().any(|tag| self.is_in(tag))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_search_is_literal_and_folds_ascii_only() {
        let is_in = |needle: &str, text: &str| Search::parse(needle).unwrap().is_in(text);
        assert!(is_in("PASS", "db/password") && is_in("db/p", "DB/Password") && is_in("word", "password"));
        assert!(!is_in(".*", "password") && !is_in("p%d", "pad") && !is_in("p_d", "pad") && is_in("%", "100 %"));
        assert!(is_in("ä", "Präfix") && !is_in("Ä", "Präfix"), "only ASCII letters match in either case");
        assert!(!is_in("passwords", "password"));
        assert!(Search::parse("").is_err() && Search::parse(&"x".repeat(1025)).is_err());
    }

    proptest! {
        #[test]
        fn a_search_finds_what_a_plain_one_finds(needle in "[a-cA-C%ä]{1,3}", text in "[a-cA-C%ä]{0,8}") {
            let plain = text.to_ascii_lowercase().contains(&needle.to_ascii_lowercase());
            prop_assert_eq!(Search::parse(&needle).unwrap().is_in(&text), plain);
        }
    }
}
