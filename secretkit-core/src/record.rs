//! What a store returns, and what a listing shows.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::head::{Head, Stamp, canonical_revision};
use crate::id::StableId;
use crate::seal::{Commitment, Mac, OrgKeys, SealedValue};
use crate::value::SecretValue;

macro_rules! counter {
    ($(#[doc = $doc:expr])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The first, 1.
            pub const FIRST: Self = Self(1);

            /// The one with this number: 1 to `i64::MAX`, so that every store can keep it.
            #[must_use]
            pub const fn new(number: u64) -> Option<Self> {
                if number >= 1 && number <= i64::MAX.unsigned_abs() { Some(Self(number)) } else { None }
            }

            /// The number.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.0
            }

            /// The one after. A counter that grows by one a nanosecond reaches its end after three centuries.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// Counts a secret's values: 1, 2, 3, …, dense, never reused.
    Revision
}

counter! {
    /// Counts every change to a secret's head, value or metadata; the only token for compare-and-swap.
    Generation
}

/// What a store returns for one secret: its head and its current record. Nothing in it has been checked yet.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "this is the row; a store must not miss a new column")]
pub struct SecretRecord {
    /// The columns.
    pub head: Head,
    /// The authenticator over all of them and the record's commitment.
    pub mac: Mac,
    /// The current value.
    pub sealed: SealedValue,
}

/// What a store returns for one line of a listing: everything but the record, of which it shows the commitment.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "this is the row; a store must not miss a new column")]
pub struct ListedSecret {
    /// The columns.
    pub head: Head,
    /// The authenticator over all of them and the record's commitment.
    pub mac: Mac,
    /// The commitment of the current record.
    pub commitment: Commitment,
}

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

impl SecretRecord {
    /// The checked head, with the record. `with_keys` runs the check with the keys of the org.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::UnknownKey`].
    pub(crate) fn verify(self, with_keys: impl FnOnce(&Check<'_>) -> Result<()>) -> Result<(SecretInfo, SealedValue)> {
        let Self { head, mac, sealed } = self;
        let info = ListedSecret { head, mac, commitment: sealed.commitment() }.verify(with_keys)?;
        Ok((info, sealed))
    }
}

impl ListedSecret {
    /// The checked head. `with_keys` runs the check with the keys of the org.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::UnknownKey`].
    pub(crate) fn verify(self, with_keys: impl FnOnce(&Check<'_>) -> Result<()>) -> Result<SecretInfo> {
        let Self { head, mac, commitment } = self;
        with_keys(&|keys| head.verify(keys, commitment, &mac))?;
        Ok(SecretInfo(head))
    }
}

/// What a head has to pass, with whichever keys the org has now.
type Check<'a> = dyn Fn(&OrgKeys) -> Result<()> + 'a;

impl RevisionRecord {
    /// The row that keeps the current value of `info` once another supersedes it.
    pub(crate) fn supersede(info: &SecretInfo, sealed: SealedValue, keys: &OrgKeys) -> Result<Self> {
        let Head { id: secret, revision, ref valued, digest, .. } = info.0;
        let canonical = canonical_revision(keys.store(), info, revision, valued, &digest, sealed.commitment());
        let mac = keys.authenticate(&canonical)?;
        Ok(Self { secret, revision, valued: valued.clone(), digest, mac, sealed })
    }

    /// Checks the row against the head it belongs to, and opens the value.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::UnknownKey`].
    pub(crate) fn open(self, info: &SecretInfo, wanted: Revision, keys: &OrgKeys) -> Result<SecretValue> {
        let Self { secret, revision, valued, digest, mac, sealed } = self;
        let canonical = canonical_revision(keys.store(), info, revision, &valued, &digest, sealed.commitment());
        if secret != info.id || revision != wanted || !keys.is_authentic(&mac, &canonical)? {
            return Err(Error::corrupt(&info.address));
        }
        keys.open_value(&info.address, &secret, revision, &sealed)
    }
}

/// What a listing shows: a head that was checked. It has no field that could hold a value.
///
/// Only reading through [`Secrets`](crate::Secrets) makes one, so whoever holds it need not ask whether it is true.
#[derive(Clone, Debug)]
pub struct SecretInfo(Head);

impl SecretInfo {
    /// The head that this process itself has just authenticated and committed.
    pub(crate) const fn committed(head: Head) -> Self {
        Self(head)
    }

    pub(crate) fn into_head(self) -> Head {
        self.0
    }
}

impl Deref for SecretInfo {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.0
    }
}
