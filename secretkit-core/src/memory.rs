//! A store in this process's memory: for tests and examples, with the same laws as every other.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::error::{Error, Result};
use crate::id::{SecretId, SecretName, StableId};
use crate::part::Part;
use crate::record::{ListedSecret, Revision, SecretRecord};
use crate::scope::Scope;
use crate::seal::{KeyId, KeyringRow, KeyringStamp, StoreId};
use crate::store::{
    Batch, Change, Commit, ConsumerRecord, EventRecord, Expect, Fetched, Found, History, Lane, LaneHead,
    ListedRevision, Query, SecretStore, StoreInfo, Superseded, Target, Token, UsageRecord, Want,
};
use crate::time::{Clock, SystemClock};
use crate::usage::Consumer;

/// A store in this process's memory. It holds sealed bytes only, like every other, and is gone when dropped.
pub struct MemoryStore {
    info: StoreInfo,
    rows: RwLock<Rows>,
}

#[derive(Clone, Default)]
struct Rows {
    keyrings: HashMap<Part, KeyringRow>,
    lanes: BTreeMap<(Part, Lane), Vec<EventRecord>>,
    tokens: HashSet<(Part, Token)>,
    secrets: HashMap<SecretId, Row>,
    /// The order of listings: name first, then scope.
    order: BTreeSet<(Part, SecretName, Scope)>,
    addresses: HashMap<StableId, SecretId>,
}

#[derive(Clone)]
struct Row {
    record: SecretRecord,
    superseded: BTreeMap<Revision, Superseded>,
    consumers: BTreeMap<Consumer, ConsumerRecord>,
    used: Option<UsageRecord>,
}

impl MemoryStore {
    /// An empty one.
    ///
    /// # Panics
    /// Where the operating system gives no random bytes; nothing that seals could work there.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a constructor for tests that returns a result would be a nuisance in each")]
    pub fn new() -> Self {
        let id = StoreId::generate().expect("the operating system gives random bytes");
        Self { info: StoreInfo { id, created_at: SystemClock.now() }, rows: RwLock::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Rows> {
        // A commit checks everything before it changes anything, so that a panic leaves nothing half done.
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Rows> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl SecretStore for MemoryStore {
    fn info(&self) -> Result<StoreInfo> {
        Ok(self.info)
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        Ok(self.read().keyrings.get(org).cloned())
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        let mut rows: Vec<_> = self.read().keyrings.values().cloned().collect();
        rows.sort_by(|one, other| one.org.cmp(&other.org));
        Ok(rows)
    }

    fn sees_all_orgs(&self) -> Result<bool> {
        Ok(true)
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        Ok(self.read().key_uses(org))
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        let rows = self.read();
        Ok(wants.iter().map(|want| rows.fetch(want)).collect())
    }

    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.fetch(wants)
    }

    fn list(&self, query: &Query) -> Result<Vec<ListedSecret>> {
        Ok(self.read().list(query))
    }

    fn history(&self, target: &Target) -> Result<Option<History>> {
        let rows = self.read();
        Ok(rows.row(target).map(|row| History {
            current: row.listed(),
            superseded: row.superseded.values().map(listed_revision).collect(),
        }))
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
        let rows = self.read();
        let consumers = |id: &StableId| rows.with_id(org, *id).map(|row| row.consumers.values().cloned().collect());
        Ok(secrets.iter().map(|id| consumers(id).unwrap_or_default()).collect())
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        let rows = self.read();
        Ok(secrets.iter().map(|id| rows.with_id(org, *id)?.used.clone()).collect())
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        // Nobody holds the lock while waiting for anything.
        let mut rows = self.write();
        if rows.keyrings.get(org).map(KeyringRow::stamp) != Some(keyring) {
            return Ok(());
        }
        for used in uses {
            if let Some(row) = rows.with_id_mut(org, used.secret)
                && row.used.as_ref().is_none_or(|last| last.used.at <= used.used.at)
            {
                row.used = Some(used.clone());
            }
        }
        Ok(())
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        let rows = self.read();
        let head = |lane| rows.lane(org, lane).last().map(|event| (lane, event.head()));
        Ok(Lane::all().filter_map(head).collect())
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        let rows = self.read();
        Ok(rows.lane(org, lane).iter().filter(|event| event.seq > after).take(limit).cloned().collect())
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
        let rows = self.read();
        let of_org = rows.addresses.iter().filter(|(_, address)| address.org() == org);
        let mut ids: Vec<_> = of_org.map(|(id, _)| *id).filter(|id| after.is_none_or(|after| *id > after)).collect();
        ids.sort();
        ids.truncate(limit);
        Ok(ids)
    }

    fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        Ok(self.read().tokens.contains(&(org.clone(), *token)))
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        let Batch { token, expectations, changes, events } = batch;
        let mut rows = self.write();
        let applied =
            |event: &EventRecord| token.is_some_and(|token| rows.tokens.contains(&(event.org.clone(), token)));
        if events.iter().any(applied) {
            return Ok(Commit::Applied);
        }
        for (expectation, expect) in expectations.iter().enumerate() {
            if let Some(found) = rows.contradiction(expect) {
                return Ok(Commit::Refused { expectation, found });
            }
        }
        Constraints::default().check(&rows, changes)?;
        rows.check_events(events)?;
        for change in changes {
            rows.apply(change);
        }
        for event in events {
            rows.tokens.insert((event.org.clone(), event.token));
            rows.lanes.entry((event.org.clone(), event.lane)).or_default().push(event.clone());
        }
        Ok(Commit::Applied)
    }
}

impl Rows {
    fn fetch(&self, want: &Want) -> Option<Fetched> {
        let Want { target, revision } = want;
        let row = self.row(target)?;
        let superseded = revision.and_then(|revision| row.superseded.get(&revision).cloned());
        Some(Fetched { record: row.record.clone(), superseded })
    }

    fn row(&self, target: &Target) -> Option<&Row> {
        match target {
            Target::Exact(id) => self.secrets.get(id),
            Target::Nearest(scope, name) => SecretId::chain(scope, name).find_map(|id| self.secrets.get(&id)),
            Target::Id(org, id) => self.with_id(org, *id),
        }
    }

    fn with_id(&self, org: &Part, id: StableId) -> Option<&Row> {
        let address = self.addresses.get(&id).filter(|address| address.org() == org)?;
        self.secrets.get(address)
    }

    fn with_id_mut(&mut self, org: &Part, id: StableId) -> Option<&mut Row> {
        let address = self.addresses.get(&id).filter(|address| address.org() == org)?;
        self.secrets.get_mut(address)
    }

    fn list(&self, query: &Query) -> Vec<ListedSecret> {
        let Query { within, filter, after, limit } = query;
        let org = within.org();
        let start = match after {
            Some(id) => Bound::Excluded((org.clone(), id.name().clone(), id.scope().clone())),
            None => Bound::Unbounded,
        };
        self.order
            .range((start, Bound::Unbounded))
            .skip_while(|(of, ..)| of < org)
            .take_while(|(of, ..)| of == org)
            .filter(|(_, _, scope)| within.contains(scope))
            .filter_map(|(_, name, scope)| self.secrets.get(&SecretId::new(scope.clone(), name.clone())))
            .filter(|row| filter.matches(&row.record.head))
            .map(Row::listed)
            .take(*limit)
            .collect()
    }

    /// What is there instead of what is expected; `None` where the expectation holds.
    fn contradiction(&self, expect: &Expect) -> Option<Found> {
        match expect {
            Expect::Absent(id) => self.secrets.get(id).map(|row| Found::Secret(row.record.head.generation)),
            Expect::Generation(org, id, expected) => match self.with_id(org, *id) {
                None => Some(Found::Nothing),
                Some(row) => Some(row.record.head.generation).filter(|found| found != expected).map(Found::Secret),
            },
            Expect::Exists(org, id) => self.with_id(org, *id).is_none().then_some(Found::Nothing),
            Expect::NoConsumers(org, id) => {
                let used = self.with_id(org, *id).is_some_and(|row| !row.consumers.is_empty());
                used.then_some(Found::Consumer)
            }
            Expect::ConsumerSeen(org, id, name, expected) => {
                let row = self.with_id(org, *id).and_then(|row| row.consumers.get(name));
                let found = row.map(|row| row.seen.at);
                (found != *expected).then(|| found.map_or(Found::Nothing, |_| Found::Consumer))
            }
            Expect::Keyring(org, expected) => {
                let found = self.keyrings.get(org).map(KeyringRow::stamp);
                (found != *expected).then(|| found.map_or(Found::Nothing, Found::Keyring))
            }
            Expect::Lane(org, lane, expected) => {
                let found = self.lane(org, *lane).last().map(EventRecord::head);
                (found != *expected).then(|| found.map_or(Found::Nothing, Found::Lane))
            }
            Expect::KeyUnused(org, key) => self.key_uses(org).get(key).map(|items| Found::Items(*items)),
            Expect::NoSecrets(org) => {
                let any = self.secrets.values().find(|row| row.record.head.address.org() == org);
                any.map(|row| Found::Secret(row.record.head.generation))
            }
        }
    }

    fn key_uses(&self, org: &Part) -> BTreeMap<KeyId, u64> {
        let mut uses = BTreeMap::new();
        for row in self.secrets.iter().filter(|(address, _)| address.org() == org).map(|(_, row)| row) {
            row.key_ids(|key| *uses.entry(key).or_default() += 1);
        }
        for event in Lane::all().flat_map(|lane| self.lane(org, lane)) {
            *uses.entry(event.mac.key_id()).or_default() += 1;
        }
        uses
    }

    fn lane(&self, org: &Part, lane: Lane) -> &[EventRecord] {
        self.lanes.get(&(org.clone(), lane)).map_or(&[], Vec::as_slice)
    }

    /// Each must follow the end of its lane.
    fn check_events(&self, events: &[EventRecord]) -> Result<()> {
        let mut ends = HashMap::new();
        for event in events {
            let end =
                ends.entry((&event.org, event.lane)).or_insert_with(|| self.lane(&event.org, event.lane).len() as u64);
            *end += 1;
            if event.seq != *end {
                return Err(misfit());
            }
        }
        Ok(())
    }

    /// Whether this revision is kept already.
    fn keeps(&self, row: &Superseded) -> bool {
        let address = self.addresses.get(&row.secret);
        let secret = address.and_then(|address| self.secrets.get(address));
        secret.is_some_and(|secret| secret.superseded.contains_key(&row.revision))
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Keyring(row) => {
                self.keyrings.insert(row.org.clone(), row.clone());
            }
            Change::Insert(record) => {
                let address = record.head.address.clone();
                self.order.insert(order_key(&address));
                self.addresses.insert(record.head.id, address.clone());
                self.secrets.insert(address, Row::new(record.clone()));
            }
            Change::Replace(record, superseded) => {
                if let Some(row) = self.secrets.get_mut(&record.head.address) {
                    row.superseded.extend(superseded.clone().map(|kept| (kept.revision, kept)));
                    row.superseded.retain(|revision, _| *revision >= record.head.first_revision);
                    row.record = record.clone();
                }
            }
            Change::ReplaceRevision(org, superseded) => {
                if let Some(row) = self.with_id_mut(org, superseded.secret) {
                    row.superseded.insert(superseded.revision, superseded.clone());
                }
            }
            Change::Delete(_, id) => {
                if let Some(address) = self.addresses.remove(id) {
                    self.order.remove(&order_key(&address));
                    self.secrets.remove(&address);
                }
            }
            Change::Register(org, consumer) => {
                if let Some(row) = self.with_id_mut(org, consumer.secret) {
                    row.consumers.insert(consumer.name.clone(), consumer.clone());
                }
            }
            Change::Unregister(org, id, name) => {
                if let Some(row) = self.with_id_mut(org, *id) {
                    row.consumers.remove(name);
                }
            }
        }
    }
}

impl Row {
    const fn new(record: SecretRecord) -> Self {
        Self { record, superseded: BTreeMap::new(), consumers: BTreeMap::new(), used: None }
    }

    /// The key of each record, authenticator and digest.
    fn key_ids(&self, mut each: impl FnMut(KeyId)) {
        let Self { record: SecretRecord { head, mac, sealed }, superseded, consumers, used: _ } = self;
        [sealed.key_id(), mac.key_id(), head.digest.key_id()].into_iter().for_each(&mut each);
        for Superseded { sealed, mac, digest, .. } in superseded.values() {
            [sealed.key_id(), mac.key_id(), digest.key_id()].into_iter().for_each(&mut each);
        }
        consumers.values().map(|row| row.mac.key_id()).for_each(&mut each);
    }

    fn listed(&self) -> ListedSecret {
        let SecretRecord { head, mac, sealed } = &self.record;
        ListedSecret { head: head.clone(), mac: *mac, commitment: sealed.commitment() }
    }
}

fn listed_revision(row: &Superseded) -> ListedRevision {
    let Superseded { secret, revision, valued, digest, mac, sealed } = row;
    let (valued, commitment) = (valued.clone(), sealed.commitment());
    ListedRevision { secret: *secret, revision: *revision, valued, digest: *digest, mac: *mac, commitment }
}

/// The constraints that a database has as unique indexes, checked against the rows and the batch's earlier changes.
#[derive(Default)]
struct Constraints<'a> {
    addresses: HashMap<&'a SecretId, bool>,
    ids: HashMap<StableId, Option<&'a SecretId>>,
    consumers: HashMap<StableId, BTreeSet<&'a Consumer>>,
}

impl<'a> Constraints<'a> {
    fn check(mut self, rows: &'a Rows, changes: &'a [Change]) -> Result<()> {
        for change in changes {
            let fits = match change {
                Change::Keyring(_) => true,
                Change::Insert(SecretRecord { head, .. }) => {
                    let free = !self.taken(rows, &head.address) && self.address(rows, head.id).is_none();
                    self.note(&head.address, head.id, true);
                    free
                }
                Change::Replace(SecretRecord { head, .. }, superseded) => {
                    let keeps_its_own = |row: &Superseded| row.secret == head.id && !rows.keeps(row);
                    self.address(rows, head.id) == Some(&head.address) && superseded.as_ref().is_none_or(keeps_its_own)
                }
                Change::ReplaceRevision(org, row) => {
                    self.address(rows, row.secret).is_some_and(|address| address.org() == org) && rows.keeps(row)
                }
                Change::Delete(org, id) => match self.address(rows, *id).filter(|address| address.org() == org) {
                    Some(address) => {
                        self.note(address, *id, false);
                        self.consumers(rows, *id).is_empty()
                    }
                    None => false,
                },
                Change::Register(org, ConsumerRecord { secret, name, .. }) => {
                    self.consumers(rows, *secret).insert(name);
                    self.address(rows, *secret).is_some_and(|address| address.org() == org)
                }
                Change::Unregister(org, id, name) => {
                    if self.address(rows, *id).is_some_and(|address| address.org() == org) {
                        self.consumers(rows, *id).remove(name);
                    }
                    true
                }
            };
            if !fits {
                return Err(misfit());
            }
        }
        Ok(())
    }

    fn taken(&self, rows: &Rows, address: &SecretId) -> bool {
        self.addresses.get(address).copied().unwrap_or_else(|| rows.secrets.contains_key(address))
    }

    fn address(&self, rows: &'a Rows, id: StableId) -> Option<&'a SecretId> {
        self.ids.get(&id).copied().unwrap_or_else(|| rows.addresses.get(&id))
    }

    fn consumers(&mut self, rows: &'a Rows, id: StableId) -> &mut BTreeSet<&'a Consumer> {
        self.consumers.entry(id).or_insert_with(|| {
            let row = rows.addresses.get(&id).and_then(|address| rows.secrets.get(address));
            row.map(|row| row.consumers.keys().collect()).unwrap_or_default()
        })
    }

    fn note(&mut self, address: &'a SecretId, id: StableId, present: bool) {
        self.addresses.insert(address, present);
        self.ids.insert(id, present.then_some(address));
    }
}

fn misfit() -> Error {
    let source = "a change does not fit what is stored; expect what it relies on".into();
    Error::Store { store: "memory".to_owned(), source }
}

fn order_key(address: &SecretId) -> (Part, SecretName, Scope) {
    (address.org().clone(), address.name().clone(), address.scope().clone())
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

/// Counts only: a derived one would print the whole store into somebody's log.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({} secrets)", self.read().secrets.len())
    }
}
