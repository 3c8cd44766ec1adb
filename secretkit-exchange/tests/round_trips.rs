//! What is looked for in a store is looked for many at a time: each question costs a round trip.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use secretkit_core::seal::{KeyId, KeyringRow, KeyringStamp};
use secretkit_core::store::{
    Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Listed, Query, StoreInfo, Target,
    Token, UsageRecord, Want,
};
use secretkit_core::{
    Access, Error, MemoryStore, Part, Result, RootKey, Scope, SecretStore, SecretValue, Secrets, StableId,
};
use secretkit_exchange::{Entry, Existing, import, plan};

/// Counts the questions that an import asks.
#[derive(Debug, Default)]
struct Counting(MemoryStore, AtomicUsize);

impl Counting {
    fn counted(&self) -> &MemoryStore {
        self.1.fetch_add(1, Ordering::Relaxed);
        &self.0
    }
}

#[test]
fn a_file_of_any_size_is_looked_up_in_few_round_trips() {
    let store = Arc::new(Counting::default());
    let secrets = Secrets::new(store.clone(), Arc::new(RootKey::generate().unwrap()), Access::Unrestricted);
    let entry = |at: usize| Entry { name: format!("K{at}").parse().unwrap(), value: SecretValue::copied_from(b"x") };
    let (scope, entries): (Scope, Vec<_>) = ("acme/etl".parse().unwrap(), (0..1000).map(entry).collect());
    import(&secrets, &scope, &entries[300..400], Existing::Refuse).unwrap();

    let asked = |existing| {
        let (before, mut done) = (store.1.load(Ordering::Relaxed), 0);
        let planned = plan(&secrets, &scope, &entries, existing, |count| done += count);
        (planned, done, store.1.load(Ordering::Relaxed) - before)
    };
    let (planned, done, round_trips) = asked(Existing::Replace);
    let planned = planned.unwrap();
    assert_eq!((planned.created.len(), planned.updated.len(), done), (900, 100, 1000));
    assert_eq!(planned.updated[0].name(), &entries[300].name);
    assert!(round_trips <= 8, "{round_trips} round trips");

    let (planned, _, round_trips) = asked(Existing::Refuse);
    assert!(matches!(planned, Err(Error::Several(all)) if all.len() == 100));
    assert!(round_trips <= 8, "{round_trips} round trips");
    let refused = import(&secrets, &scope, &entries, Existing::Refuse);
    assert!(matches!(refused, Err(Error::Several(all)) if all.len() == 100));
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SecretStore for Counting {
    fn info(&self) -> Result<StoreInfo> {
        self.counted().info()
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        self.counted().keyring(org)
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        self.counted().keyrings()
    }

    fn sees_all_orgs(&self) -> Result<bool> {
        self.counted().sees_all_orgs()
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        self.counted().key_uses(org)
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.counted().fetch(wants)
    }

    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.counted().fetch_latest(wants)
    }

    fn list(&self, query: &Query) -> Result<Vec<Listed>> {
        self.counted().list(query)
    }

    fn history(&self, target: &Target) -> Result<Option<History>> {
        self.counted().history(target)
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
        self.counted().consumers(org, secrets)
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        self.counted().uses(org, secrets)
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        self.counted().touch(org, keyring, uses)
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        self.counted().lanes(org)
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        self.counted().events(org, lane, after, limit)
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
        self.counted().ids(org, after, limit)
    }

    fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        self.counted().outcome(org, token)
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        self.counted().commit(batch)
    }
}
