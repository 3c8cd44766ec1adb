//! No API: the parts of a read and a write, each by itself, for `benches/` and `fuzz-targets/`.

pub mod parsers;

use crate::error::Result;
use crate::id::{SecretId, StableId};
use crate::part::Part;
use crate::record::{Revision, SecretInfo, SecretRecord};
use crate::seal::{KeyProvider, OrgKeys, SealedValue};
use crate::store::{EventRecord, LaneHead, Listed, SecretStore, UsageRecord};
use crate::value::SecretValue;

/// The opened keys of one org.
#[derive(Debug)]
pub struct Keys(OrgKeys);

impl Keys {
    /// Those that a store holds, or new ones where it holds none.
    ///
    /// # Errors
    /// The store's and the provider's.
    pub fn of(store: &dyn SecretStore, org: &Part, provider: &dyn KeyProvider) -> Result<Self> {
        let info = store.info()?;
        match store.keyring(org)? {
            Some(row) => OrgKeys::open(info.id, &row, provider).map(Self),
            None => OrgKeys::create(info.id, org, provider, info.created_at).map(|(keys, _)| Self(keys)),
        }
    }

    /// Seals.
    ///
    /// # Errors
    /// As a put.
    pub fn seal(
        &self,
        id: &SecretId,
        secret: &StableId,
        revision: Revision,
        value: &SecretValue,
    ) -> Result<SealedValue> {
        self.0.seal(id, secret, revision, value)
    }

    /// Opens.
    ///
    /// # Errors
    /// As a get.
    pub fn open(
        &self,
        id: &SecretId,
        secret: &StableId,
        revision: Revision,
        sealed: &SealedValue,
    ) -> Result<SecretValue> {
        self.0.open_value(id, secret, revision, sealed)
    }

    /// Checks a head and opens its record: what every get has to do, wherever the record comes from.
    ///
    /// # Errors
    /// As a get.
    pub fn check_and_open(&self, record: &SecretRecord) -> Result<SecretValue> {
        let SecretRecord { head, mac, sealed } = record;
        head.verify(&self.0, sealed.commitment(), mac)?;
        self.0.open_value(&head.address, &head.id, head.revision, sealed)
    }

    /// Checks the head of a line of a listing.
    ///
    /// # Errors
    /// As a listing.
    pub fn check(&self, listed: &Listed) -> Result<()> {
        listed.head.verify(&self.0, listed.commitment, &listed.mac)
    }

    /// Checks the last use of a secret.
    ///
    /// # Errors
    /// As a listing.
    pub fn check_use(&self, info: &SecretInfo, used: &UsageRecord) -> Result<()> {
        used.verify(info, &self.0).map(drop)
    }

    /// Checks that an event follows the one before it in its lane.
    ///
    /// # Errors
    /// As reading the events.
    pub fn check_event(&self, previous: Option<&LaneHead>, event: &EventRecord) -> Result<()> {
        event.verify(previous, None, &self.0).map(drop)
    }

    /// A new secret's row, sealed and authenticated: what every create has to do, wherever the row goes.
    ///
    /// # Errors
    /// As a put.
    pub fn signed(&self, mut record: SecretRecord, value: &SecretValue) -> Result<SecretRecord> {
        let head = &mut record.head;
        record.sealed = self.0.seal(&head.address, &head.id, head.revision, value)?;
        head.digest = crate::Digest(self.0.digest(&head.address, value, None)?);
        record.mac = head.sign(&self.0, record.sealed.commitment())?;
        Ok(record)
    }
}
