//! What a secret is called: its name, its absolute address and its stable id.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::error::{Error, Fault, Result};
use crate::part::{Part, PartKind, deserialize_from_text};
use crate::scope::Scope;
use crate::time::Timestamp;

/// A secret's name within a scope: a key, or a group and a key, printed `group/key`.
///
/// `a/b` is group `a` with key `b`; there is no deeper nesting, and nothing joins the two in a store.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SecretName {
    group: Option<Part>,
    key: Part,
}

impl SecretName {
    /// The name of these parts.
    #[must_use]
    pub const fn new(group: Option<Part>, key: Part) -> Self {
        Self { group, key }
    }

    /// From the two parts as text; absent is `None`, and an empty text is refused.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for the first part that is no [`Part`].
    pub fn from_parts(group: Option<&str>, key: &str) -> Result<Self> {
        Ok(Self {
            group: group.map(|text| Part::parse(PartKind::Group, text)).transpose()?,
            key: Part::parse(PartKind::Key, key)?,
        })
    }

    /// The group, if the name has one.
    #[must_use]
    pub const fn group(&self) -> Option<&Part> {
        self.group.as_ref()
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &Part {
        &self.key
    }
}

impl FromStr for SecretName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('/') {
            Some((group, key)) => Self::from_parts(Some(group), key),
            None => Self::from_parts(None, text),
        }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.group {
            Some(group) => write!(f, "{group}/{}", self.key),
            None => write!(f, "{}", self.key),
        }
    }
}

impl fmt::Debug for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretName({self})")
    }
}

impl Serialize for SecretName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

deserialize_from_text!(SecretName);

/// The absolute address of a secret: its scope and its name, printed `scope:name` (`acme/etl:db/password`).
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SecretId {
    scope: Scope,
    name: SecretName,
}

impl SecretId {
    /// The address of this name at this scope.
    #[must_use]
    pub const fn new(scope: Scope, name: SecretName) -> Self {
        Self { scope, name }
    }

    /// The scope.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &SecretName {
        &self.name
    }

    /// The org, which every key and every row belongs to.
    #[must_use]
    pub const fn org(&self) -> &Part {
        self.scope.org()
    }

    /// The addresses at which a task at `scope` finds `name`, nearest first. See [`Scope::chain`].
    pub fn chain(scope: &Scope, name: &SecretName) -> impl Iterator<Item = Self> {
        scope.chain().map(|scope| Self::new(scope, name.clone()))
    }
}

impl FromStr for SecretId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (scope, name) = text
            .split_once(':')
            .ok_or(Error::InvalidScope { fault: Fault::Shape("an address is written scope:name") })?;
        Ok(Self { scope: scope.parse()?, name: name.parse()? })
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scope, self.name)
    }
}

impl fmt::Debug for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretId({self})")
    }
}

impl Serialize for SecretId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

deserialize_from_text!(SecretId);

/// What stays the same while a secret lives: a UUID of version 7 (RFC 9562), new for each creation.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct StableId(Uuid);

impl StableId {
    /// A new id: the milliseconds of `now`, then random bytes.
    pub(crate) fn generate(now: Timestamp, random: &[u8; 10]) -> Self {
        let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
    }

    /// From the 16 bytes a store keeps.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes a store keeps, in network order.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl FromStr for StableId {
    type Err = Error;

    /// From the hyphenated form that `show` and `list` print, in either case.
    fn from_str(text: &str) -> Result<Self> {
        let hyphenated = text.len() == 36;
        match Uuid::try_parse(text) {
            Ok(id) if hyphenated => Ok(Self(id)),
            _ => Err(Error::InvalidMetadata {
                field: "id",
                fault: Fault::Shape(
                    "an id is a UUID such as 0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f, as `list` prints it",
                ),
            }),
        }
    }
}

impl fmt::Display for StableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for StableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StableId({})", self.0)
    }
}

deserialize_from_text!(StableId);

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9562, section 5.7: 48 bits of milliseconds, the version, 12 bits, the variant, 62 bits.
    #[test]
    fn a_stable_id_begins_with_its_milliseconds_and_goes_on_with_the_random_bytes() {
        let id = |micros: i64| StableId::generate(Timestamp::from_micros(micros), &[0xff; 10]).to_string();
        assert_eq!(id(0x0192_f0c1_7a2b * 1_000 + 999), "0192f0c1-7a2b-7fff-bfff-ffffffffffff");
        assert_eq!(id(1_000), "00000000-0001-7fff-bfff-ffffffffffff");
        assert_eq!(id(-1_000), "00000000-0000-7fff-bfff-ffffffffffff", "before 1970 there is none");
    }

    #[test]
    fn a_stable_id_returns_from_its_hyphenated_form_and_from_no_other() {
        let text = "0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f";
        let id: StableId = text.parse().unwrap();
        assert_eq!((id.to_string(), format!("{id:?}")), (text.to_owned(), format!("StableId({text})")));
        assert_eq!(StableId::from_bytes(*id.as_bytes()), id);
        assert_eq!(text.to_uppercase().parse::<StableId>().unwrap(), id);
        let simple = text.replace('-', "");
        for other in [&simple, &format!("{{{text}}}"), &format!("urn:uuid:{text}"), &text.replace('a', "g"), ""] {
            assert!(other.parse::<StableId>().is_err(), "{other}");
        }
    }
}
