//! A store of one's own, in the fewest lines that obey every law: a vector behind a lock.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use secretkit::seal::{KeyringRow, StoreId};
use secretkit::store::{
    Batch, Change, Commit, Expect, Fetched, Found, Listed, Query, SecretStore, StoreInfo, Superseded, Target, Want,
    Within,
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

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        // The lock is held for all of them: one snapshot.
        let rows = self.rows();
        Ok(wants.iter().map(|want| rows.fetch(want)).collect())
    }

    fn list(&self, query: &Query) -> Result<Vec<Listed>> {
        let Query { within, after, limit } = query;
        let order = |id: &SecretId| (id.name().clone(), id.scope().clone());
        let rows = self.rows();
        let mut found: Vec<_> = rows
            .secrets
            .iter()
            .filter(|record| match within {
                Within::Org(org) => record.head.address.org() == org,
                Within::Exactly(scope) => record.head.address.scope() == scope,
            })
            .filter(|record| after.as_ref().is_none_or(|after| order(&record.head.address) > order(after)))
            .collect();
        found.sort_by_key(|record| order(&record.head.address));
        let listed = |record: &SecretRecord| Listed {
            head: record.head.clone(),
            mac: record.mac,
            commitment: record.sealed.commitment(),
        };
        Ok(found.into_iter().take(*limit).map(listed).collect())
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        let Batch { expectations, changes } = batch;
        let mut rows = self.rows();
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
        let record = match target {
            Target::Exact(_) | Target::Nearest(..) => target.addresses().iter().find_map(|id| self.at(id)),
            Target::Id(org, id) => self.with_id(org, *id).map(|at| &self.secrets[at]),
        }?;
        let wanted = |row: &&Superseded| row.secret == record.head.id && Some(row.revision) == *revision;
        Some(Fetched { record: record.clone(), superseded: self.superseded.iter().find(wanted).cloned() })
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
            Expect::Keyring(org, expected) => {
                let found = self.keyrings.iter().find(|row| row.org == *org).map(KeyringRow::stamp);
                (found != *expected).then(|| found.map_or(Found::Nothing, Found::Keyring))
            }
            Expect::NoSecrets(org) => {
                let any = self.secrets.iter().find(|record| record.head.address.org() == org);
                any.map(|record| Found::Secret(record.head.generation))
            }
        }
    }

    fn apply(&mut self, change: &Change) -> Result<()> {
        let misfit = || Error::Store { store: "a vector".to_owned(), source: "a change does not fit".into() };
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
            Change::Delete(org, id) => {
                self.secrets.remove(self.with_id(org, *id).ok_or_else(misfit)?);
                self.superseded.retain(|row| row.secret != *id);
            }
        }
        Ok(())
    }
}
