//! A store to look into, and what the tests put into it.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use secretkit_cache::{CacheOptions, CachedStore};
use secretkit_core::seal::{KeyId, KeyState, KeyUse, KeyringRow, KeyringStamp};
use secretkit_core::store::{
    Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Listed, Query, StoreInfo, Target,
    Token, UsageRecord, Want,
};
use secretkit_core::{
    Access, Error, MemoryStore, Part, PutMode, Result, RootKey, SecretId, SecretInfo, SecretStore, SecretValue,
    Secrets, StableId,
};

/// Runs at a moment of the next fetch.
type Hook = Box<dyn FnOnce() + Send>;

/// A store in memory that counts what is fetched, stops where a test says so, goes away, and loses commits on the way.
#[derive(Default)]
pub struct Probe {
    inner: MemoryStore,
    fetches: AtomicUsize,
    away: AtomicBool,
    /// Whether the next commit is late, and the one that was.
    late: Mutex<(bool, Option<Batch>)>,
    /// Before the rows are read.
    pub before: Mutex<Option<Hook>>,
    /// After they were read, before they are given.
    pub after: Mutex<Option<Hook>>,
}

impl Probe {
    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Nobody hears of the next commit, and it takes effect when it [arrives](Self::arrive).
    pub fn delay(&self) {
        self.late.lock().unwrap().0 = true;
    }

    pub fn arrive(&self) {
        let late = self.late.lock().unwrap().1.take().unwrap();
        assert_eq!(self.inner.commit(&late).unwrap(), Commit::Applied);
    }

    fn reached(&self) -> Result<&MemoryStore> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(Error::Unavailable { store: self.to_string(), why: "is away".to_owned() }),
            false => Ok(&self.inner),
        }
    }
}

fn run(hook: &Mutex<Option<Hook>>) {
    let hook = hook.lock().unwrap().take();
    if let Some(hook) = hook {
        hook();
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("probe")
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

impl SecretStore for Probe {
    fn info(&self) -> Result<StoreInfo> {
        self.reached()?.info()
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        self.reached()?.keyring(org)
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        self.reached()?.keyrings()
    }

    fn sees_all_orgs(&self) -> Result<bool> {
        self.reached()?.sees_all_orgs()
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        self.reached()?.key_uses(org)
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        run(&self.before);
        let answers = self.reached()?.fetch(wants);
        run(&self.after);
        answers
    }

    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.reached()?.fetch_latest(wants)
    }

    fn list(&self, query: &Query) -> Result<Vec<Listed>> {
        self.reached()?.list(query)
    }

    fn history(&self, target: &Target) -> Result<Option<History>> {
        self.reached()?.history(target)
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
        self.reached()?.consumers(org, secrets)
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        self.reached()?.uses(org, secrets)
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        self.reached()?.touch(org, keyring, uses)
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        self.reached()?.lanes(org)
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        self.reached()?.events(org, lane, after, limit)
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
        self.reached()?.ids(org, after, limit)
    }

    fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        self.reached()?.outcome(org, token)
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        let mut late = self.late.lock().unwrap();
        if std::mem::take(&mut late.0) {
            late.1 = Some(batch.clone());
            return Err(Error::OutcomeUnknown {
                store: self.to_string(),
                token: batch.token,
                source: "no answer".into(),
            });
        }
        drop(late);
        self.reached()?.commit(batch)
    }
}

/// One store in the middle, and two processes' worth of caches and façades around it.
pub struct Fleet {
    pub probe: Arc<Probe>,
    pub cached: Arc<CachedStore>,
    /// Through the cache.
    pub near: Secrets,
    /// Beside the cache: what others do.
    pub far: Secrets,
}

pub fn fleet(options: CacheOptions) -> Fleet {
    fleet_with(|inner| CachedStore::new(inner, options))
}

pub fn fleet_with(cache: impl FnOnce(Arc<dyn SecretStore>) -> CachedStore) -> Fleet {
    let probe = Arc::new(Probe::default());
    let cached = Arc::new(cache(Arc::clone(&probe) as Arc<dyn SecretStore>));
    let key = Arc::new(RootKey::generate().unwrap());
    let facade = |store: Arc<dyn SecretStore>| Secrets::new(store, key.clone(), Access::Unrestricted).without_usage();
    let (near, far) = (facade(cached.clone()), facade(probe.clone()));
    Fleet { probe, cached, near, far }
}

pub fn id(text: &str) -> SecretId {
    text.parse().unwrap()
}

pub fn org(text: &str) -> Part {
    id(&format!("{text}:a")).org().clone()
}

pub fn value(text: &str) -> SecretValue {
    SecretValue::copied_from(text.as_bytes())
}

pub fn put(secrets: &Secrets, at: &str, text: &str) -> SecretInfo {
    secrets.put(&id(at), &value(text), PutMode::Overwrite).unwrap()
}

/// What a task at `scope` gets, or the kind of error.
pub fn resolved(secrets: &Secrets, scope: &str, name: &str) -> String {
    let request = secretkit_core::SecretRequest::new(name.parse().unwrap());
    let outcome = secrets.resolve(&scope.parse().unwrap(), &request);
    text(outcome)
}

/// What is at an address, or the kind of error.
pub fn at(secrets: &Secrets, address: &str) -> String {
    text(secrets.get(&id(address)))
}

/// What has an id, or the kind of error.
pub fn with_id(secrets: &Secrets, of: &str, id: StableId) -> String {
    text(secrets.get(secretkit_core::SecretRef::Id(org(of), id)))
}

/// Puts everything under new keys, and those of before out of use for ever.
pub fn rotate(secrets: &Secrets, of: &str) {
    let (keys, org) = (secrets.keys(), org(of));
    for used_for in [KeyUse::Data, KeyUse::Meta, KeyUse::Digest] {
        let status = keys.status(&org).unwrap();
        let old = status.in_state(used_for, KeyState::Primary).next().unwrap().id;
        keys.promote(&org, keys.add(&org, used_for).unwrap().id).unwrap();
        keys.reencrypt(&org, 100).for_each(|progress| assert!(progress.is_ok()));
        keys.retire(&org, old).unwrap();
        keys.destroy(&org, old).unwrap();
    }
}

/// What was read, or the kind of error.
pub fn text(outcome: Result<secretkit_core::Resolved>) -> String {
    match outcome {
        Ok(found) => String::from_utf8(found.value.expose_secret().to_vec()).unwrap(),
        Err(error) => format!("({})", error.kind()),
    }
}
