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
use crate::store::{Change, ConsumerRecord, Expect, Target};
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
        let mut left = secrets.to_vec();
        let started = std::time::Instant::now();
        while !left.is_empty() {
            let mut batch = BatchBuilder::begin(self, org)?;
            left.iter().try_for_each(|secret| batch.register(*secret, name))?;
            match self.try_commit(batch.finish(), org)? {
                None => return Ok(()),
                Some(Expect::Exists(_, gone)) => left.retain(|secret| *secret != gone),
                Some(_) if started.elapsed() >= Self::DEADLINE => {
                    return Err(Error::Contended { store: self.store.to_string() });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Removes a consumer of a secret. Where its row was altered, it is removed all the same.
    ///
    /// # Errors
    /// [`Error::ConsumerNotFound`], and those of [`add_consumer`](Self::add_consumer).
    pub fn remove_consumer(&self, secret: impl Into<SecretRef>, name: &Consumer) -> Result<SecretInfo> {
        let target = secret.into().target();
        self.authorize()?;
        let (info, _) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
        if !self.consumer_rows(&info)?.iter().any(|row| row.name == *name) {
            return Err(Error::ConsumerNotFound { id: info.address.clone() });
        }
        self.unregister(&info, std::slice::from_ref(name))?;
        Ok(info)
    }

    /// The consumers of a secret by name, with when each was last seen.
    ///
    /// # Errors
    /// Those of [`info`](Self::info); [`Error::Corrupt`] where one was altered.
    pub fn consumers(&self, secret: impl Into<SecretRef>) -> Result<Vec<ConsumerInfo>> {
        let target = secret.into().target();
        self.authorize()?;
        let (info, _) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
        self.consumer_rows(&info)?
            .iter()
            .map(|row| self.with_keys(target.org(), |keys| row.verify(&info, keys)))
            .collect()
    }

    /// Removes the consumers of a secret that were last seen before `unseen_since`, and returns them.
    ///
    /// # Errors
    /// Those of [`consumers`](Self::consumers).
    pub fn prune_consumers(&self, secret: impl Into<SecretRef>, unseen_since: Timestamp) -> Result<Vec<ConsumerInfo>> {
        let secret = secret.into();
        let mut stale = self.consumers(secret.clone())?;
        stale.retain(|consumer| consumer.seen.at < unseen_since);
        if !stale.is_empty() {
            let target = secret.target();
            let (info, _) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
            let names: Vec<_> = stale.iter().map(|consumer| consumer.name.clone()).collect();
            self.unregister(&info, &names)?;
        }
        Ok(stale)
    }

    pub(super) fn consumer_rows(&self, info: &SecretInfo) -> Result<Vec<ConsumerRecord>> {
        let mut answers = self.store.consumers(info.address.org(), &[info.id])?;
        match (answers.pop(), answers.is_empty()) {
            (Some(rows), true) => Ok(rows),
            _ => Err(self.wrong_count()),
        }
    }

    fn unregister(&self, info: &SecretInfo, names: &[Consumer]) -> Result<()> {
        let target = Target::Id(info.address.org().clone(), info.id);
        self.until_committed(target.org(), || {
            if self.current(&target)?.is_none() {
                return Err(not_found(&target));
            }
            let mut batch = BatchBuilder::begin(self, target.org())?;
            batch.expectations.push(Expect::Exists(target.org().clone(), info.id));
            for name in names {
                batch.changes.push(Change::Unregister(target.org().clone(), info.id, name.clone()));
                batch.record_consumer(Action::RemoveConsumer, info, name)?;
            }
            Ok(Attempt::Commit(batch.finish(), ()))
        })
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
