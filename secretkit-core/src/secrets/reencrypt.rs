//! Writing anew what stands under keys of before.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::batch::{Attempt, BatchBuilder};
use super::whole::Whole;
use super::{Secrets, uses};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::id::StableId;
use crate::part::Part;
use crate::record::{Revision, SecretInfo, SecretRecord};
use crate::revision::RevisionRecord;
use crate::seal::{KeyId, KeyUse, KeyringStamp, Mac, SealedValue};
use crate::store::{Change, ConsumerRecord, Expect, UsageRecord};
use crate::value::SecretValue;

/// The batches of [`Keys::reencrypt`](crate::Keys::reencrypt). An error ends it; the next one begins anew and passes
/// over what was done.
#[derive(Debug)]
pub struct Reencryption<'a> {
    secrets: &'a Secrets,
    org: Part,
    batch: usize,
    after: Option<StableId>,
    progress: Progress,
    ended: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Secrets that were looked at.
    pub checked: u64,
    /// Secrets of which anything was written anew.
    pub rewritten: u64,
}

/// How long it waits before it tries again to record uses.
const PAUSE: Duration = Duration::from_micros(500);

/// A commit holds no more than this many bytes of records, unless one secret alone has more.
const COMMIT_BYTES: usize = 4 << 20;

impl<'a> Reencryption<'a> {
    pub(super) fn new(secrets: &'a Secrets, org: &Part, batch: usize) -> Self {
        let progress = Progress::default();
        Self { secrets, org: org.clone(), batch: batch.clamp(1, 1000), after: None, progress, ended: false }
    }

    fn step(&mut self) -> Result<Option<Progress>> {
        self.secrets.authorize()?;
        if self.after.is_none() {
            // What others have promoted since these keys were read must not be missed.
            self.secrets.forget(&self.org);
        }
        let ids = self.secrets.store.ids(&self.org, self.after.take(), self.batch)?;
        self.ended = ids.len() < self.batch;
        let Some(last) = ids.last() else { return Ok(None) };
        self.after = Some(*last);
        let mut left = &ids[..];
        while !left.is_empty() {
            let (taken, rewritten) = self.rewrite(left)?;
            self.progress.rewritten += rewritten;
            left = &left[taken..];
        }
        self.progress.checked += ids.len() as u64;
        Ok(Some(self.progress))
    }

    /// Writes as many of these secrets anew as fit into one commit. Returns how many it looked at, and how many of
    /// them needed it.
    fn rewrite(&self, ids: &[StableId]) -> Result<(usize, u64)> {
        // Where others came in between, fewer at once: of a few hot secrets one is always written by somebody.
        let next = Cell::new(ids.len());
        self.secrets.until_committed(&self.org, || {
            let ids = &ids[..next.get()];
            next.set(ids.len().div_ceil(2));
            let mut work = Rewrite::begin(self.secrets, &self.org)?;
            let (mut taken, mut rewritten) = (0, 0);
            let mut chunk = 8;
            while taken < ids.len() && work.bytes < COMMIT_BYTES {
                let ids = &ids[taken..ids.len().min(taken + chunk)];
                // One that is gone by now needs nothing.
                let wholes = self.secrets.wholes_at_work(&self.org, ids)?.into_iter().flatten();
                let mut left: VecDeque<_> =
                    wholes.map(|whole| Checked::of(self.secrets, whole)).collect::<Result<_>>()?;
                while !left.is_empty() {
                    let infos: Vec<_> = left.iter().map(|checked| &checked.info).collect();
                    for superseded in self.secrets.superseded_of(&infos)? {
                        let Some(checked) = left.pop_front() else { break };
                        rewritten += u64::from(work.secret(checked, superseded?)?);
                    }
                }
                taken += ids.len();
                // Large ones are met while few are read at once.
                chunk *= 2;
            }
            let Rewrite { batch, uses, .. } = work;
            if !uses.is_empty() {
                self.touch(batch.keys.stamp(), &uses)?;
            }
            if batch.changes.is_empty() {
                return Ok(Attempt::Unchanged((taken, rewritten)));
            }
            Ok(Attempt::Commit(batch.finish(), (taken, rewritten)))
        })
    }

    /// A store records a use only where nobody else is writing. Here that is waited for: a use that stayed under a key
    /// of before would be lost with it, and nothing would keep the key from being retired.
    fn touch(&self, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        let started = Instant::now();
        loop {
            match self.secrets.store.touch(&self.org, keyring, uses) {
                Err(Error::Busy { .. }) if started.elapsed() < Secrets::DEADLINE => std::thread::sleep(PAUSE),
                outcome => return outcome,
            }
        }
    }
}

impl Iterator for Reencryption<'_> {
    type Item = Result<Progress>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step();
        self.ended |= !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}

/// What is written anew together, and under which keys.
struct Rewrite<'a> {
    batch: BatchBuilder<'a>,
    uses: Vec<UsageRecord>,
    bytes: usize,
    data: KeyId,
    meta: KeyId,
    digest: KeyId,
}

/// A secret whose head was checked.
struct Checked {
    info: SecretInfo,
    sealed: SealedValue,
    mac: Mac,
    consumers: Vec<ConsumerRecord>,
    used: Option<UsageRecord>,
}

impl Checked {
    fn of(secrets: &Secrets, whole: Whole) -> Result<Self> {
        let Whole { target, record, consumers, used } = whole;
        let mac = record.mac;
        let (info, sealed) = secrets.checked(&target, record)?;
        Ok(Self { info, sealed, mac, consumers, used })
    }
}

impl<'a> Rewrite<'a> {
    fn begin(secrets: &'a Secrets, org: &Part) -> Result<Self> {
        let batch = BatchBuilder::begin(secrets, org)?;
        let primary = |used_for| batch.keys.primary_id(used_for);
        let (data, meta, digest) = (primary(KeyUse::Data)?, primary(KeyUse::Meta)?, primary(KeyUse::Digest)?);
        Ok(Self { batch, uses: Vec::new(), bytes: 0, data, meta, digest })
    }

    /// Whether anything of the secret stands under a key of before; then the batch holds it anew.
    fn secret(&mut self, checked: Checked, superseded: Vec<RevisionRecord>) -> Result<bool> {
        let secrets = self.batch.secrets;
        let before = self.batch.changes.len() + self.uses.len();
        let Checked { info, sealed, mac, consumers, used } = checked;
        for revision in superseded {
            self.revision(&info, revision)?;
        }
        for row in consumers.into_iter().filter(|row| row.mac.key_id() != self.meta) {
            let seen = secrets.with_keys(&self.batch.org, |keys| row.verify(&info, keys))?.seen;
            // Who was removed or seen meanwhile makes no generation: one does not come back, the other is not set back.
            let expect = Expect::ConsumerSeen(self.batch.org.clone(), info.id, row.name.clone(), Some(seen.at));
            self.batch.expectations.push(expect);
            let row = ConsumerRecord::new(&self.batch.org, info.id, row.name, seen, &self.batch.keys)?;
            self.batch.changes.push(Change::Register(self.batch.org.clone(), row));
        }
        if let Some(row) = used.filter(|row| row.mac.key_id() != self.meta)
            && let Some(used) = uses::authentic(row.verify(&info, &self.batch.keys))?
        {
            self.uses.push(UsageRecord::new(&self.batch.org, info.id, used, &self.batch.keys)?);
        }
        let current = self.is_current(&sealed, &info.digest) && mac.key_id() == self.meta;
        if !current {
            let value = secrets.open_revision(&info, &sealed, info.revision, None)?;
            let mut head: Head = Head::clone(&info);
            let sealed = self.resealed(&info, info.revision, sealed, &value)?;
            head.digest = self.digested(&info, &head.digest, &value)?;
            let mac = head.sign(&self.batch.keys, sealed.commitment())?;
            self.batch.rewritten(SecretRecord { head, mac, sealed })?;
        }
        let written = self.batch.changes.len() + self.uses.len() > before;
        if written {
            self.batch.expectations.push(Expect::Generation(self.batch.org.clone(), info.id, info.generation));
        }
        Ok(written)
    }

    fn revision(&mut self, info: &SecretInfo, row: RevisionRecord) -> Result<()> {
        if self.is_current(&row.sealed, &row.digest) && row.mac.key_id() == self.meta {
            return Ok(());
        }
        let org = self.batch.org.clone();
        let value = self.batch.secrets.with_keys(&org, |keys| row.clone().open(info, row.revision, keys))?;
        let digest = self.digested(info, &row.digest, &value)?;
        let sealed = self.resealed(info, row.revision, row.sealed, &value)?;
        let row = RevisionRecord::new(info, row.revision, row.valued, digest, sealed, &self.batch.keys)?;
        self.batch.changes.push(Change::ReplaceRevision(org, row));
        Ok(())
    }

    fn is_current(&self, sealed: &SealedValue, digest: &Digest) -> bool {
        sealed.key_id() == self.data && digest.0.key_id() == self.digest
    }

    /// The record under the primary data key: the same one where it stands under that already.
    fn resealed(
        &mut self,
        info: &SecretInfo,
        revision: Revision,
        sealed: SealedValue,
        value: &SecretValue,
    ) -> Result<SealedValue> {
        self.bytes += sealed.as_bytes().len();
        if sealed.key_id() == self.data {
            return Ok(sealed);
        }
        self.batch.keys.seal(&info.address, &info.id, revision, value)
    }

    /// Digests change only when their key does: people compare them.
    fn digested(&self, info: &SecretInfo, digest: &Digest, value: &SecretValue) -> Result<Digest> {
        if digest.0.key_id() == self.digest {
            return Ok(*digest);
        }
        self.batch.keys.digest(&info.address, value, None).map(Digest)
    }
}
