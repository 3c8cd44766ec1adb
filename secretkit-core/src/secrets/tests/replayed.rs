//! A store that goes back to how it was, as an old copy in its place does, also under a running process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};

use crate::error::{Error, Result};
use crate::id::StableId;
use crate::memory::MemoryStore;
use crate::part::Part;
use crate::seal::{KeyId, KeyringRow, KeyringStamp};
use crate::store::{
    Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Listed, Query, SecretStore,
    StoreInfo, Target, Token, UsageRecord, Want,
};

/// Where, and what.
pub(super) type Fault<At> = (At, fn() -> Error);

#[derive(Debug)]
pub(super) struct Replayed {
    info: StoreInfo,
    inner: RwLock<MemoryStore>,
    commits: Mutex<Vec<Batch>>,
    /// What it says where one of the rows that are asked for is the event of this number, or the use of this secret.
    pub(super) of_event: Mutex<Option<Fault<u64>>>,
    pub(super) of_use: Mutex<Option<Fault<StableId>>>,
    /// What it reads where it need not be the latest, as a cache does.
    stale: RwLock<Option<MemoryStore>>,
    /// What it lists and fetches in place of what it is asked for.
    pub(super) lists: Mutex<Option<Query>>,
    pub(super) fetches: Mutex<Option<Target>>,
    /// Where it says that lanes end, in place of where they do.
    pub(super) ends: Mutex<Option<Vec<(Lane, LaneHead)>>>,
    /// How many times more somebody else is writing when a use is to be recorded.
    pub(super) busy: AtomicUsize,
    /// Whether it takes no commit any more.
    pub(super) is_full: AtomicBool,
}

impl Replayed {
    pub(super) fn new() -> Self {
        let inner = MemoryStore::new();
        Self {
            info: inner.info().unwrap(),
            inner: RwLock::new(inner),
            commits: Mutex::default(),
            of_event: Mutex::default(),
            of_use: Mutex::default(),
            stale: RwLock::default(),
            lists: Mutex::default(),
            fetches: Mutex::default(),
            ends: Mutex::default(),
            busy: AtomicUsize::new(0),
            is_full: AtomicBool::new(false),
        }
    }

    /// Every commit so far.
    pub(super) fn commits(&self) -> Vec<Batch> {
        self.commits.lock().unwrap().clone()
    }

    /// The whole store as only these commits would have made it.
    pub(super) fn replay(&self, commits: &[Batch]) {
        *self.inner.write().unwrap() = made_by(commits);
        *self.commits.lock().unwrap() = commits.to_vec();
    }

    /// Whatever may come from a cache comes from one of then.
    pub(super) fn cache(&self, commits: &[Batch]) {
        *self.stale.write().unwrap() = Some(made_by(commits));
    }

    fn fetched(&self, wants: &[Want]) -> Vec<Want> {
        let other = self.fetches.lock().unwrap();
        let instead = |want: &Want| Want { target: other.clone().unwrap_or(want.target.clone()), ..*want };
        wants.iter().map(instead).collect()
    }

    /// What somebody does who can write to the store.
    pub(super) fn behind(&self, batch: &Batch) {
        assert_eq!(self.inner.read().unwrap().commit(batch).unwrap(), Commit::Applied);
    }
}

fn made_by(commits: &[Batch]) -> MemoryStore {
    let store = MemoryStore::new();
    for commit in commits {
        assert_eq!(store.commit(commit).unwrap(), Commit::Applied);
    }
    store
}

macro_rules! passed_on {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self $(, $argument: $type)*) -> Result<$answer> {
            self.inner.read().unwrap().$name($($argument),*)
        })*
    };
}

impl SecretStore for Replayed {
    fn info(&self) -> Result<StoreInfo> {
        Ok(self.info)
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(Error::Full { store: self.to_string() });
        }
        let committed = self.inner.read().unwrap().commit(batch)?;
        if committed == Commit::Applied {
            self.commits.lock().unwrap().push(batch.clone());
        }
        Ok(committed)
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        let events = self.inner.read().unwrap().events(org, lane, after, limit)?;
        match *self.of_event.lock().unwrap() {
            Some((seq, error)) if events.iter().any(|event| event.seq == seq) => Err(error()),
            _ => Ok(events),
        }
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        match *self.of_use.lock().unwrap() {
            Some((secret, error)) if secrets.contains(&secret) => Err(error()),
            _ => self.inner.read().unwrap().uses(org, secrets),
        }
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        let wants = &self.fetched(wants);
        match &*self.stale.read().unwrap() {
            Some(stale) => stale.fetch(wants),
            None => self.inner.read().unwrap().fetch(wants),
        }
    }

    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.inner.read().unwrap().fetch_latest(&self.fetched(wants))
    }

    fn list(&self, query: &Query) -> Result<Vec<Listed>> {
        self.inner.read().unwrap().list(self.lists.lock().unwrap().as_ref().unwrap_or(query))
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        let once_less = |times: usize| times.checked_sub(1);
        match self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, once_less) {
            Ok(_) => Err(Error::Busy { store: self.to_string() }),
            Err(_) => self.inner.read().unwrap().touch(org, keyring, uses),
        }
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        match &*self.ends.lock().unwrap() {
            Some(ends) => Ok(ends.clone()),
            None => self.inner.read().unwrap().lanes(org),
        }
    }

    passed_on! {
        fn keyring(org: &Part) -> Option<KeyringRow>;
        fn keyrings() -> Vec<KeyringRow>;
        fn sees_all_orgs() -> bool;
        fn key_uses(org: &Part) -> BTreeMap<KeyId, u64>;
        fn history(target: &Target) -> Option<History>;
        fn consumers(org: &Part, secrets: &[StableId]) -> Vec<Vec<ConsumerRecord>>;
        fn ids(org: &Part, after: Option<StableId>, limit: usize) -> Vec<StableId>;
        fn outcome(org: &Part, token: &Token) -> bool;
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("replayed")
    }
}
