//! A store in memory in which others always write.

use std::collections::BTreeMap;
use std::fmt;

use secretkit_core::seal::{KeyId, KeyringRow, KeyringStamp};
use secretkit_core::store::{
    Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Listed, Query, StoreInfo, Target,
    Token, UsageRecord, Want,
};
use secretkit_core::{Error, MemoryStore, Part, Result, SecretStore, StableId};

/// Does all but to note who used what.
#[derive(Debug, Default)]
pub(crate) struct Busy(MemoryStore);

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SecretStore for Busy {
    fn info(&self) -> Result<StoreInfo> {
        self.0.info()
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        self.0.keyring(org)
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        self.0.keyrings()
    }

    fn sees_all_orgs(&self) -> Result<bool> {
        self.0.sees_all_orgs()
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        self.0.key_uses(org)
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.0.fetch(wants)
    }

    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.0.fetch_latest(wants)
    }

    fn list(&self, query: &Query) -> Result<Vec<Listed>> {
        self.0.list(query)
    }

    fn history(&self, target: &Target) -> Result<Option<History>> {
        self.0.history(target)
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
        self.0.consumers(org, secrets)
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        self.0.uses(org, secrets)
    }

    fn touch(&self, _: &Part, _: KeyringStamp, _: &[UsageRecord]) -> Result<()> {
        Err(Error::Busy { store: self.to_string() })
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        self.0.lanes(org)
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        self.0.events(org, lane, after, limit)
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
        self.0.ids(org, after, limit)
    }

    fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        self.0.outcome(org, token)
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        self.0.commit(batch)
    }
}
