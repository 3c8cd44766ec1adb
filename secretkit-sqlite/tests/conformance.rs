//! Every law of the trait, each against files of its own.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use secretkit_core::seal::{KeyId, KeyringRow, KeyringStamp};
use secretkit_core::store::{
    Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Listed, Query, StoreInfo, Target,
    Token, UsageRecord, Want,
};
use secretkit_core::{Part, Result, SecretStore, StableId};
use secretkit_sqlite::SqliteStore;
use tempfile::TempDir;

/// A store whose directory goes with it.
#[derive(Debug)]
struct Temporary {
    store: SqliteStore,
    _directory: TempDir,
}

fn temporary() -> Arc<dyn SecretStore> {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&directory.path().join("secrets.db")).unwrap();
    Arc::new(Temporary { store, _directory: directory })
}

impl fmt::Display for Temporary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl SecretStore for Temporary {
    fn info(&self) -> Result<StoreInfo> {
        self.store.info()
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        self.store.keyring(org)
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        self.store.keyrings()
    }

    fn sees_all_orgs(&self) -> Result<bool> {
        self.store.sees_all_orgs()
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        self.store.key_uses(org)
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.store.fetch(wants)
    }

    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.store.fetch_latest(wants)
    }

    fn list(&self, query: &Query) -> Result<Vec<Listed>> {
        self.store.list(query)
    }

    fn history(&self, target: &Target) -> Result<Option<History>> {
        self.store.history(target)
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
        self.store.consumers(org, secrets)
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        self.store.uses(org, secrets)
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        self.store.touch(org, keyring, uses)
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        self.store.lanes(org)
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        self.store.events(org, lane, after, limit)
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
        self.store.ids(org, after, limit)
    }

    fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        self.store.outcome(org, token)
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        self.store.commit(batch)
    }
}

secretkit_core::conformance_tests!(&temporary);
