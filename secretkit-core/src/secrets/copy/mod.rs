//! Copying the secrets of an org out of one store into another, opened and sealed again.

mod finding;
#[cfg(test)]
mod tests;
mod told;
mod whole;
mod work;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::{Secrets, is_damage};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Action, Subject};
use crate::id::StableId;
use crate::part::Part;
use crate::seal::KeyringStamp;
use crate::store::{Target, Want};
use crate::usage::UsageRecord;

pub use finding::CopyFinding;
use told::Told;
use work::{Heavy, Work};

impl Secrets {
    /// Brings the secrets of an org from another store here, as they are there: with their ids, revisions, generations,
    /// values of before, times, people, metadata, consumers and last uses. Each value is opened there and sealed here:
    /// the two share no key. Digests are this store's own.
    ///
    /// It goes in two passes: one copies, one opens every value in both stores, compares, and copies once more what was
    /// changed there meanwhile. What is here already as it is there is passed over, so that a copy which was stopped is
    /// gone on with by another. Nothing is deleted here, and what was changed or deleted here since it was copied is left
    /// as it is and told. So is what is here and was deleted there, whenever that was. A consumer that was removed here
    /// does not come back, and one that was removed there stays.
    ///
    /// The events of the other store stay there. Here, each secret that is brought has one of its own, and so has each
    /// consumer that is brought to a secret that is here already.
    ///
    /// It is an iterator of batches, like a verification: an error ends it, and what is told is passed over. An event of
    /// this store that was altered is an error: what was changed or deleted here cannot be known then. It takes some 50
    /// bytes of memory for each secret.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use secretkit_core::{Access, Copied, MemoryStore, PutMode, RootKey, SecretId, SecretValue, Secrets};
    /// # let open = || Ok::<_, secretkit_core::Error>(Secrets::new(
    /// #     Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?), Access::Unrestricted));
    /// # let (old, new) = (open()?, open()?);
    /// let id: SecretId = "acme:token".parse()?;
    /// old.put(&id, &SecretValue::copied_from(b"t0k3n"), PutMode::Create)?;
    /// for step in new.copy_from(&old, id.org(), 100) {
    ///     for told in step? {
    ///         if let Copied::Left(finding) = told {
    ///             println!("{finding}");
    ///         }
    ///     }
    /// }
    /// assert_eq!(new.get(&id)?.value.expose_secret(), b"t0k3n");
    /// assert_eq!(new.info(&id)?.id, old.info(&id)?.id);
    /// # Ok::<(), secretkit_core::Error>(())
    /// ```
    #[must_use]
    pub fn copy_from<'a>(&'a self, source: &'a Self, org: &Part, batch: usize) -> Copying<'a> {
        Copying {
            source,
            target: self,
            org: org.clone(),
            batch: batch.clamp(1, 1000),
            stage: Stage::Begin,
            told: RefCell::default(),
            unmet: HashSet::new(),
            too_large: RefCell::default(),
            progress: CopyProgress::default(),
        }
    }
}

/// A copy under way: an iterator of how far it is, and of what could not be copied.
#[derive(Debug)]
pub struct Copying<'a> {
    source: &'a Secrets,
    target: &'a Secrets,
    org: Part,
    batch: usize,
    stage: Stage,
    /// What happened in the target to what it has.
    told: RefCell<Told>,
    /// What the first pass has met and the second has not yet.
    unmet: HashSet<StableId>,
    /// What the target did not take in one commit.
    too_large: RefCell<HashMap<StableId, CopyFinding>>,
    progress: CopyProgress,
}

/// One thing that a copy tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Copied {
    /// It is this far.
    Progress(CopyProgress),
    /// This was not copied.
    Left(CopyFinding),
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CopyProgress {
    /// Secrets that the first pass has looked at.
    pub checked: u64,
    /// Secrets of which anything was written; one that changed meanwhile is counted again.
    pub copied: u64,
    /// Secrets that the second pass has found to be equal in both stores.
    pub compared: u64,
}

#[derive(Debug)]
enum Stage {
    Begin,
    Copy { after: Option<StableId> },
    Compare { after: Option<StableId> },
    Gone(BTreeSet<StableId>),
    Done,
}

/// How thoroughly to look at what is there already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Look {
    /// At its head.
    Quick,
    /// At every value.
    Through,
}

/// What one commit came to.
#[derive(Default)]
struct Outcome {
    /// How many of the secrets it is about.
    taken: usize,
    /// Those that are as they should be already.
    equal: Vec<StableId>,
    written: Vec<StableId>,
    gone: Vec<StableId>,
    findings: Vec<CopyFinding>,
    uses: Option<(KeyringStamp, Vec<UsageRecord>)>,
}

/// A secret that is written this often and still differs is left to the next run.
const ROUNDS: usize = 4;

/// How often a last use is written before it is left to the next run.
const TOUCHES: u32 = 20;

impl Iterator for Copying<'_> {
    type Item = Result<Vec<Copied>>;

    fn next(&mut self) -> Option<Self::Item> {
        if matches!(self.stage, Stage::Done) {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.stage = Stage::Done;
        }
        Some(step)
    }
}

impl Copying<'_> {
    fn step(&mut self) -> Result<Vec<Copied>> {
        self.source.authorize()?;
        self.target.authorize()?;
        let findings = match &mut self.stage {
            Stage::Begin => {
                if self.source.store_id()? == self.target.store_id()? {
                    let why = "a copy is made between two stores, and these are one, or one is a backup of the other";
                    return Err(Error::Unsupported(why.to_owned()));
                }
                // What others have promoted since these keys were read must not be missed.
                self.target.forget(&self.org);
                self.stage = Stage::Copy { after: None };
                Vec::new()
            }
            Stage::Copy { after } => {
                let ids = self.source.store.ids(&self.org, *after, self.batch)?;
                match ids.last() {
                    Some(last) => *after = Some(*last),
                    None => self.stage = Stage::Compare { after: None },
                }
                self.progress.checked += ids.len() as u64;
                self.copy(&ids)?;
                Vec::new()
            }
            Stage::Compare { after } => {
                let ids = self.source.store.ids(&self.org, *after, self.batch)?;
                match ids.last() {
                    Some(last) => *after = Some(*last),
                    None => {
                        let (gone, findings) = self.deleted()?;
                        self.stage = Stage::Gone(gone);
                        return Ok(self.telling(findings));
                    }
                }
                self.compare(ids)?
            }
            Stage::Gone(left) => {
                let ids: Vec<_> = left.iter().take(self.batch).copied().collect();
                left.retain(|id| ids.last().is_some_and(|last| id > last));
                if ids.is_empty() {
                    self.stage = Stage::Done;
                }
                self.gone(&ids)?
            }
            Stage::Done => Vec::new(),
        };
        Ok(self.telling(findings))
    }

    fn telling(&self, findings: Vec<CopyFinding>) -> Vec<Copied> {
        let left = findings.into_iter().map(Copied::Left);
        left.chain([Copied::Progress(self.progress)]).collect()
    }

    /// What cannot be copied now is told by the second pass, if it still cannot then.
    fn copy(&mut self, ids: &[StableId]) -> Result<()> {
        for outcome in self.settle(ids, Look::Quick)? {
            self.progress.copied += outcome.written.len() as u64;
            self.unmet.extend(outcome.written.into_iter().chain(outcome.equal));
        }
        Ok(())
    }

    fn compare(&mut self, ids: Vec<StableId>) -> Result<Vec<CopyFinding>> {
        let mut findings = Vec::new();
        for id in &ids {
            self.unmet.remove(id);
        }
        let mut left = ids;
        for _ in 0..ROUNDS {
            let mut written = Vec::new();
            for outcome in self.settle(&left, Look::Through)? {
                self.progress.copied += outcome.written.len() as u64;
                self.progress.compared += outcome.equal.len() as u64;
                findings.extend(outcome.findings);
                written.extend(outcome.written);
                self.unmet.extend(outcome.gone);
            }
            left = written;
            if left.is_empty() {
                return Ok(findings);
            }
        }
        findings.extend(left.into_iter().map(|id| CopyFinding::Moving { id }));
        Ok(findings)
    }

    /// Brings these secrets up to the source, in as many commits as that takes.
    fn settle(&self, ids: &[StableId], look: Look) -> Result<Vec<Outcome>> {
        let mut left = ids;
        let mut outcomes = Vec::new();
        while !left.is_empty() {
            let heavy = RefCell::new(None);
            let committed = self.target.until_committed(&self.org, || {
                let mut work = Work::begin(self, look)?;
                work.take(left)?;
                heavy.replace(work.heavy());
                Ok(work.attempt())
            });
            let outcome = match (committed, heavy.into_inner()) {
                (Err(error), Some(heavy)) if may_be_of_size(&error) => {
                    self.leave_out(heavy, &error);
                    continue;
                }
                (committed, _) => committed?,
            };
            if let Some((keyring, uses)) = &outcome.uses {
                self.touch(*keyring, uses)?;
            }
            left = &left[outcome.taken..];
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// From now on it is passed over and told, so that it keeps nothing else from being copied.
    fn leave_out(&self, (id, address, what): Heavy, error: &Error) {
        let why = format!("{what}, and the target did not take them at once ({error})");
        self.too_large.borrow_mut().insert(id, CopyFinding::TooLarge { id, address, why });
    }

    /// A use is only remembered, and a store that is busy gives up on it: it is looked for, and written again.
    fn touch(&self, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        let ids: Vec<_> = uses.iter().map(|row| row.secret).collect();
        for attempt in 0..TOUCHES {
            let outcome = self.target.store.touch(&self.org, keyring, uses);
            let there = self.target.recorded_uses(&self.org, &ids)?;
            let missing = uses
                .iter()
                .zip(&there)
                .any(|(row, there)| there.as_ref().is_none_or(|there| there.used.at < row.used.at));
            if !missing {
                return Ok(());
            }
            if attempt + 1 == TOUCHES {
                // What is still missing then is found by the comparison.
                return outcome;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What the first pass met and the second did not, and all that was ever deleted from the source, as its events tell.
    fn deleted(&self) -> Result<(BTreeSet<StableId>, Vec<CopyFinding>)> {
        let mut ids: BTreeSet<_> = self.unmet.iter().copied().collect();
        let mut findings = Vec::new();
        for event in self.source.events(&self.org) {
            match event {
                Ok(event) => {
                    if let (Action::Delete, Subject::Secret { id, .. }) = (event.action, event.subject) {
                        ids.insert(id);
                    }
                }
                Err(error) if is_damage(&error) => findings.push(damaged(error, "an event")),
                Err(error) => return Err(error),
            }
        }
        Ok((ids, findings))
    }

    /// Those of these that the target has.
    fn gone(&self, ids: &[StableId]) -> Result<Vec<CopyFinding>> {
        let want = |id: &StableId| Want { target: Target::Id(self.org.clone(), *id), revision: None };
        let there = whole::latest(self.target, &ids.iter().map(want).collect::<Vec<_>>())?;
        let there = ids.iter().zip(there).filter_map(|(id, there)| Some((*id, there.transpose()?)));
        let there: Vec<_> = there.collect();
        let wants: Vec<_> = there.iter().map(|(id, _)| want(id)).collect();
        let here = whole::latest(self.source, &wants)?;
        let mut findings = Vec::new();
        for (((id, there), here), want) in there.into_iter().zip(here).zip(&wants) {
            match there.and_then(|there| self.target.checked(&want.target, there.record)) {
                Ok((info, _)) if matches!(here, Ok(None)) => {
                    findings.push(CopyFinding::Gone { id, address: info.address.clone() })
                }
                Ok(_) if self.unmet.contains(&id) => findings.push(CopyFinding::Moving { id }),
                // Its row is back without an event: that is for a verification to tell.
                Ok(_) => {}
                Err(error) if is_damage(&error) => findings.push(damaged(error, &format!("the secret with id {id}"))),
                Err(error) => return Err(error),
            }
        }
        Ok(findings)
    }
}

/// Whether a store may end so because of how much a commit holds.
fn may_be_of_size(error: &Error) -> bool {
    use ErrorKind::{Busy, Other, OutcomeUnknown, Unavailable};
    matches!(error.kind(), Busy | Other | OutcomeUnknown | Unavailable)
}

fn damaged(error: Error, what: &str) -> CopyFinding {
    CopyFinding::Damaged(match error {
        Error::Corrupt { what } => what,
        _ => what.to_owned(),
    })
}
