//! What a store returns, and what a listing shows.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;

use crate::error::Result;
use crate::head::{Head, Stamp};
use crate::seal::{Commitment, Mac, OrgKeys, SealedValue};

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

impl Revision {
    /// The one that many before, or the first.
    pub(crate) fn earlier(self, by: u32) -> Self {
        Self::new(self.0.saturating_sub(by.into())).unwrap_or(Self::FIRST)
    }
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

impl SecretRecord {
    /// The checked head, with the record. `with_keys` runs the check with the keys of the org.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt), [`Error::UnknownKey`](crate::Error::UnknownKey).
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
    /// [`Error::Corrupt`](crate::Error::Corrupt), [`Error::UnknownKey`](crate::Error::UnknownKey).
    pub(crate) fn verify(self, with_keys: impl FnOnce(&Check<'_>) -> Result<()>) -> Result<SecretInfo> {
        let Self { head, mac, commitment } = self;
        with_keys(&|keys| head.verify(keys, commitment, &mac))?;
        Ok(SecretInfo { head, last_used: None })
    }
}

/// What a head has to pass, with whichever keys the org has now.
type Check<'a> = dyn Fn(&OrgKeys) -> Result<()> + 'a;

/// What a listing shows: a head that was checked. It has no field that could hold a value.
///
/// Only reading through [`Secrets`](crate::Secrets) makes one, so whoever holds it need not ask whether it is true.
#[derive(Clone, Debug)]
pub struct SecretInfo {
    head: Head,
    last_used: Option<Stamp>,
}

impl SecretInfo {
    /// When its value was last delivered to a task or revealed, and to whom: as far as that was recorded, and where
    /// this comes from a listing or from [`Secrets::info`](crate::Secrets::info). A read or a write does not ask.
    #[must_use]
    pub const fn last_used(&self) -> Option<&Stamp> {
        self.last_used.as_ref()
    }

    /// The head that this process itself has just authenticated and committed.
    pub(crate) const fn committed(head: Head) -> Self {
        Self { head, last_used: None }
    }

    pub(crate) fn used(self, last_used: Option<Stamp>) -> Self {
        Self { last_used, ..self }
    }

    pub(crate) fn into_head(self) -> Head {
        self.head
    }
}

impl Deref for SecretInfo {
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.head
    }
}
