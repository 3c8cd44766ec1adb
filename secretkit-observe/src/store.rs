//! A store whose calls are told of.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use secretkit_core::seal::{KeyId, KeyringRow, KeyringStamp};
use secretkit_core::store::{
    Batch, Change, Commit, ConsumerRecord, EventRecord, Expect, Fetched, History, Lane, LaneHead, Listed, Query,
    StoreInfo, Target, Token, UsageRecord, Want,
};
use secretkit_core::{ErrorKind, Part, Result, SecretStore, StableId};

use crate::call::{items, observed, told};

/// A store that tells the host's monitoring what it does, see the [crate]. It answers exactly as the store
/// inside, and prints as it.
#[derive(Clone, Debug)]
pub struct ObservedStore {
    inner: Arc<dyn SecretStore>,
}

impl ObservedStore {
    /// Around this store. Put it outside of a cache to see what the application does, inside to see what the database
    /// does.
    #[must_use]
    pub fn new(inner: Arc<dyn SecretStore>) -> Self {
        Self { inner }
    }
}

impl fmt::Display for ObservedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

impl SecretStore for ObservedStore {
    fn info(&self) -> Result<StoreInfo> {
        observed("info", None, || self.inner.info())
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        observed("keyring", Some(org), || self.inner.keyring(org))
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        observed("keyrings", None, || self.inner.keyrings())
    }

    fn sees_all_orgs(&self) -> Result<bool> {
        observed("sees_all_orgs", None, || self.inner.sees_all_orgs())
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        observed("key_uses", Some(org), || self.inner.key_uses(org))
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        items("fetch", wants.len());
        let org = only(wants.iter().map(|want| want.target.org()));
        observed("fetch", org, || self.inner.fetch(wants))
    }

    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        items("fetch_latest", wants.len());
        let org = only(wants.iter().map(|want| want.target.org()));
        observed("fetch_latest", org, || self.inner.fetch_latest(wants))
    }

    fn list(&self, query: &Query) -> Result<Vec<Listed>> {
        observed("list", Some(query.within.org()), || self.inner.list(query))
    }

    fn history(&self, target: &Target) -> Result<Option<History>> {
        observed("history", Some(target.org()), || self.inner.history(target))
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
        observed("consumers", Some(org), || self.inner.consumers(org, secrets))
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        observed("uses", Some(org), || self.inner.uses(org, secrets))
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        items("touch", uses.len());
        told(
            "touch",
            Some(org),
            || self.inner.touch(org, keyring, uses),
            |result| match result {
                Ok(()) => Some("ok"),
                // As it is meant to where others write: nobody needs to look into that.
                Err(error) if error.kind() == ErrorKind::Busy => Some("given_up"),
                Err(_) => None,
            },
        )
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        observed("lanes", Some(org), || self.inner.lanes(org))
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        observed("events", Some(org), || self.inner.events(org, lane, after, limit))
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
        observed("ids", Some(org), || self.inner.ids(org, after, limit))
    }

    fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        observed("outcome", Some(org), || self.inner.outcome(org, token))
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        items("commit", batch.changes.len());
        told(
            "commit",
            only(orgs(batch)),
            || self.inner.commit(batch),
            |result| match result {
                Ok(Commit::Applied) => Some("ok"),
                Ok(Commit::Refused { .. }) => Some("refused"),
                Err(_) => None,
            },
        )
    }
}

/// The one that all are; a call may be about several.
fn only<'a>(mut orgs: impl Iterator<Item = &'a Part>) -> Option<&'a Part> {
    let first = orgs.next()?;
    orgs.all(|org| org == first).then_some(first)
}

/// The orgs that a batch is about, as far as its expectations and changes name them.
fn orgs(batch: &Batch) -> impl Iterator<Item = &Part> {
    let expected = batch.expectations.iter().map(|expect| match expect {
        Expect::Absent(id) => id.org(),
        Expect::Generation(org, ..)
        | Expect::Exists(org, _)
        | Expect::NoConsumers(org, _)
        | Expect::ConsumerSeen(org, ..)
        | Expect::Keyring(org, _)
        | Expect::Lane(org, ..)
        | Expect::KeyUnused(org, _)
        | Expect::NoSecrets(org) => org,
    });
    let changed = batch.changes.iter().map(|change| match change {
        Change::Keyring(row) => &row.org,
        Change::Insert(record) | Change::Replace(record, _) => record.head.address.org(),
        Change::ReplaceRevision(org, _)
        | Change::Delete(org, _)
        | Change::Register(org, _)
        | Change::Unregister(org, ..) => org,
    });
    expected.chain(changed)
}
