//! Filling a store with a great many secrets in little time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secretkit::seal::{KeyId, KeyringRow, KeyringStamp};
use secretkit::store::{
    Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Listed, Query, StoreInfo, Target,
    Token, UsageRecord, Want,
};
use secretkit::{
    Access, Clock, KeyProvider, ManualClock, MetadataEdit, Part, PartKind, PutMode, Scope, SecretId, SecretName,
    SecretStore, SecretValue, Secrets, StableId, SystemClock,
};

use crate::Result;

/// Where the secrets of every bench live, from the outermost scope inwards.
pub(crate) const ORG: &str = "acme";
pub(crate) const TASK: &str = "acme/etl/production";

/// The name of secret `number` of those at `scope`: other scopes have other names, so that a look-up finds one row.
pub(crate) fn address(scope: &Scope, number: u32) -> secretkit::Result<SecretId> {
    let depth = scope.chain().count();
    Ok(SecretId::new(scope.clone(), SecretName::from_parts(Some("db"), &format!("key{depth}-{number:07}"))?))
}

pub(crate) fn org() -> secretkit::Result<Part> {
    Part::parse(PartKind::Org, ORG)
}

/// Fills an empty store with `count` secrets of `length` bytes at `scope`, all with this metadata.
pub(crate) fn fill(
    store: &Arc<dyn SecretStore>,
    keys: Arc<dyn KeyProvider>,
    scope: &Scope,
    count: u32,
    length: usize,
    metadata: &MetadataEdit,
) -> Result<()> {
    let gathering = Arc::new(Gathering { store: Arc::clone(store), gathered: Mutex::default() });
    let secrets = Secrets::new(Arc::clone(&gathering) as Arc<dyn SecretStore>, keys, Access::Unrestricted);
    for number in 0..count {
        let value = SecretValue::init_with(length, |bytes| {
            let digits = format!("{number:08}");
            bytes.iter_mut().zip(digits.bytes().cycle()).for_each(|(byte, digit)| *byte = digit);
        });
        secrets.put_with(&address(scope, number)?, &value, PutMode::Create, metadata)?;
        if number % 10_000 == 9_999 {
            gathering.flush()?;
        }
    }
    Ok(gathering.flush()?)
}

/// Reads each of them, so that its last use is recorded.
pub(crate) fn use_all(
    store: Arc<dyn SecretStore>,
    keys: Arc<dyn KeyProvider>,
    scope: &Scope,
    count: u32,
) -> Result<()> {
    // Fewer at a time than are remembered within a minute.
    const AT_A_TIME: usize = 1_000;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let secrets = Secrets::new(store, keys, Access::Unrestricted).with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let numbers: Vec<u32> = (0..count).collect();
    for chunk in numbers.chunks(AT_A_TIME) {
        for number in chunk {
            secrets.get(&address(scope, *number)?)?;
        }
        secrets.record_uses();
        clock.advance(Duration::from_secs(61));
    }
    Ok(())
}

/// A store in front of another that gathers what is added and commits it as one batch: a transaction for ten thousand
/// secrets and not for each. Everything it is given must be new.
#[derive(Debug)]
struct Gathering {
    store: Arc<dyn SecretStore>,
    gathered: Mutex<Batch>,
}

impl Gathering {
    fn gathered(&self) -> MutexGuard<'_, Batch> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush(&self) -> secretkit::Result<()> {
        let Commit::Applied = self.store.commit(&std::mem::take(&mut *self.gathered()))? else {
            unreachable!("nothing was expected, so nothing is refused")
        };
        Ok(())
    }
}

impl SecretStore for Gathering {
    fn info(&self) -> secretkit::Result<StoreInfo> {
        self.store.info()
    }

    fn keyring(&self, org: &Part) -> secretkit::Result<Option<KeyringRow>> {
        self.store.keyring(org)
    }

    fn keyrings(&self) -> secretkit::Result<Vec<KeyringRow>> {
        self.store.keyrings()
    }

    fn sees_all_orgs(&self) -> secretkit::Result<bool> {
        self.store.sees_all_orgs()
    }

    fn key_uses(&self, org: &Part) -> secretkit::Result<BTreeMap<KeyId, u64>> {
        self.store.key_uses(org)
    }

    fn fetch(&self, wants: &[Want]) -> secretkit::Result<Vec<Option<Fetched>>> {
        Ok(vec![None; wants.len()])
    }

    fn fetch_latest(&self, wants: &[Want]) -> secretkit::Result<Vec<Option<Fetched>>> {
        self.fetch(wants)
    }

    fn list(&self, query: &Query) -> secretkit::Result<Vec<Listed>> {
        self.store.list(query)
    }

    fn history(&self, target: &Target) -> secretkit::Result<Option<History>> {
        self.store.history(target)
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> secretkit::Result<Vec<Vec<ConsumerRecord>>> {
        self.store.consumers(org, secrets)
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> secretkit::Result<Vec<Option<UsageRecord>>> {
        self.store.uses(org, secrets)
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> secretkit::Result<()> {
        self.store.touch(org, keyring, uses)
    }

    fn lanes(&self, org: &Part) -> secretkit::Result<Vec<(Lane, LaneHead)>> {
        self.store.lanes(org)
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> secretkit::Result<Vec<EventRecord>> {
        self.store.events(org, lane, after, limit)
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> secretkit::Result<Vec<StableId>> {
        self.store.ids(org, after, limit)
    }

    fn outcome(&self, org: &Part, token: &Token) -> secretkit::Result<bool> {
        self.store.outcome(org, token)
    }

    fn commit(&self, batch: &Batch) -> secretkit::Result<Commit> {
        let mut gathered = self.gathered();
        gathered.changes.extend(batch.changes.iter().cloned());
        gathered.events.extend(batch.events.iter().cloned());
        Ok(Commit::Applied)
    }
}

impl fmt::Display for Gathering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}
