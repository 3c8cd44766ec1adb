//! What a look at a store from outside found, for people.

use std::fmt;

/// How safe something is, in the words of `systemd-creds`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between the two ends but the middle")]
pub enum Rating {
    /// Nothing to do.
    Secure,
    /// It works, and could be safer.
    Weak,
    /// Somebody else may read or change what nobody should, or it does not work at all.
    Insecure,
}

impl Rating {
    /// As people and programs read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Weak => "weak",
            Self::Insecure => "insecure",
        }
    }
}

impl fmt::Display for Rating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was looked at, in plain words. No value, no password and no name of a secret is in it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoreCheck {
    /// What was looked at, in a word or two that stay the same.
    pub check: &'static str,
    /// How safe it is.
    pub rating: Rating,
    /// What was found.
    pub finding: String,
    /// What to do, where something is to be done.
    pub advice: Option<String>,
}

impl StoreCheck {
    /// Where there is nothing to do.
    #[must_use]
    pub fn secure(check: &'static str, finding: impl Into<String>) -> Self {
        Self { check, rating: Rating::Secure, finding: finding.into(), advice: None }
    }

    /// What works and could be safer, and how.
    #[must_use]
    pub fn weak(check: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, rating: Rating::Weak, finding: finding.into(), advice: Some(advice.into()) }
    }

    /// What cannot stay as it is, and what to do.
    #[must_use]
    pub fn insecure(check: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, rating: Rating::Insecure, finding: finding.into(), advice: Some(advice.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_says_how_safe_it_is_and_what_to_do_where_something_is() {
        let checks = [
            StoreCheck::secure("mode", "only you"),
            StoreCheck::weak("mode", "others", "chmod"),
            StoreCheck::insecure("mode", "others", "chmod"),
        ];
        let told = checks.map(|check| (check.rating.to_string(), check.check, check.finding, check.advice));
        let advice = Some("chmod".to_owned());
        assert_eq!(told[0], ("secure".to_owned(), "mode", "only you".to_owned(), None));
        assert_eq!(told[1], ("weak".to_owned(), "mode", "others".to_owned(), advice.clone()));
        assert_eq!(told[2], ("insecure".to_owned(), "mode", "others".to_owned(), advice));
        assert!(Rating::Secure < Rating::Weak && Rating::Weak < Rating::Insecure);
    }
}
