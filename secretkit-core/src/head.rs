//! Everything about a secret that can change but its value, authenticated as a whole.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::id::{SecretId, StableId};
use crate::metadata::Metadata;
use crate::people::Actor;
use crate::record::{Generation, Revision};
use crate::seal::canonical::Canonical;
use crate::seal::{Commitment, Mac, OrgKeys, StoreId, part_bytes};
use crate::time::Timestamp;

/// When something happened, and who did it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "two columns of a row; a store must not miss a new one")]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
}

/// Everything about a secret that can change but its value: the columns of its row.
///
/// As a store returns it, a head is only a claim. [`SecretInfo`](crate::SecretInfo) is one that was checked.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "these are the columns; a store must not miss a new one")]
pub struct Head {
    /// What stays the same while the secret lives.
    pub id: StableId,
    /// Where it lives and what it is called.
    pub address: SecretId,
    /// Counts every change of this head.
    pub generation: Generation,
    /// Counts the secret's values; this is the current one.
    pub revision: Revision,
    /// The oldest revision that is kept.
    pub first_revision: Revision,
    /// How many superseded values to keep; `None` is the store's default.
    pub keep: Option<u32>,
    /// What people keep about it.
    pub metadata: Metadata,
    /// When it was created.
    pub created: Stamp,
    /// When its value or metadata last changed.
    pub updated: Stamp,
    /// When its value last changed.
    pub valued: Stamp,
    /// Fingerprint of the current value.
    pub digest: Digest,
}

impl Head {
    /// Authenticates this head together with the current record.
    pub(crate) fn sign(&self, keys: &OrgKeys, commitment: Commitment) -> Result<Mac> {
        keys.authenticate(&self.canonical(keys.store(), commitment))
    }

    /// Checks this head together with the current record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where any column was changed, [`Error::UnknownKey`].
    pub(crate) fn verify(&self, keys: &OrgKeys, commitment: Commitment, mac: &Mac) -> Result<()> {
        if keys.is_authentic(mac, &self.canonical(keys.store(), commitment))? {
            Ok(())
        } else {
            Err(Error::corrupt(&self.address))
        }
    }

    fn canonical(&self, store: &StoreId, commitment: Commitment) -> Vec<u8> {
        let Self {
            id,
            address,
            generation,
            revision,
            first_revision,
            keep,
            metadata: Metadata { inactive_since, expires_at, description, tags },
            created,
            updated,
            valued,
            digest,
        } = self;
        let scope = address.scope();
        let keep = keep.map(|keep| u64::from(keep).to_be_bytes());
        let [inactive_since, expires_at] =
            [inactive_since, expires_at].map(|at| at.map(|at| at.as_micros().to_be_bytes()));
        Canonical::new(b"secretkit/head/1\0")
            .bytes(1, store.as_bytes())
            .bytes(2, id.as_bytes())
            .text(3, scope.org().as_str())
            .optional(4, scope.project().map(part_bytes))
            .optional(5, scope.domain().map(part_bytes))
            .optional(6, address.name().group().map(part_bytes))
            .text(7, address.name().key().as_str())
            .integer(8, generation.number())
            .integer(9, revision.number())
            .integer(10, first_revision.number())
            .optional(11, keep.as_ref().map(|bytes| &bytes[..]))
            .optional(12, inactive_since.as_ref().map(|bytes| &bytes[..]))
            .optional(13, expires_at.as_ref().map(|bytes| &bytes[..]))
            .optional(14, description.as_ref().map(|text| text.as_str().as_bytes()))
            .list(15, tags.iter())
            .stamp(16, created)
            .stamp(18, updated)
            .stamp(20, valued)
            .bytes(22, &digest.to_bytes())
            .bytes(23, commitment.as_bytes())
            .finish()
    }
}

impl Canonical {
    /// Two fields: the time at `tag`, the actor at the next.
    pub(crate) fn stamp(self, tag: u8, stamp: &Stamp) -> Self {
        let Stamp { at, by } = stamp;
        self.bytes(tag, &at.as_micros().to_be_bytes()).text(tag + 1, by.as_str())
    }
}
