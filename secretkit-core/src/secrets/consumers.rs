//! Consumers: named things that use a secret and so block its deletion.

use super::Secrets;
use super::batch::{Attempt, BatchBuilder};
use super::read::not_found;
use super::reference::SecretRef;
use crate::error::{Error, Result};
use crate::event::Action;
use crate::head::Stamp;
use crate::id::StableId;
use crate::part::Part;
use crate::record::SecretInfo;
use crate::store::{Change, ConsumerRecord, Expect};
use crate::time::Timestamp;
use crate::usage::{Consumer, ConsumerInfo};

impl Secrets {
    /// Registers a consumer of a secret, or notes that it was seen again. From now on the secret cannot be deleted.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IdNotFound`], and what the store and the root key say.
    pub fn add_consumer(&self, secret: impl Into<SecretRef>, name: &Consumer) -> Result<SecretInfo> {
        let target = secret.into().target();
        self.authorize()?;
        self.until_committed(target.org(), || {
            let (info, _) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
            let mut batch = BatchBuilder::begin(self, target.org())?;
            batch.register(info.id, name)?;
            batch.record_consumer(Action::AddConsumer, &info, name)?;
            Ok(Attempt::Commit(batch.finish(), info))
        })
    }

    /// Registers a consumer of several secrets of one org in one commit, each at most once a minute. Those that are
    /// gone are passed over.
    pub(crate) fn consumer_seen(&self, org: &Part, secrets: &[StableId], name: &Consumer) -> Result<()> {
        let now = self.clock.now();
        let key = |secret: &StableId| (*secret, name.clone());
        let due: Vec<_> = secrets.iter().filter(|secret| self.seen.is_due(key(secret), now)).copied().collect();
        self.register(org, &due, name).inspect_err(|_| due.iter().for_each(|secret| self.seen.undo(&key(secret))))
    }

    fn register(&self, org: &Part, secrets: &[StableId], name: &Consumer) -> Result<()> {
        self.authorize()?;
        if secrets.is_empty() {
            return Ok(());
        }
        self.until_committed(org, || {
            let mut batch = BatchBuilder::begin(self, org)?;
            for whole in self.wholes_at_work(org, secrets)?.into_iter().flatten() {
                let (info, _) = self.checked(&whole.target, whole.record)?;
                if !whole.consumers.iter().any(|row| row.name == *name) {
                    // Only the first time is worth an event: whoever comes first records it.
                    let absent = Expect::ConsumerSeen(org.clone(), info.id, name.clone(), None);
                    batch.expectations.push(absent);
                    batch.record_consumer(Action::AddConsumer, &info, name)?;
                }
                batch.register(info.id, name)?;
            }
            Ok(if batch.changes.is_empty() { Attempt::Unchanged(()) } else { Attempt::Commit(batch.finish(), ()) })
        })
    }

    /// Removes a consumer of a secret. Where its row was altered, it is removed all the same.
    ///
    /// # Errors
    /// [`Error::ConsumerNotFound`], and those of [`add_consumer`](Self::add_consumer).
    pub fn remove_consumer(&self, secret: impl Into<SecretRef>, name: &Consumer) -> Result<SecretInfo> {
        let target = secret.into().target();
        self.authorize()?;
        self.until_committed(target.org(), || {
            let (info, _) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
            let Some(row) = self.consumer_rows(&info)?.into_iter().find(|row| row.name == *name) else {
                return Err(Error::ConsumerNotFound { id: info.address.clone() });
            };
            let mut batch = self.unregistering(&info, std::slice::from_ref(name))?;
            // Of several who remove it at once, one does: the others find that it is gone.
            let there = Expect::ConsumerSeen(target.org().clone(), info.id, row.name, Some(row.seen.at));
            batch.expectations.push(there);
            Ok(Attempt::Commit(batch.finish(), info))
        })
    }

    /// The consumers of a secret by name, with when each was last seen.
    ///
    /// # Errors
    /// Those of [`info`](Self::info); [`Error::Corrupt`] where one was altered.
    pub fn consumers(&self, secret: impl Into<SecretRef>) -> Result<Vec<ConsumerInfo>> {
        let target = secret.into().target();
        self.authorize()?;
        self.reread(|_| {
            let (info, _) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
            self.checked_consumers(&info)
        })
    }

    /// Removes the consumers of a secret that were last seen before `unseen_since`, and returns them.
    ///
    /// # Errors
    /// Those of [`consumers`](Self::consumers).
    pub fn prune_consumers(&self, secret: impl Into<SecretRef>, unseen_since: Timestamp) -> Result<Vec<ConsumerInfo>> {
        let target = secret.into().target();
        self.authorize()?;
        self.until_committed(target.org(), || {
            let (info, _) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
            let mut stale = self.checked_consumers(&info)?;
            stale.retain(|consumer| consumer.seen.at < unseen_since);
            if stale.is_empty() {
                return Ok(Attempt::Unchanged(stale));
            }
            let names: Vec<_> = stale.iter().map(|consumer| consumer.name.clone()).collect();
            let mut batch = self.unregistering(&info, &names)?;
            // One that is seen at this moment stays.
            batch.expectations.extend(stale.iter().map(|ConsumerInfo { name, seen }| {
                Expect::ConsumerSeen(target.org().clone(), info.id, name.clone(), Some(seen.at))
            }));
            Ok(Attempt::Commit(batch.finish(), stale))
        })
    }

    fn checked_consumers(&self, info: &SecretInfo) -> Result<Vec<ConsumerInfo>> {
        let rows = self.consumer_rows(info)?;
        rows.iter().map(|row| self.with_keys(info.address.org(), |keys| row.verify(info, keys))).collect()
    }

    pub(super) fn consumer_rows(&self, info: &SecretInfo) -> Result<Vec<ConsumerRecord>> {
        let mut answers = self.store.consumers(info.address.org(), &[info.id])?;
        match (answers.pop(), answers.is_empty()) {
            (Some(rows), true) => Ok(rows),
            _ => Err(self.wrong_count()),
        }
    }

    fn unregistering(&self, info: &SecretInfo, names: &[Consumer]) -> Result<BatchBuilder<'_>> {
        let org = info.address.org();
        let mut batch = BatchBuilder::begin(self, org)?;
        batch.expectations.push(Expect::Exists(org.clone(), info.id));
        for name in names {
            batch.changes.push(Change::Unregister(org.clone(), info.id, name.clone()));
            batch.record_consumer(Action::RemoveConsumer, info, name)?;
        }
        Ok(batch)
    }
}

impl BatchBuilder<'_> {
    fn register(&mut self, secret: StableId, name: &Consumer) -> Result<()> {
        let seen = Stamp { at: self.secrets.clock.now(), by: self.secrets.actor.clone() };
        let row = ConsumerRecord::new(&self.org, secret, name.clone(), seen, &self.keys)?;
        self.expectations.push(Expect::Exists(self.org.clone(), secret));
        self.changes.push(Change::Register(self.org.clone(), row));
        Ok(())
    }
}
