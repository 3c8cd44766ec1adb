//! What a ciphertext is bound to: only what never changes while the record lives.

use super::canonical::Canonical;
use crate::id::{SecretId, StableId};
use crate::part::Part;
use crate::record::Revision;

/// The 16 random bytes that a store is born with, so that no row can move to another store.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct StoreId([u8; 16]);

impl StoreId {
    /// A new one.
    ///
    /// # Errors
    /// [`Error::NoRandomness`](crate::Error::NoRandomness).
    pub fn generate() -> crate::Result<Self> {
        super::primitives::random().map(Self)
    }

    /// From the bytes a store keeps.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes a store keeps.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What a record is for. A record of one purpose never opens as another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Purpose {
    /// A secret's value.
    Value = 1,
    /// An org's wrapping key, sealed by a root key.
    WrappedKey = 2,
    /// An org's keyset, sealed by its wrapping key.
    Keyset = 3,
}

/// Every field of the canonical context, for every purpose.
pub(crate) struct Context<'a> {
    pub(crate) store: &'a StoreId,
    pub(crate) purpose: Purpose,
    pub(crate) org: &'a Part,
    pub(crate) project: Option<&'a Part>,
    pub(crate) domain: Option<&'a Part>,
    pub(crate) group: Option<&'a Part>,
    pub(crate) key: Option<&'a Part>,
    pub(crate) secret: Option<&'a StableId>,
    /// The revision of a value, the version of a keyring.
    pub(crate) number: u64,
}

impl<'a> Context<'a> {
    pub(crate) const fn value(store: &'a StoreId, id: &'a SecretId, secret: &'a StableId, revision: Revision) -> Self {
        Self {
            store,
            purpose: Purpose::Value,
            org: id.org(),
            project: id.scope().project(),
            domain: id.scope().domain(),
            group: id.name().group(),
            key: Some(id.name().key()),
            secret: Some(secret),
            number: revision.number(),
        }
    }

    pub(crate) const fn keyring(store: &'a StoreId, purpose: Purpose, org: &'a Part, version: u64) -> Self {
        let (project, domain, group, key, secret) = (None, None, None, None, None);
        Self { store, purpose, org, project, domain, group, key, secret, number: version }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Self { store, purpose, org, project, domain, group, key, secret, number } = self;
        Canonical::new(b"secretkit/ctx/1\0")
            .bytes(1, store.as_bytes())
            .bytes(2, &[*purpose as u8])
            .text(3, org.as_str())
            .optional(4, project.map(part_bytes))
            .optional(5, domain.map(part_bytes))
            .optional(6, group.map(part_bytes))
            .optional(7, key.map(part_bytes))
            .optional(8, secret.map(|id| &id.as_bytes()[..]))
            .integer(9, *number)
            .finish()
    }
}

/// The bytes of a part as every canonical encoding has them.
pub(crate) fn part_bytes(part: &Part) -> &[u8] {
    part.as_str().as_bytes()
}
