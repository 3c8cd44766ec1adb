//! The values that a secret had before, as a store keeps them and as a history shows them.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::head::{Head, Stamp};
use crate::id::StableId;
use crate::record::{ListedSecret, Revision, SecretInfo};
use crate::seal::canonical::Canonical;
use crate::seal::{Commitment, Mac, OrgKeys, SealedValue};
use crate::value::SecretValue;

/// A superseded value as a store keeps it.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "this is the row; a store must not miss a new column")]
pub struct RevisionRecord {
    /// The secret it belongs to.
    pub secret: StableId,
    /// Which of its values.
    pub revision: Revision,
    /// When that value was set.
    pub valued: Stamp,
    /// Its fingerprint.
    pub digest: Digest,
    /// The authenticator over all of these and the record's commitment.
    pub mac: Mac,
    /// The value.
    pub sealed: SealedValue,
}

/// What a store returns for one line of a history: everything but the record, of which it shows the commitment.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "this is the row; a store must not miss a new column")]
pub struct ListedRevision {
    /// The secret it belongs to.
    pub secret: StableId,
    /// Which of its values.
    pub revision: Revision,
    /// When that value was set.
    pub valued: Stamp,
    /// Its fingerprint.
    pub digest: Digest,
    /// The authenticator over all of these and the record's commitment.
    pub mac: Mac,
    /// The commitment of the record.
    pub commitment: Commitment,
}

/// What a store returns for a secret's history, all from one snapshot.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a store fills both")]
pub struct History {
    /// The secret.
    pub current: ListedSecret,
    /// Its superseded values, oldest first.
    pub superseded: Vec<ListedRevision>,
}

/// One value of a secret, as a history shows it: checked, and without a field that could hold the value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RevisionInfo {
    /// Which of the secret's values.
    pub revision: Revision,
    /// When it was set, and by whom.
    pub valued: Stamp,
    /// Its fingerprint. Equal digests of one secret are equal values.
    pub digest: Digest,
}

impl RevisionRecord {
    /// The row that keeps the current value of `info` once another supersedes it.
    pub(crate) fn supersede(info: &SecretInfo, sealed: SealedValue, keys: &OrgKeys) -> Result<Self> {
        Self::new(info, info.revision, info.valued.clone(), info.digest, sealed, keys)
    }

    /// The row of one of the secret's values.
    pub(crate) fn new(
        info: &SecretInfo,
        revision: Revision,
        valued: Stamp,
        digest: Digest,
        sealed: SealedValue,
        keys: &OrgKeys,
    ) -> Result<Self> {
        let mac = keys.authenticate(&canonical(keys, info, revision, &valued, &digest, sealed.commitment()))?;
        Ok(Self { secret: info.id, revision, valued, digest, mac, sealed })
    }

    /// Checks the row against the head it belongs to, and opens the value.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::UnknownKey`].
    pub(crate) fn open(self, info: &SecretInfo, wanted: Revision, keys: &OrgKeys) -> Result<SecretValue> {
        let Self { secret, revision, valued, digest, mac, sealed } = self;
        let listed = ListedRevision { secret, revision, valued, digest, mac, commitment: sealed.commitment() };
        listed.verify(info, wanted, keys)?;
        keys.open_value(&info.address, &secret, revision, &sealed)
    }
}

impl ListedRevision {
    /// Checks the row against the head it belongs to.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::UnknownKey`].
    pub(crate) fn verify(self, info: &SecretInfo, wanted: Revision, keys: &OrgKeys) -> Result<RevisionInfo> {
        let Self { secret, revision, valued, digest, mac, commitment } = self;
        let canonical = canonical(keys, info, revision, &valued, &digest, commitment);
        if secret != info.id || revision != wanted || !keys.is_authentic(&mac, &canonical)? {
            return Err(Error::corrupt(&info.address));
        }
        Ok(RevisionInfo { revision, valued, digest })
    }
}

/// What the row is authenticated as. The record itself is bound to the address; the row needs only the id.
fn canonical(
    keys: &OrgKeys,
    head: &Head,
    revision: Revision,
    valued: &Stamp,
    digest: &Digest,
    commitment: Commitment,
) -> Vec<u8> {
    Canonical::new(b"secretkit/revision/1\0")
        .bytes(1, keys.store().as_bytes())
        .bytes(2, head.id.as_bytes())
        .text(3, head.address.org().as_str())
        .integer(4, revision.number())
        .stamp(5, valued)
        .bytes(7, &digest.to_bytes())
        .bytes(8, commitment.as_bytes())
        .finish()
}
