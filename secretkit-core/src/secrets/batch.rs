//! What goes into one commit, and the loop that tries it until nobody came in between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Secrets;
use super::anchor::keyring_version;
use super::keys::lost_keyring;
use super::lanes::Lease;
use crate::digest::Digest;
use crate::edit::MetadataEdit;
use crate::error::{Error, Result};
use crate::event::{Action, Draft, EventRecord, Subject, Token};
use crate::head::{Head, Stamp};
use crate::id::{SecretId, StableId};
use crate::metadata::Metadata;
use crate::part::Part;
use crate::record::{Generation, Revision, SecretInfo, SecretRecord};
use crate::seal::{KeyringRow, OrgKeys, SealedValue, random};
use crate::store::{Batch, Change, Commit, Expect, Superseded};
use crate::usage::Consumer;
use crate::value::SecretValue;

/// What one attempt at a write comes to.
pub(super) enum Attempt<T> {
    /// There is nothing to write.
    Unchanged(T),
    /// This is to be committed, and then that is so.
    Commit(Box<Prepared>, T),
}

/// A batch that is ready to commit.
pub(super) struct Prepared {
    batch: Batch,
    /// The org's first keys, which the batch brings.
    new_keys: Option<Arc<OrgKeys>>,
    /// Nobody else of this process writes to it meanwhile.
    lane: Option<Lease>,
}

/// Gathers changes to one org, each with what it relies on, all under the same keys.
pub(super) struct BatchBuilder<'a> {
    pub(super) secrets: &'a Secrets,
    pub(super) org: Part,
    pub(super) keys: Arc<OrgKeys>,
    keyring: Option<KeyringRow>,
    pub(super) expectations: Vec<Expect>,
    pub(super) changes: Vec<Change>,
    token: Token,
    events: Vec<EventRecord>,
    /// The lane of the events, from the first one on.
    lane: Option<Lease>,
}

impl<'a> BatchBuilder<'a> {
    pub(super) fn begin(secrets: &'a Secrets, org: &Part) -> Result<Self> {
        let (keys, keyring) = secrets.keys_for_write(org)?;
        let mut batch = Self::under(secrets, org, keys, Token::generate()?);
        if let Some(row) = &keyring {
            let subject = Subject::Keyring { version: row.version };
            batch.record(Action::CreateKeyring, subject)?;
        }
        batch.keyring = keyring;
        Ok(batch)
    }

    /// One whose events are chained with these keys, and carry the token of the commit that they become part of.
    pub(super) fn under(secrets: &'a Secrets, org: &Part, keys: Arc<OrgKeys>, token: Token) -> Self {
        let (expectations, changes, events) = (Vec::new(), Vec::new(), Vec::new());
        Self { secrets, org: org.clone(), keys, keyring: None, expectations, changes, token, events, lane: None }
    }

    /// Records what was done, in its lane.
    pub(super) fn record(&mut self, action: Action, subject: Subject) -> Result<()> {
        let draft = Draft { action, by: &self.secrets.actor, subject };
        let lane = match &mut self.lane {
            Some(lane) => lane,
            None => {
                let lane = self.secrets.lease_lane(&self.org)?;
                self.expectations.push(Expect::Lane(self.org.clone(), lane.lane(), lane.end()));
                self.lane.insert(lane)
            }
        };
        let previous = self.events.last().map(EventRecord::head).or(lane.end());
        let now = self.secrets.clock.now();
        let event = draft.chained(&self.org, (lane.lane(), previous.as_ref()), self.token, now, &self.keys)?;
        self.events.push(event);
        Ok(())
    }

    pub(super) fn record_head(&mut self, action: Action, record: &SecretRecord) -> Result<()> {
        self.record(action, subject(&record.head, Some(record.mac.tag), None))
    }

    /// A new secret at this address.
    pub(super) fn insert(&mut self, id: &SecretId, value: &SecretValue, edit: Option<&MetadataEdit>) -> Result<Head> {
        let now = self.secrets.clock.now();
        let stamp = Stamp { at: now, by: self.secrets.actor.clone() };
        let mut head = Head {
            id: StableId::generate(now, &random()?),
            address: id.clone(),
            generation: Generation::FIRST,
            revision: Revision::FIRST,
            first_revision: Revision::FIRST,
            keep: None,
            metadata: Metadata::default(),
            created: stamp.clone(),
            updated: stamp.clone(),
            valued: stamp,
            digest: Digest(self.keys.digest(id, value, None)?),
        };
        if let Some(edit) = edit {
            edit.apply(&mut head.metadata, &mut head.keep, now)?;
        }
        let sealed = self.keys.seal(&head.address, &head.id, head.revision, value)?;
        let record = self.signed(head, sealed)?;
        let head = record.head.clone();
        self.expectations.push(Expect::Absent(id.clone()));
        self.record_head(Action::Create, &record)?;
        self.changes.push(Change::Insert(record));
        Ok(head)
    }

    /// The next value of a secret, with a change of its metadata in the same generation.
    pub(super) fn replace_value(
        &mut self,
        info: SecretInfo,
        sealed: SealedValue,
        value: &SecretValue,
        edit: Option<&MetadataEdit>,
        action: Action,
    ) -> Result<Head> {
        let superseded = Superseded::supersede(&info, sealed, &self.keys)?;
        let mut head = self.next(info);
        head.revision = head.revision.next();
        if let Some(edit) = edit {
            edit.apply(&mut head.metadata, &mut head.keep, head.updated.at)?;
        }
        head.first_revision = self.first_kept(&head);
        head.digest = Digest(self.keys.digest(&head.address, value, None)?);
        head.valued = head.updated.clone();
        let sealed = self.keys.seal(&head.address, &head.id, head.revision, value)?;
        let record = self.signed(head, sealed)?;
        let kept = Some(superseded).filter(|old| old.revision >= record.head.first_revision);
        let head = record.head.clone();
        self.record_head(action, &record)?;
        self.changes.push(Change::Replace(record, kept));
        Ok(head)
    }

    /// The same value under a head that `change` has changed.
    pub(super) fn replace_head(
        &mut self,
        info: SecretInfo,
        sealed: SealedValue,
        change: impl FnOnce(&mut Head),
    ) -> Result<Head> {
        let mut head = self.next(info);
        change(&mut head);
        let record = self.signed(head, sealed)?;
        let head = record.head.clone();
        self.record_head(Action::Edit, &record)?;
        self.changes.push(Change::Replace(record, None));
        Ok(head)
    }

    /// The same secret under other keys.
    pub(super) fn rewritten(&mut self, record: SecretRecord) -> Result<()> {
        self.record_head(Action::Reencrypt, &record)?;
        self.changes.push(Change::Replace(record, None));
        Ok(())
    }

    /// The secret is removed, if it has no consumer by then.
    pub(super) fn delete(&mut self, info: &SecretInfo) -> Result<()> {
        let org = &self.org;
        self.expectations.push(Expect::Generation(org.clone(), info.id, info.generation));
        self.expectations.push(Expect::NoConsumers(org.clone(), info.id));
        self.changes.push(Change::Delete(org.clone(), info.id));
        self.record(Action::Delete, subject(info, None, None))
    }

    /// What was done to the secret's consumers.
    pub(super) fn record_consumer(&mut self, action: Action, info: &SecretInfo, consumer: &Consumer) -> Result<()> {
        self.record(action, subject(info, None, Some(consumer.clone())))
    }

    /// The batch with the expectation that its keys are still the org's.
    pub(super) fn finish(self) -> Box<Prepared> {
        let Self { secrets: _, org, keys, keyring, mut expectations, mut changes, token, events, lane } = self;
        let new_keys = keyring.is_some().then(|| Arc::clone(&keys));
        match keyring {
            None => expectations.push(Expect::Keyring(org, Some(keys.stamp()))),
            Some(row) => {
                expectations.extend([Expect::Keyring(org.clone(), None), Expect::NoSecrets(org)]);
                changes.insert(0, Change::Keyring(row));
            }
        }
        Box::new(Prepared { batch: Batch { token: Some(token), expectations, changes, events }, new_keys, lane })
    }

    /// The head of the next generation, which is expected to follow this one.
    fn next(&mut self, info: SecretInfo) -> Head {
        self.expectations.push(Expect::Generation(self.org.clone(), info.id, info.generation));
        let mut head = info.into_head();
        head.generation = head.generation.next();
        head.updated = Stamp { at: self.secrets.clock.now(), by: self.secrets.actor.clone() };
        head
    }

    /// The oldest revision that a secret keeps beside its current one.
    pub(super) fn first_kept(&self, head: &Head) -> Revision {
        head.revision.earlier(head.keep.unwrap_or(self.secrets.keep)).max(head.first_revision)
    }

    pub(super) fn signed(&self, head: Head, sealed: SealedValue) -> Result<SecretRecord> {
        let mac = head.sign(&self.keys, sealed.commitment())?;
        Ok(SecretRecord { head, mac, sealed })
    }
}

fn subject(head: &Head, mac: Option<[u8; 32]>, consumer: Option<Consumer>) -> Subject {
    let Head { id, ref address, generation, revision, .. } = *head;
    Subject::Secret { id, address: address.clone(), generation, revision, head: mac, consumer }
}

impl Prepared {
    pub(super) fn into_parts(self) -> (Batch, Option<Lease>) {
        (self.batch, self.lane)
    }
}

impl Secrets {
    /// Makes an attempt and commits it; and once more where somebody came in between, until the deadline. The attempt
    /// is where a demand that cannot be met any more ends it.
    pub(super) fn until_committed<T>(&self, org: &Part, attempt: impl Fn() -> Result<Attempt<T>>) -> Result<T> {
        let started = Instant::now();
        let mut pause = Duration::from_micros(100);
        loop {
            let (prepared, outcome) = match self.reread(|_| attempt())? {
                Attempt::Unchanged(outcome) => return Ok(outcome),
                Attempt::Commit(prepared, outcome) => (prepared, outcome),
            };
            let Some(refused) = self.try_commit(prepared, org)? else { return Ok(outcome) };
            if started.elapsed() >= Self::DEADLINE {
                return Err(Error::Contended { store: self.store.to_string() });
            }
            // Where somebody was in the lane another one is free: there is nobody to wait for.
            if !matches!(refused, Expect::Lane(..)) {
                // Two writers that met once should not meet again at once.
                std::thread::sleep(pause.mul_f64(f64::from(random::<1>()?[0]) / 255.0));
                pause = (pause * 2).min(Duration::from_millis(20));
            }
        }
    }

    /// Commits once. Where the store refuses, the expectation that does not hold.
    pub(super) fn try_commit(&self, prepared: Box<Prepared>, org: &Part) -> Result<Option<Expect>> {
        let Prepared { batch, new_keys, lane: _held } = *prepared;
        // An old copy may have come into the store's place since; a lane that others used would not show it.
        if self.check_anchor(org)? > keyring_version(org, &batch) {
            // Others have newer keys, or an old keyring was put back: whoever loads it next will know.
            self.forget(org);
            return Ok(Some(Expect::Keyring(org.clone(), None)));
        }
        match self.store.commit(&batch)? {
            Commit::Applied => {
                self.committed(&batch);
                if let Some(keys) = new_keys {
                    self.remember_first(keys, org);
                }
                Ok(None)
            }
            Commit::Refused { expectation, found } => {
                let refused = batch.expectations.into_iter().nth(expectation);
                match &refused {
                    Some(Expect::Keyring(..)) => self.forget(org),
                    Some(Expect::NoSecrets(org)) => return Err(lost_keyring(org)),
                    Some(Expect::Lane(org, lane, _)) => self.lane_ends(org, *lane, found),
                    Some(_) => {}
                    None => return Err(self.wrong_count()),
                }
                Ok(refused)
            }
        }
    }
}
