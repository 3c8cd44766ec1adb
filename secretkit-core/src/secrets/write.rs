//! Writing: read the head, seal the next revision, commit if nobody came in between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Secrets;
use super::keys::lost_keyring;
use super::read::not_found;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::head::{Head, Stamp};
use crate::id::{SecretId, StableId};
use crate::metadata::Metadata;
use crate::part::Part;
use crate::record::{Generation, Revision, RevisionRecord, SecretInfo, SecretRecord};
use crate::seal::{KeyringRow, OrgKeys, SealedValue, random};
use crate::store::{Batch, Change, Commit, Expect, Target};
use crate::value::SecretValue;

/// Under which condition a value is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "with `Secrets::update` these are all the conditions there are")]
pub enum PutMode {
    /// Only where no such secret exists; [`Error::AlreadyExists`] otherwise.
    Create,
    /// Whether it exists or not. An existing one keeps its id and metadata.
    Overwrite,
    /// Only at this generation; [`Error::Conflict`] at another, [`Error::NotFound`] where there is none.
    Update(Generation),
}

/// What a write demands of the secret that it finds.
#[derive(Clone, Copy)]
enum Demand {
    Absent,
    Anything,
    Present,
    At(Generation),
}

/// A batch that is ready to commit, and what comes of it.
struct Prepared<T> {
    batch: Batch,
    /// The org's first keys, which the batch brings.
    new_keys: Option<Arc<OrgKeys>>,
    outcome: T,
}

/// What stands at a target: its checked head and its record.
type Standing = (SecretInfo, SealedValue);

impl Secrets {
    /// Writes a value at exactly this address.
    ///
    /// An existing secret keeps its id and metadata; the value it had is kept as a superseded revision.
    ///
    /// # Errors
    /// Those of the mode, [`Error::TooLarge`], [`Error::Contended`] where others kept getting in between for five
    /// seconds, and what the store and the root key say. On each of them nothing was changed, except after
    /// [`Error::OutcomeUnknown`].
    pub fn put(&self, id: &SecretId, value: &SecretValue, mode: PutMode) -> Result<SecretInfo> {
        let demand = match mode {
            PutMode::Create => Demand::Absent,
            PutMode::Overwrite => Demand::Anything,
            PutMode::Update(generation) => Demand::At(generation),
        };
        self.put_value(&Target::Exact(id.clone()), value, demand)
    }

    /// Writes a value over the secret at exactly this address, whatever its generation.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none, and those of [`put`](Self::put).
    pub fn update(&self, id: &SecretId, value: &SecretValue) -> Result<SecretInfo> {
        self.put_value(&Target::Exact(id.clone()), value, Demand::Present)
    }

    /// Writes a value over the secret with this id, if it is in this org, and only at the expected generation if one
    /// is given.
    ///
    /// # Errors
    /// [`Error::IdNotFound`], [`Error::Conflict`] at another generation, and those of [`put`](Self::put).
    pub fn update_by_id(
        &self,
        org: &Part,
        id: StableId,
        value: &SecretValue,
        expected: Option<Generation>,
    ) -> Result<SecretInfo> {
        self.put_value(&Target::Id(org.clone(), id), value, expected.map_or(Demand::Present, Demand::At))
    }

    /// Removes the secret at exactly this address with all its revisions, and returns what it was.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Contended`], and what the store and the root key say.
    pub fn delete(&self, id: &SecretId) -> Result<SecretInfo> {
        self.delete_target(&Target::Exact(id.clone()))
    }

    /// Removes the secret with this id, if it is in this org.
    ///
    /// # Errors
    /// [`Error::IdNotFound`] and those of [`delete`](Self::delete).
    pub fn delete_by_id(&self, org: &Part, id: StableId) -> Result<SecretInfo> {
        self.delete_target(&Target::Id(org.clone(), id))
    }

    fn put_value(&self, target: &Target, value: &SecretValue, demand: Demand) -> Result<SecretInfo> {
        self.authorize()?;
        self.check_length(value)?;
        self.until_committed(target, |found| {
            meets(demand, target, found.as_ref().map(|(info, _)| info))?;
            match (found, target) {
                (Some((info, sealed)), _) => self.prepare_replace(info, sealed, value),
                (None, Target::Exact(id)) => self.prepare_insert(id, value),
                (None, Target::Nearest(..) | Target::Id(..)) => Err(not_found(target)),
            }
        })
        .map(SecretInfo::committed)
    }

    fn delete_target(&self, target: &Target) -> Result<SecretInfo> {
        self.authorize()?;
        self.until_committed(target, |found| {
            let (info, _) = found.ok_or_else(|| not_found(target))?;
            let org = info.address.org().clone();
            let batch = Batch {
                expectations: vec![Expect::Generation(org.clone(), info.id, info.generation)],
                changes: vec![Change::Delete(org, info.id)],
            };
            Ok(Prepared { batch, new_keys: None, outcome: info })
        })
    }

    /// Reads what stands at `target`, lets `prepare` decide, commits; and once more where somebody came in between,
    /// until the deadline. `prepare` is where a demand that cannot be met any more ends it.
    fn until_committed<T>(
        &self,
        target: &Target,
        prepare: impl Fn(Option<Standing>) -> Result<Prepared<T>>,
    ) -> Result<T> {
        let started = Instant::now();
        let mut pause = Duration::from_micros(100);
        loop {
            let Prepared { batch, new_keys, outcome } = prepare(self.current(target)?)?;
            match self.store.commit(&batch)? {
                Commit::Applied => {
                    if let Some(keys) = new_keys {
                        self.remember(keys, target.org());
                    }
                    return Ok(outcome);
                }
                Commit::Refused { expectation, found: _ } => match batch.expectations.get(expectation) {
                    Some(Expect::Keyring(..)) => self.forget(target.org()),
                    Some(Expect::NoSecrets(org)) => return Err(lost_keyring(org)),
                    _ => {}
                },
            }
            if started.elapsed() >= Self::DEADLINE {
                return Err(Error::Contended { store: self.store.to_string() });
            }
            // Two writers that met once should not meet again at once.
            std::thread::sleep(pause.mul_f64(f64::from(random::<1>()?[0]) / 255.0));
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    fn prepare_insert(&self, id: &SecretId, value: &SecretValue) -> Result<Prepared<Head>> {
        let (keys, keyring) = self.keys_for_write(id.org())?;
        let now = self.clock.now();
        let secret = StableId::generate(now, &random()?);
        let stamp = Stamp { at: now, by: self.actor.clone() };
        let head = Head {
            id: secret,
            address: id.clone(),
            generation: Generation::FIRST,
            revision: Revision::FIRST,
            first_revision: Revision::FIRST,
            keep: None,
            metadata: Metadata::default(),
            created: stamp.clone(),
            updated: stamp.clone(),
            valued: stamp,
            digest: Digest(keys.digest(id, value, None)?),
        };
        let record = self.signed(&keys, head, value)?;
        let head = record.head.clone();
        Ok(Prepared::new(keys, keyring, Expect::Absent(id.clone()), Change::Insert(record), head))
    }

    fn prepare_replace(&self, info: SecretInfo, sealed: SealedValue, value: &SecretValue) -> Result<Prepared<Head>> {
        let (keys, keyring) = self.keys_for_write(info.address.org())?;
        let superseded = RevisionRecord::supersede(&info, sealed, &keys)?;
        let expected = Expect::Generation(info.address.org().clone(), info.id, info.generation);
        let stamp = Stamp { at: self.clock.now(), by: self.actor.clone() };
        let mut head = info.into_head();
        head.generation = head.generation.next();
        head.revision = head.revision.next();
        head.first_revision = self.first_kept(&head);
        head.digest = Digest(keys.digest(&head.address, value, None)?);
        head.updated = stamp.clone();
        head.valued = stamp;
        let record = self.signed(&keys, head, value)?;
        let kept = Some(superseded).filter(|old| old.revision >= record.head.first_revision);
        let head = record.head.clone();
        Ok(Prepared::new(keys, keyring, expected, Change::Replace(record, kept), head))
    }

    /// The oldest revision that a secret keeps beside its current one.
    fn first_kept(&self, head: &Head) -> Revision {
        let keep = u64::from(head.keep.unwrap_or(self.keep));
        let first = Revision::new(head.revision.number().saturating_sub(keep)).unwrap_or(Revision::FIRST);
        first.max(head.first_revision)
    }

    fn signed(&self, keys: &OrgKeys, head: Head, value: &SecretValue) -> Result<SecretRecord> {
        let sealed = keys.seal(&head.address, &head.id, head.revision, value)?;
        let mac = head.sign(keys, sealed.commitment())?;
        Ok(SecretRecord { head, mac, sealed })
    }
}

impl Prepared<Head> {
    /// One change under its own expectation and that of the keyring it was sealed with.
    fn new(keys: Arc<OrgKeys>, keyring: Option<KeyringRow>, expect: Expect, change: Change, head: Head) -> Self {
        let org = || head.address.org().clone();
        let expectations = match keyring {
            None => vec![expect, Expect::Keyring(org(), Some(keys.stamp()))],
            Some(_) => vec![expect, Expect::Keyring(org(), None), Expect::NoSecrets(org())],
        };
        let new_keys = keyring.is_some().then_some(keys);
        let changes = keyring.map(Change::Keyring).into_iter().chain([change]).collect();
        Self { batch: Batch { expectations, changes }, new_keys, outcome: head }
    }
}

fn meets(demand: Demand, target: &Target, found: Option<&SecretInfo>) -> Result<()> {
    match (demand, found) {
        (Demand::Absent, Some(info)) => Err(Error::AlreadyExists { id: info.address.clone() }),
        (Demand::Present | Demand::At(_), None) => Err(not_found(target)),
        (Demand::At(expected), Some(info)) if info.generation != expected => {
            Err(Error::Conflict { id: info.address.clone(), expected, found: Some(info.generation) })
        }
        _ => Ok(()),
    }
}
