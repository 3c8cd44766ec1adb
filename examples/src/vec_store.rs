//! A store of one's own, in the fewest lines that obey every law: a vector behind a lock.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use secretkit::seal::{KeyId, KeyringRow, KeyringStamp, StoreId};
use secretkit::store::{
    Batch, Change, Commit, ConsumerRecord, EventRecord, Expect, Fetched, Found, History, Lane, LaneHead, Listed,
    ListedRevision, Query, SecretStore, StoreInfo, Superseded, Target, Token, UsageRecord, Want,
};
use secretkit::{Clock, Error, Part, Result, SecretId, SecretRecord, StableId, SystemClock};

/// Everything in vectors. Slow, and shows what a store has to do.
#[derive(Debug)]
pub struct VecStore {
    info: StoreInfo,
    rows: Mutex<Rows>,
}

#[derive(Clone, Debug, Default)]
struct Rows {
    keyrings: Vec<KeyringRow>,
    secrets: Vec<SecretRecord>,
    superseded: Vec<Superseded>,
    consumers: Vec<ConsumerRecord>,
    uses: Vec<UsageRecord>,
    events: Vec<EventRecord>,
}

impl VecStore {
    /// An empty one.
    ///
    /// # Errors
    /// Where the operating system gives no random bytes.
    pub fn new() -> Result<Self> {
        let info = StoreInfo { id: StoreId::generate()?, created_at: SystemClock.now() };
        Ok(Self { info, rows: Mutex::default() })
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for VecStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vector")
    }
}

impl SecretStore for VecStore {
    fn info(&self) -> Result<StoreInfo> {
        Ok(self.info)
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        Ok(self.rows().keyrings.iter().find(|row| row.org == *org).cloned())
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        let mut rows = self.rows().keyrings.clone();
        rows.sort_by_key(|row| row.org.clone());
        Ok(rows)
    }

    fn sees_all_orgs(&self) -> Result<bool> {
        Ok(true)
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        Ok(self.rows().key_uses(org))
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        // The lock is held for all of them: one snapshot.
        let rows = self.rows();
        Ok(wants.iter().map(|want| rows.fetch(want)).collect())
    }

    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.fetch(wants)
    }

    fn list(&self, query: &Query) -> Result<Vec<Listed>> {
        let Query { within, filter, after, limit } = query;
        let order = |id: &SecretId| (id.name().clone(), id.scope().clone());
        let rows = self.rows();
        let mut found: Vec<_> = rows
            .secrets
            .iter()
            .filter(|record| within.contains(record.head.address.scope()) && filter.matches(&record.head))
            .filter(|record| after.as_ref().is_none_or(|after| order(&record.head.address) > order(after)))
            .collect();
        found.sort_by_key(|record| order(&record.head.address));
        Ok(found.into_iter().take(*limit).map(listed).collect())
    }

    fn history(&self, target: &Target) -> Result<Option<History>> {
        let rows = self.rows();
        Ok(rows.find(target).map(|record| {
            let mut superseded: Vec<_> =
                rows.superseded.iter().filter(|row| row.secret == record.head.id).map(listed_revision).collect();
            superseded.sort_by_key(|row| row.revision);
            History { current: listed(record), superseded }
        }))
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
        let rows = self.rows();
        let of = |id: &StableId| {
            let known = rows.with_id(org, *id).is_some();
            let mut found: Vec<_> = rows.consumers.iter().filter(|row| known && row.secret == *id).cloned().collect();
            found.sort_by_key(|row| row.name.clone());
            found
        };
        Ok(secrets.iter().map(of).collect())
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        let rows = self.rows();
        let of = |id: &StableId| {
            rows.with_id(org, *id)?;
            rows.uses.iter().find(|row| row.secret == *id).cloned()
        };
        Ok(secrets.iter().map(of).collect())
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        // A store whose lock is held over the network would give up here instead of waiting for it.
        let mut rows = self.rows();
        if !rows.keyrings.iter().any(|row| row.org == *org && row.stamp() == keyring) {
            return Ok(());
        }
        for new in uses.iter().filter(|new| rows.with_id(org, new.secret).is_some()).cloned().collect::<Vec<_>>() {
            match rows.uses.iter_mut().find(|row| row.secret == new.secret) {
                Some(last) if last.used.at <= new.used.at => *last = new,
                Some(_) => {}
                None => rows.uses.push(new),
            }
        }
        Ok(())
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        let rows = self.rows();
        let head = |lane| Some((lane, rows.lane(org, lane).last()?.head()));
        Ok(Lane::all().filter_map(head).collect())
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        let rows = self.rows();
        Ok(rows.lane(org, lane).filter(|event| event.seq > after).take(limit).cloned().collect())
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
        let rows = self.rows();
        let heads = rows.secrets.iter().map(|record| &record.head).filter(|head| head.address.org() == org);
        let mut ids: Vec<_> = heads.map(|head| head.id).filter(|id| after.is_none_or(|after| *id > after)).collect();
        ids.sort();
        ids.truncate(limit);
        Ok(ids)
    }

    fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        Ok(self.rows().events.iter().any(|event| event.org == *org && event.token == *token))
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        let Batch { token, expectations, changes, events } = batch;
        let mut rows = self.rows();
        let applied = |event: &EventRecord| event.org == events[0].org && Some(event.token) == *token;
        if !events.is_empty() && rows.events.iter().any(applied) {
            return Ok(Commit::Applied);
        }
        for (expectation, expect) in expectations.iter().enumerate() {
            if let Some(found) = rows.contradiction(expect) {
                return Ok(Commit::Refused { expectation, found });
            }
        }
        // All or nothing: the changes go to a copy, which takes the place of the rows once all of them fit.
        let mut changed = rows.clone();
        for change in changes {
            changed.apply(change)?;
        }
        for event in events {
            changed.add(event)?;
        }
        *rows = changed;
        Ok(Commit::Applied)
    }
}

impl Rows {
    fn at(&self, address: &SecretId) -> Option<&SecretRecord> {
        self.secrets.iter().find(|record| record.head.address == *address)
    }

    fn with_id(&self, org: &Part, id: StableId) -> Option<usize> {
        self.secrets.iter().position(|record| record.head.id == id && record.head.address.org() == org)
    }

    fn fetch(&self, want: &Want) -> Option<Fetched> {
        let Want { target, revision } = want;
        let record = self.find(target)?;
        let wanted = |row: &&Superseded| row.secret == record.head.id && Some(row.revision) == *revision;
        Some(Fetched { record: record.clone(), superseded: self.superseded.iter().find(wanted).cloned() })
    }

    fn find(&self, target: &Target) -> Option<&SecretRecord> {
        match target {
            Target::Exact(_) | Target::Nearest(..) => target.addresses().iter().find_map(|id| self.at(id)),
            Target::Id(org, id) => self.with_id(org, *id).map(|at| &self.secrets[at]),
        }
    }

    fn contradiction(&self, expect: &Expect) -> Option<Found> {
        match expect {
            Expect::Absent(id) => self.at(id).map(|record| Found::Secret(record.head.generation)),
            Expect::Generation(org, id, expected) => match self.with_id(org, *id) {
                None => Some(Found::Nothing),
                Some(at) => {
                    let found = self.secrets[at].head.generation;
                    (found != *expected).then_some(Found::Secret(found))
                }
            },
            Expect::Exists(org, id) => self.with_id(org, *id).is_none().then_some(Found::Nothing),
            Expect::NoConsumers(org, id) => {
                let used = self.with_id(org, *id).is_some() && self.consumers.iter().any(|row| row.secret == *id);
                used.then_some(Found::Consumer)
            }
            Expect::ConsumerSeen(org, id, name, expected) => {
                let row = self.consumers.iter().find(|row| row.secret == *id && row.name == *name);
                let found = row.filter(|_| self.with_id(org, *id).is_some()).map(|row| row.seen.at);
                (found != *expected).then(|| found.map_or(Found::Nothing, |_| Found::Consumer))
            }
            Expect::Keyring(org, expected) => {
                let found = self.keyrings.iter().find(|row| row.org == *org).map(KeyringRow::stamp);
                (found != *expected).then(|| found.map_or(Found::Nothing, Found::Keyring))
            }
            Expect::Lane(org, lane, expected) => {
                let found = self.lane(org, *lane).last().map(EventRecord::head);
                (found != *expected).then(|| found.map_or(Found::Nothing, Found::Lane))
            }
            Expect::KeyUnused(org, key) => self.key_uses(org).get(key).map(|items| Found::Items(*items)),
            Expect::NoSecrets(org) => {
                let any = self.secrets.iter().find(|record| record.head.address.org() == org);
                any.map(|record| Found::Secret(record.head.generation))
            }
        }
    }

    fn lane(&self, org: &Part, lane: Lane) -> impl DoubleEndedIterator<Item = &EventRecord> {
        self.events.iter().filter(move |event| event.org == *org && event.lane == lane)
    }

    fn add(&mut self, event: &EventRecord) -> Result<()> {
        if self.lane(&event.org, event.lane).last().map_or(0, |last| last.seq) + 1 != event.seq {
            return Err(misfit());
        }
        self.events.push(event.clone());
        Ok(())
    }

    /// The key of each record, authenticator and digest, counted.
    fn key_uses(&self, org: &Part) -> BTreeMap<KeyId, u64> {
        let mut ids = Vec::new();
        for record in self.secrets.iter().filter(|record| record.head.address.org() == org) {
            let secret = record.head.id;
            ids.extend([record.sealed.key_id(), record.mac.key_id(), record.head.digest.key_id()]);
            for row in self.superseded.iter().filter(|row| row.secret == secret) {
                ids.extend([row.sealed.key_id(), row.mac.key_id(), row.digest.key_id()]);
            }
            ids.extend(self.consumers.iter().filter(|row| row.secret == secret).map(|row| row.mac.key_id()));
        }
        ids.extend(self.events.iter().filter(|event| event.org == *org).map(|event| event.mac.key_id()));
        let mut uses = BTreeMap::new();
        ids.into_iter().for_each(|id| *uses.entry(id).or_default() += 1);
        uses
    }

    fn apply(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::Keyring(row) => {
                self.keyrings.retain(|kept| kept.org != row.org);
                self.keyrings.push(row.clone());
            }
            Change::Insert(record) => {
                let (address, id) = (&record.head.address, record.head.id);
                if self.secrets.iter().any(|other| other.head.address == *address || other.head.id == id) {
                    return Err(misfit());
                }
                self.secrets.push(record.clone());
            }
            Change::Replace(record, superseded) => {
                let head = &record.head;
                let at = self.with_id(head.address.org(), head.id).ok_or_else(misfit)?;
                let foreign = superseded.as_ref().is_some_and(|row| row.secret != head.id);
                if foreign || self.secrets[at].head.address != head.address {
                    return Err(misfit());
                }
                self.superseded.extend(superseded.clone());
                self.superseded.retain(|row| row.secret != head.id || row.revision >= head.first_revision);
                self.secrets[at] = record.clone();
            }
            Change::ReplaceRevision(org, row) => {
                self.with_id(org, row.secret).ok_or_else(misfit)?;
                let same = |kept: &&mut Superseded| (kept.secret, kept.revision) == (row.secret, row.revision);
                *self.superseded.iter_mut().find(same).ok_or_else(misfit)? = row.clone();
            }
            Change::Delete(org, id) => {
                let at = self.with_id(org, *id).ok_or_else(misfit)?;
                if self.consumers.iter().any(|row| row.secret == *id) {
                    return Err(misfit());
                }
                self.secrets.remove(at);
                self.superseded.retain(|row| row.secret != *id);
                self.uses.retain(|row| row.secret != *id);
            }
            Change::Register(org, consumer) => {
                self.with_id(org, consumer.secret).ok_or_else(misfit)?;
                self.consumers.retain(|row| row.secret != consumer.secret || row.name != consumer.name);
                self.consumers.push(consumer.clone());
            }
            Change::Unregister(org, id, name) => {
                if self.with_id(org, *id).is_some() {
                    self.consumers.retain(|row| row.secret != *id || row.name != *name);
                }
            }
        }
        Ok(())
    }
}

fn misfit() -> Error {
    Error::Store { store: "a vector".to_owned(), source: "a change does not fit".into() }
}

fn listed(record: &SecretRecord) -> Listed {
    let SecretRecord { head, mac, sealed } = record;
    Listed { head: head.clone(), mac: *mac, commitment: sealed.commitment() }
}

fn listed_revision(row: &Superseded) -> ListedRevision {
    let Superseded { secret, revision, valued, digest, mac, sealed } = row;
    let (valued, commitment) = (valued.clone(), sealed.commitment());
    ListedRevision { secret: *secret, revision: *revision, valued, digest: *digest, mac: *mac, commitment }
}
