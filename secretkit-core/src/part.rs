//! One part of an address: the name of an org, project, domain, group or key.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Fault, Result};

/// One part of an address.
///
/// A `Part` maintains the following invariants:
/// - it is 1 to 128 bytes of ASCII: `[A-Za-z0-9_][A-Za-z0-9_.-]*`,
/// - it holds no `..`,
/// - it is compared byte by byte: nothing is folded, trimmed or normalised, anywhere, ever.
///
/// So it is safe as a file name, needs no quoting in a URL or a shell, and two parts that look the same are the same.
/// There is no empty part: a project, domain or group that is absent is `None`.
///
/// ```
/// use secretkit_core::{Part, PartKind};
///
/// assert!(Part::parse(PartKind::Key, "db-password.v2").is_ok());
/// for hostile in ["", "..", "a..b", ".hidden", "-rf", "a/b", "a b", "a\n", "ｆull", "K\u{212a}"] {
///     assert!(Part::parse(PartKind::Key, hostile).is_err());
/// }
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Part(Arc<str>);

/// What a [`Part`] is the name of; errors say it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an address has these five parts and gets no more")]
pub enum PartKind {
    /// The organization, always there.
    Org,
    /// The project.
    Project,
    /// The domain: development, staging, production.
    Domain,
    /// The group before a key.
    Group,
    /// The key itself.
    Key,
}

impl Part {
    /// The longest part, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The only constructor.
    ///
    /// # Errors
    /// [`Error::InvalidName`] with the place of the first fault; never with the text.
    pub fn parse(part: PartKind, text: &str) -> Result<Self> {
        match fault_in(text) {
            Some(fault) => Err(Error::InvalidName { part, fault }),
            None => Ok(Self(text.into())),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn fault_in(text: &str) -> Option<Fault> {
    if text.is_empty() {
        return Some(Fault::Empty);
    }
    if text.len() > Part::MAX_BYTES {
        return Some(Fault::TooLong { length: text.len(), limit: Part::MAX_BYTES });
    }
    let bytes = text.as_bytes();
    let misplaced = bytes.iter().enumerate().find(|&(at, &byte)| {
        let anywhere = byte.is_ascii_alphanumeric() || byte == b'_';
        !(anywhere || at > 0 && matches!(byte, b'.' | b'-'))
    });
    if let Some((at, _)) = misplaced {
        return Some(Fault::Character { at });
    }
    bytes.windows(2).position(|pair| pair == b"..").map(|at| Fault::DotDot { at })
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::fmt::Display for PartKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Org => "org",
            Self::Project => "project",
            Self::Domain => "domain",
            Self::Group => "secret group",
            Self::Key => "secret name",
        })
    }
}

/// Text forms are parsed where they enter, by the type that knows which part it is; this lets `serde` do the same.
macro_rules! deserialize_from_text {
    ($type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use deserialize_from_text;

/// As a key, which has the same rules as every other part.
impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(PartKind::Key, &text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_which_part_it_is() {
        use PartKind::{Domain, Group, Key, Org, Project};
        let words = ["org", "project", "domain", "secret group", "secret name"];
        for (kind, word) in [Org, Project, Domain, Group, Key].into_iter().zip(words) {
            let told = Part::parse(kind, "a b").unwrap_err().to_string();
            assert_eq!(kind.to_string(), word);
            assert!(told.contains(word), "{told}");
        }
    }
}
