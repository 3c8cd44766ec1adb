//! Who uses a secret: consumers, which block its deletion, and its last use, which is only remembered.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Fault, Result};
use crate::head::Stamp;
use crate::id::StableId;
use crate::part::Part;
use crate::people::checked_text;
use crate::record::SecretInfo;
use crate::seal::canonical::Canonical;
use crate::seal::{Mac, OrgKeys};

/// A named thing that uses a secret and so blocks its deletion: 1 to 256 bytes of text without control characters,
/// such as `payroll.jobs:nightly`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Consumer(Arc<str>);

impl Consumer {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Consumer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::InvalidMetadata { field: "consumer", fault: Fault::Empty });
        }
        checked_text("consumer", text, Self::MAX_BYTES)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A consumer of a secret as a store keeps it.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "this is the row; a store must not miss a new column")]
pub struct ConsumerRecord {
    /// The secret.
    pub secret: StableId,
    /// The consumer; one row for each secret and name.
    pub name: Consumer,
    /// When it was last seen, and who said so.
    pub seen: Stamp,
    /// The authenticator over all of these.
    pub mac: Mac,
}

/// The last use of a secret as a store keeps it.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "this is the row; a store must not miss a new column")]
pub struct UsageRecord {
    /// The secret; one row for each.
    pub secret: StableId,
    /// When its value was last delivered, and to whom.
    pub used: Stamp,
    /// The authenticator over both.
    pub mac: Mac,
}

/// A consumer of a secret that was checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// Its name.
    pub name: Consumer,
    /// When it was last seen, and who said so.
    pub seen: Stamp,
}

impl ConsumerRecord {
    pub(crate) fn new(org: &Part, secret: StableId, name: Consumer, seen: Stamp, keys: &OrgKeys) -> Result<Self> {
        let mac = keys.authenticate(&canonical_consumer(keys, org, secret, &name, &seen))?;
        Ok(Self { secret, name, seen, mac })
    }

    /// # Errors
    /// [`Error::Corrupt`], [`Error::UnknownKey`].
    pub(crate) fn verify(&self, info: &SecretInfo, keys: &OrgKeys) -> Result<ConsumerInfo> {
        let Self { secret, name, seen, mac } = self;
        let canonical = canonical_consumer(keys, info.address.org(), info.id, name, seen);
        if *secret != info.id || !keys.is_authentic(mac, &canonical)? {
            return Err(Error::corrupt(&format!("a consumer of {}", info.address)));
        }
        Ok(ConsumerInfo { name: name.clone(), seen: seen.clone() })
    }
}

impl UsageRecord {
    pub(crate) fn new(org: &Part, secret: StableId, used: Stamp, keys: &OrgKeys) -> Result<Self> {
        let mac = keys.authenticate(&canonical_usage(keys, org, secret, &used))?;
        Ok(Self { secret, used, mac })
    }

    /// # Errors
    /// [`Error::Corrupt`], [`Error::UnknownKey`].
    pub(crate) fn verify(&self, info: &SecretInfo, keys: &OrgKeys) -> Result<Stamp> {
        let Self { secret, used, mac } = self;
        if *secret != info.id || !keys.is_authentic(mac, &canonical_usage(keys, info.address.org(), info.id, used))? {
            return Err(Error::corrupt(&format!("the last use of {}", info.address)));
        }
        Ok(used.clone())
    }
}

fn canonical_consumer(keys: &OrgKeys, org: &Part, secret: StableId, name: &Consumer, seen: &Stamp) -> Vec<u8> {
    Canonical::new(b"secretkit/consumer/1\0")
        .bytes(1, keys.store().as_bytes())
        .bytes(2, secret.as_bytes())
        .text(3, org.as_str())
        .text(4, name.as_str())
        .stamp(5, seen)
        .finish()
}

fn canonical_usage(keys: &OrgKeys, org: &Part, secret: StableId, used: &Stamp) -> Vec<u8> {
    Canonical::new(b"secretkit/usage/1\0")
        .bytes(1, keys.store().as_bytes())
        .bytes(2, secret.as_bytes())
        .text(3, org.as_str())
        .stamp(4, used)
        .finish()
}
