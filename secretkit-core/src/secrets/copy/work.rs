//! What is copied in one commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::told::Own;
use super::whole::{self, Whole};
use super::{CopyFinding, Copying, Look, Outcome, damaged};
use crate::digest::Digest;
use crate::error::Result;
use crate::event::Action;
use crate::head::{Head, Stamp};
use crate::id::{SecretId, StableId};
use crate::record::SecretInfo;
use crate::revision::RevisionRecord;
use crate::secrets::batch::{Attempt, BatchBuilder};
use crate::secrets::is_damage;
use crate::store::{Change, ConsumerRecord, Expect, Fetched, Target, Want};
use crate::usage::{ConsumerInfo, UsageRecord};

/// What is copied in one commit.
pub(super) struct Work<'a> {
    copying: &'a Copying<'a>,
    look: Look,
    batch: BatchBuilder<'a>,
    uses: Vec<UsageRecord>,
    bytes: usize,
    is_full: bool,
    heavy: Option<Heavy>,
    outcome: Outcome,
}

/// A secret that has more than a commit holds otherwise, and how much.
pub(super) type Heavy = (StableId, SecretId, String);

/// A commit holds no more than this many bytes of records, unless one secret alone has more.
const COMMIT_BYTES: usize = 4 << 20;

/// This many are read at a time.
const CHUNK: usize = 16;

impl<'a> Work<'a> {
    pub(super) fn begin(copying: &'a Copying<'a>, look: Look) -> Result<Self> {
        let batch = BatchBuilder::begin(copying.target, &copying.org)?;
        let (uses, outcome) = (Vec::new(), Outcome::default());
        Ok(Self { copying, look, batch, uses, bytes: 0, is_full: false, heavy: None, outcome })
    }

    /// As many of these as fit, and at least one.
    pub(super) fn take(&mut self, ids: &[StableId]) -> Result<()> {
        while let Some(left) = ids.get(self.outcome.taken..).filter(|left| !left.is_empty()) {
            let chunk = &left[..left.len().min(CHUNK)];
            let settled = self.chunk(chunk)?;
            self.outcome.taken += settled;
            if self.is_full || self.bytes >= COMMIT_BYTES {
                break;
            }
        }
        Ok(())
    }

    /// The one that may be too much for the store.
    pub(super) fn heavy(&self) -> Option<Heavy> {
        self.heavy.clone()
    }

    pub(super) fn attempt(self) -> Attempt<Outcome> {
        let Self { batch, uses, mut outcome, .. } = self;
        if !uses.is_empty() {
            outcome.uses = Some((batch.keys.stamp(), uses));
        }
        if batch.changes.is_empty() { Attempt::Unchanged(outcome) } else { Attempt::Commit(batch.finish(), outcome) }
    }

    /// The first of these, and how many those are.
    fn chunk(&mut self, ids: &[StableId]) -> Result<usize> {
        let Copying { source, target, org, told, .. } = self.copying;
        let there = match self.look {
            Look::Quick => self.passed_over(ids)?,
            Look::Through => HashSet::new(),
        };
        let left: Vec<_> = ids.iter().filter(|id| !there.contains(id)).copied().collect();
        let mut settled = 0;
        if !left.is_empty() {
            let ours = Whole::read(source, org, &left)?;
            let theirs = Whole::read_all(target, org, &left[..ours.len()])?;
            let mut occupied = self.occupied(&ours, &theirs)?;
            // Behind the rows: what made them what they are is recorded by now.
            told.borrow_mut().catch_up(target, org)?;
            for ((ours, theirs), id) in ours.into_iter().zip(theirs).zip(&left) {
                if !self.fits(&ours) {
                    break;
                }
                self.one(*id, ours, theirs, occupied.remove(id))?;
                settled += 1;
            }
        }
        let end = left.get(settled).and_then(|next| ids.iter().position(|id| id == next)).unwrap_or(ids.len());
        self.outcome.equal.extend(ids[..end].iter().filter(|id| there.contains(id)));
        Ok(end)
    }

    /// Whether it has room for this one, too. A heavy one goes alone.
    fn fits(&mut self, ours: &Result<Option<Whole>>) -> bool {
        let bytes = ours.as_ref().map_or(0, |ours| ours.as_ref().map_or(0, Whole::bytes));
        self.is_full = self.bytes > 0 && self.bytes + bytes > COMMIT_BYTES;
        !self.is_full
    }

    fn one(
        &mut self,
        id: StableId,
        ours: Result<Option<Whole>>,
        theirs: Result<Option<Whole>>,
        occupant: Option<Result<()>>,
    ) -> Result<()> {
        let settled = match (ours, theirs) {
            (Ok(None), _) => {
                self.outcome.gone.push(id);
                Ok(())
            }
            (Ok(Some(ours)), Ok(theirs)) => match occupant.transpose() {
                Ok(occupant) => self.secret(&ours, theirs.as_ref(), occupant.is_some()),
                Err(error) => Err(error),
            },
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        match settled {
            Err(error) if is_damage(&error) => self.left(damaged(error, &format!("the secret with id {id}"))),
            settled => settled,
        }
    }

    /// Those whose heads are of the same generation and time in both stores.
    fn passed_over(&self, ids: &[StableId]) -> Result<HashSet<StableId>> {
        let Copying { source, target, org, .. } = self.copying;
        let wants: Vec<_> =
            ids.iter().map(|id| Want { target: Target::Id(org.clone(), *id), revision: None }).collect();
        let theirs = whole::latest(target, &wants)?;
        if theirs.iter().all(|theirs| matches!(theirs, Ok(None))) {
            return Ok(HashSet::new());
        }
        let ours = whole::latest(source, &wants)?;
        let pairs = ours.into_iter().zip(theirs).zip(ids);
        let same = pairs.filter_map(|((ours, theirs), id)| {
            // Nothing is decided by them but that the second pass is soon enough.
            let (ours, theirs) = (ours.ok()??.record.head, theirs.ok()??.record.head);
            let same = (ours.generation, ours.updated) == (theirs.generation, theirs.updated);
            same.then_some(*id)
        });
        Ok(same.collect())
    }

    /// Of those that the target has not, the ones whose names it gives to others, and what is wrong with these.
    fn occupied(
        &self,
        ours: &[Result<Option<Whole>>],
        theirs: &[Result<Option<Whole>>],
    ) -> Result<HashMap<StableId, Result<()>>> {
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
        for ((fetched, want), info) in whole::latest(target, &wants)?.into_iter().zip(&wants).zip(absent) {
            let checked = |fetched: Fetched| target.checked(&want.target, fetched.record).map(drop);
            if let Some(occupant) = fetched.and_then(|fetched| fetched.map(checked).transpose()).transpose() {
                occupied.insert(info.id, occupant);
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
        if ours.is_like(source, theirs, target)? {
            let beside = self.beside_of(ours, Some(theirs));
            return match beside.is_empty() {
                true => {
                    self.outcome.equal.push(id);
                    Ok(())
                }
                false => self.beside(ours, theirs, beside),
            };
        }
        match own.is_some() || theirs.info.generation >= ours.info.generation {
            true => self.left(CopyFinding::Changed { id, address }),
            false => self.write(ours, Some(theirs)),
        }
    }

    fn left(&mut self, finding: CopyFinding) -> Result<()> {
        self.outcome.findings.push(finding);
        Ok(())
    }

    /// The secret as it is in the source, new or in place of what it was there.
    fn write(&mut self, ours: &Whole, theirs: Option<&Whole>) -> Result<()> {
        if let Some(finding) = self.copying.too_large.borrow().get(&ours.info.id) {
            return self.left(finding.clone());
        }
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
        if ours.bytes() > COMMIT_BYTES {
            let what = format!("its {} values have {} bytes", ours.superseded.len() + 1, ours.bytes());
            self.heavy = Some((info.id, info.address.clone(), what));
        }
        self.consumers_and_use(ours, theirs, self.beside_of(ours, theirs))?;
        self.outcome.written.push(info.id);
        Ok(())
    }

    /// Consumers and last use of a secret that is there otherwise.
    fn beside(&mut self, ours: &Whole, theirs: &Whole, beside: Beside<'_>) -> Result<()> {
        self.batch.expectations.push(Expect::Exists(ours.info.address.org().clone(), ours.info.id));
        self.consumers_and_use(ours, Some(theirs), beside)?;
        self.outcome.written.push(ours.info.id);
        Ok(())
    }

    /// What the other lacks of its consumers and last use. What tasks there have registered or used since stays: none is
    /// removed, and none is set back. What somebody removed there does not come back either.
    fn beside_of<'w>(&self, ours: &'w Whole, theirs: Option<&Whole>) -> Beside<'w> {
        let told = self.copying.told.borrow();
        let is_missing = |consumer: &&ConsumerInfo| match theirs.and_then(|theirs| theirs.consumer(&consumer.name)) {
            Some(known) => known.seen.at < consumer.seen.at,
            None => !told.has_removed(ours.info.id, &consumer.name),
        };
        let used = ours.used.as_ref().filter(|used| theirs.is_none_or(|theirs| !theirs.has_use(used)));
        Beside { consumers: ours.consumers.iter().filter(is_missing).collect(), used }
    }

    fn consumers_and_use(&mut self, ours: &Whole, theirs: Option<&Whole>, beside: Beside<'_>) -> Result<()> {
        let (org, id, keys) = (ours.info.address.org(), ours.info.id, Arc::clone(&self.batch.keys));
        for ConsumerInfo { name, seen, .. } in beside.consumers {
            if let Some(theirs) = theirs {
                // Who registers or removes it there meanwhile comes first.
                let known = theirs.consumer(name).map(|known| known.seen.at);
                let expect = Expect::ConsumerSeen(org.clone(), id, name.clone(), known);
                self.batch.expectations.push(expect);
                // The event of a secret that is new there tells of all that came with it.
                if known.is_none() {
                    self.batch.record_consumer(Action::AddConsumer, &ours.info, name)?;
                }
            }
            let row = ConsumerRecord::new(org, id, name.clone(), seen.clone(), &keys)?;
            self.batch.changes.push(Change::Register(org.clone(), row));
        }
        if let Some(used) = beside.used {
            self.uses.push(UsageRecord::new(org, id, used.clone(), &keys)?);
        }
        Ok(())
    }
}

/// Consumers and a last use that are to be brought.
struct Beside<'w> {
    consumers: Vec<&'w ConsumerInfo>,
    used: Option<&'w Stamp>,
}

impl Beside<'_> {
    const fn is_empty(&self) -> bool {
        self.consumers.is_empty() && self.used.is_none()
    }
}
