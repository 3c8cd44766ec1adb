//! What is copied in one commit.

use std::collections::HashMap;
use std::sync::Arc;

use super::told::Own;
use super::whole::{Likeness, Whole, is_damage};
use super::{CopyFinding, Copying, Look, Outcome};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::event::Action;
use crate::head::Head;
use crate::id::StableId;
use crate::record::SecretInfo;
use crate::revision::RevisionRecord;
use crate::secrets::batch::{Attempt, BatchBuilder};
use crate::store::{Change, ConsumerRecord, Expect, Target, Want};
use crate::usage::UsageRecord;

/// What is copied in one commit.
pub(super) struct Work<'a> {
    copying: &'a Copying<'a>,
    look: Look,
    batch: BatchBuilder<'a>,
    uses: Vec<UsageRecord>,
    bytes: usize,
    outcome: Outcome,
}

/// A commit holds no more than this many bytes of records, unless a few secrets alone have more.
const COMMIT_BYTES: usize = 4 << 20;

/// This many are read at a time.
const CHUNK: usize = 16;

impl<'a> Work<'a> {
    pub(super) fn begin(copying: &'a Copying<'a>, look: Look) -> Result<Self> {
        let batch = BatchBuilder::begin(copying.target, &copying.org)?;
        Ok(Self { copying, look, batch, uses: Vec::new(), bytes: 0, outcome: Outcome::default() })
    }

    /// As many of these as fit.
    pub(super) fn take(&mut self, ids: &[StableId]) -> Result<()> {
        for chunk in ids.chunks(CHUNK) {
            self.chunk(chunk)?;
            self.outcome.taken += chunk.len();
            if self.bytes >= COMMIT_BYTES {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn attempt(self) -> Attempt<Outcome> {
        let Self { batch, uses, mut outcome, .. } = self;
        if !uses.is_empty() {
            outcome.uses = Some((batch.keys.stamp(), uses));
        }
        if batch.changes.is_empty() { Attempt::Unchanged(outcome) } else { Attempt::Commit(batch.finish(), outcome) }
    }

    fn chunk(&mut self, ids: &[StableId]) -> Result<()> {
        let Copying { source, target, org, told, .. } = self.copying;
        let mut ids = ids.to_vec();
        if self.look == Look::Quick {
            let there = self.passed_over(&ids)?;
            ids.retain(|id| !there.contains(id));
            self.outcome.equal.extend(there);
        }
        if ids.is_empty() {
            return Ok(());
        }
        let ours = Whole::read(source, org, &ids)?;
        let theirs = Whole::read(target, org, &ids)?;
        let occupied = self.occupied(&ours, &theirs)?;
        // Behind the rows: what made them what they are is recorded by now.
        told.borrow_mut().catch_up(target, org)?;
        for ((ours, theirs), id) in ours.into_iter().zip(theirs).zip(ids) {
            let settled = match (ours, theirs) {
                (Ok(None), _) => {
                    self.outcome.gone.push(id);
                    Ok(())
                }
                (Ok(Some(ours)), Ok(theirs)) => self.secret(&ours, theirs.as_ref(), occupied.contains_key(&id)),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            match settled {
                Ok(()) => {}
                Err(error) if is_damage(&error) => self.outcome.findings.push(damaged(error, id)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Those whose heads are of the same generation and time in both stores.
    fn passed_over(&self, ids: &[StableId]) -> Result<Vec<StableId>> {
        let Copying { source, target, org, .. } = self.copying;
        let wants: Vec<_> =
            ids.iter().map(|id| Want { target: Target::Id(org.clone(), *id), revision: None }).collect();
        let theirs = target.latest(&wants)?;
        if theirs.iter().all(Option::is_none) {
            return Ok(Vec::new());
        }
        let ours = source.latest(&wants)?;
        let pairs = ours.into_iter().zip(theirs).zip(ids);
        let same = pairs.filter_map(|((ours, theirs), id)| {
            // Nothing is decided by them but that the second pass is soon enough.
            let (ours, theirs) = (ours?.record.head, theirs?.record.head);
            let same = (ours.generation, ours.updated) == (theirs.generation, theirs.updated);
            same.then_some(*id)
        });
        Ok(same.collect())
    }

    /// Of those that the target has not, the ones whose names it gives to others.
    fn occupied(
        &self,
        ours: &[Result<Option<Whole>>],
        theirs: &[Result<Option<Whole>>],
    ) -> Result<HashMap<StableId, SecretInfo>> {
        let absent: Vec<_> = ours
            .iter()
            .zip(theirs)
            .filter_map(|(ours, theirs)| match (ours, theirs) {
                (Ok(Some(ours)), Ok(None)) => Some(&ours.info),
                _ => None,
            })
            .collect();
        let want = |info: &&SecretInfo| Want { target: Target::Exact(info.address.clone()), revision: None };
        let wants: Vec<_> = absent.iter().map(want).collect();
        let mut occupied = HashMap::new();
        if wants.is_empty() {
            return Ok(occupied);
        }
        let target = self.copying.target;
        for ((fetched, want), info) in target.latest(&wants)?.into_iter().zip(&wants).zip(absent) {
            if let Some(fetched) = fetched {
                let (other, _) = target.checked(&want.target, fetched.record)?;
                occupied.insert(info.id, other);
            }
        }
        Ok(occupied)
    }

    fn secret(&mut self, ours: &Whole, theirs: Option<&Whole>, is_taken: bool) -> Result<()> {
        let Copying { source, target, told, .. } = self.copying;
        let (id, address) = (ours.info.id, ours.info.address.clone());
        let own = told.borrow().of(id);
        let Some(theirs) = theirs else {
            return match own {
                _ if is_taken => self.left(CopyFinding::Taken { id, address }),
                Some(Own::Deleted) => self.left(CopyFinding::Deleted { id, address }),
                Some(Own::Changed) | None => self.write(ours, None),
            };
        };
        match ours.likeness(source, theirs, target)? {
            Likeness::Wholly => {
                self.outcome.equal.push(id);
                Ok(())
            }
            Likeness::InHeadAndValues => self.beside(ours, theirs),
            Likeness::Not if own.is_some() || theirs.info.generation >= ours.info.generation => {
                self.left(CopyFinding::Changed { id, address })
            }
            Likeness::Not => self.write(ours, Some(theirs)),
        }
    }

    fn left(&mut self, finding: CopyFinding) -> Result<()> {
        self.outcome.findings.push(finding);
        Ok(())
    }

    /// The secret as it is in the source, new or in place of what it was there.
    fn write(&mut self, ours: &Whole, theirs: Option<&Whole>) -> Result<()> {
        let (info, source, keys) = (&ours.info, self.copying.source, Arc::clone(&self.batch.keys));
        let org = info.address.org();
        let value = ours.value(source)?;
        let mut head = Head::clone(info);
        head.digest = Digest(keys.digest(&info.address, &value, None)?);
        let sealed = keys.seal(&info.address, &info.id, info.revision, &value)?;
        let record = self.batch.signed(head, sealed)?;
        let mut rows = Vec::new();
        for row in ours.superseded.iter().filter(|row| theirs.is_none_or(|theirs| row.revision >= theirs.info.revision))
        {
            let value = ours.value_of(source, row)?;
            let digest = Digest(keys.digest(&info.address, &value, None)?);
            let sealed = keys.seal(&info.address, &info.id, row.revision, &value)?;
            rows.push(RevisionRecord::new(info, row.revision, row.valued.clone(), digest, sealed, &keys)?);
        }
        // Everything is opened and sealed: from here on nothing of it can fail by half.
        self.batch.record_head(Action::Copy, &record)?;
        match theirs {
            None => {
                self.batch.expectations.push(Expect::Absent(info.address.clone()));
                self.batch.changes.push(Change::Insert(record.clone()));
            }
            Some(theirs) => {
                self.batch.expectations.push(Expect::Generation(org.clone(), info.id, theirs.info.generation));
                if rows.is_empty() {
                    self.batch.changes.push(Change::Replace(record.clone(), None));
                }
            }
        }
        self.batch.changes.extend(rows.into_iter().map(|row| Change::Replace(record.clone(), Some(row))));
        self.bytes += ours.bytes();
        self.consumers_and_use(ours, theirs)?;
        self.outcome.written.push(info.id);
        Ok(())
    }

    /// Consumers and last use of a secret that is there otherwise.
    fn beside(&mut self, ours: &Whole, theirs: &Whole) -> Result<()> {
        self.batch.expectations.push(Expect::Exists(ours.info.address.org().clone(), ours.info.id));
        self.consumers_and_use(ours, Some(theirs))?;
        self.outcome.written.push(ours.info.id);
        Ok(())
    }

    /// What tasks there have registered or used since stays: none is removed, and none is set back.
    fn consumers_and_use(&mut self, ours: &Whole, theirs: Option<&Whole>) -> Result<()> {
        let (org, id, keys) = (ours.info.address.org(), ours.info.id, Arc::clone(&self.batch.keys));
        for consumer in ours.consumers.iter().filter(|consumer| theirs.is_none_or(|theirs| !theirs.knows(consumer))) {
            let row = ConsumerRecord::new(org, id, consumer.name.clone(), consumer.seen.clone(), &keys)?;
            self.batch.changes.push(Change::Register(org.clone(), row));
        }
        if let Some(used) = ours.used.as_ref().filter(|used| theirs.is_none_or(|theirs| !theirs.has_use(used))) {
            self.uses.push(UsageRecord::new(org, id, used.clone(), &keys)?);
        }
        Ok(())
    }
}

fn damaged(error: Error, id: StableId) -> CopyFinding {
    CopyFinding::Damaged(match error {
        Error::Corrupt { what } => what,
        _ => format!("the secret with id {id}"),
    })
}
