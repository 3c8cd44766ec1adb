//! Writing: read the head, seal the next revision, commit if nobody came in between.

use std::cell::Cell;
use std::collections::HashSet;

use super::Secrets;
use super::batch::{Attempt, BatchBuilder};
use super::read::not_found;
use super::reference::SecretRef;
use crate::edit::MetadataEdit;
use crate::error::{Error, Result};
use crate::event::Action;
use crate::id::SecretId;
use crate::record::{Generation, SecretInfo};
use crate::store::{Target, Want};
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

/// One of several values that are put together.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an address and a value, as `Secrets::put` takes them")]
pub struct PutItem<'a> {
    /// Where.
    pub id: SecretId,
    /// What.
    pub value: &'a SecretValue,
}

/// What a write demands of the secret that it finds.
#[derive(Clone, Copy)]
enum Demand {
    Absent,
    Anything,
    Present,
    At(Generation),
}

impl From<PutMode> for Demand {
    fn from(mode: PutMode) -> Self {
        match mode {
            PutMode::Create => Self::Absent,
            PutMode::Overwrite => Self::Anything,
            PutMode::Update(generation) => Self::At(generation),
        }
    }
}

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
        self.put_value(&Target::Exact(id.clone()), value, None, mode.into())
    }

    /// The same, with a change of the metadata in the same commit.
    ///
    /// # Errors
    /// Those of [`put`](Self::put), and [`Error::InvalidMetadata`] for an expiry that has passed or too many tags.
    pub fn put_with(
        &self,
        id: &SecretId,
        value: &SecretValue,
        mode: PutMode,
        edit: &MetadataEdit,
    ) -> Result<SecretInfo> {
        self.put_value(&Target::Exact(id.clone()), value, Some(edit), mode.into())
    }

    /// Writes several values of one org, all of them or none.
    ///
    /// # Errors
    /// Those of [`put`](Self::put) for any of them, and [`Error::InvalidRequest`] where they are of different orgs or
    /// name one secret twice.
    pub fn put_all(&self, items: &[PutItem<'_>], mode: PutMode) -> Result<Vec<SecretInfo>> {
        self.authorize()?;
        let Some(org) = items.first().map(|item| item.id.org()) else { return Ok(Vec::new()) };
        let mut seen = HashSet::with_capacity(items.len());
        for item in items {
            self.check_length(item.value)?;
            if item.id.org() != org {
                return Err(Error::InvalidRequest("one commit writes to one org, and these are of several"));
            }
            if !seen.insert(&item.id) {
                return Err(Error::InvalidRequest("a secret is named twice in one commit"));
            }
        }
        let wants: Vec<_> =
            items.iter().map(|item| Want { target: Target::Exact(item.id.clone()), revision: None }).collect();
        self.until_committed(org, || {
            let mut batch = BatchBuilder::begin(self, org)?;
            let mut heads = Vec::with_capacity(items.len());
            for ((fetched, want), item) in self.latest(&wants)?.into_iter().zip(&wants).zip(items) {
                let found = fetched.map(|fetched| self.checked(&want.target, fetched.record)).transpose()?;
                meets(mode.into(), &want.target, found.as_ref().map(|(info, _)| info))?;
                heads.push(match found {
                    Some((info, sealed)) => batch.replace_value(info, sealed, item.value, None, Action::Update)?,
                    None => batch.insert(&item.id, item.value, None)?,
                });
            }
            Ok(Attempt::Commit(batch.finish(), heads))
        })
        .map(|heads| heads.into_iter().map(SecretInfo::committed).collect())
    }

    /// Writes a value over a secret, whatever its generation.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::IdNotFound`] where there is none, and those of [`put`](Self::put).
    pub fn update(&self, secret: impl Into<SecretRef>, value: &SecretValue) -> Result<SecretInfo> {
        self.put_value(&secret.into().target(), value, None, Demand::Present)
    }

    /// The same with a change of the metadata in the same commit, and only at the expected generation if one is given.
    ///
    /// # Errors
    /// [`Error::Conflict`] at another generation, and those of [`put_with`](Self::put_with).
    pub fn update_with(
        &self,
        secret: impl Into<SecretRef>,
        value: &SecretValue,
        edit: &MetadataEdit,
        expected: Option<Generation>,
    ) -> Result<SecretInfo> {
        let demand = expected.map_or(Demand::Present, Demand::At);
        self.put_value(&secret.into().target(), value, Some(edit), demand)
    }

    /// Changes a secret's metadata and nothing else: value, digest, id and history stay. It makes a new generation
    /// and no new revision; where nothing would change, it writes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IdNotFound`], [`Error::Conflict`] where a generation is expected and it is at
    /// another, [`Error::InvalidMetadata`] for an expiry that has passed or too many tags, [`Error::Contended`], and
    /// what the store and the root key say.
    pub fn edit(
        &self,
        secret: impl Into<SecretRef>,
        edit: &MetadataEdit,
        expected: Option<Generation>,
    ) -> Result<SecretInfo> {
        self.authorize()?;
        let target = secret.into().target();
        self.until_committed(target.org(), || {
            let (info, sealed) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
            meets_generation(&info, expected)?;
            let (mut metadata, mut keep) = (info.metadata.clone(), info.keep);
            edit.apply(&mut metadata, &mut keep, self.clock.now())?;
            if metadata == info.metadata && keep == info.keep {
                return Ok(Attempt::Unchanged(info));
            }
            let mut batch = BatchBuilder::begin(self, info.address.org())?;
            let standard = self.keep;
            let head = batch.replace_head(info, sealed, |head| {
                head.metadata = metadata;
                // A store whose standard was lowered prunes at the next value; only this secret's own is at once.
                if keep != head.keep {
                    head.first_revision = head.revision.earlier(keep.unwrap_or(standard)).max(head.first_revision);
                }
                head.keep = keep;
            })?;
            Ok(Attempt::Commit(batch.finish(), SecretInfo::committed(head)))
        })
    }

    /// Removes a secret with all its revisions, and returns what it was.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IdNotFound`], [`Error::InUse`] where it has consumers, [`Error::Contended`], and
    /// what the store and the root key say.
    pub fn delete(&self, secret: impl Into<SecretRef>) -> Result<SecretInfo> {
        self.authorize()?;
        let target = secret.into().target();
        self.until_committed(target.org(), || {
            let (info, _) = self.current(&target)?.ok_or_else(|| not_found(&target))?;
            let consumers = self.consumer_rows(&info)?;
            if !consumers.is_empty() {
                let consumers = consumers.into_iter().map(|row| row.name).collect();
                return Err(Error::InUse { id: info.address.clone(), consumers });
            }
            let mut batch = BatchBuilder::begin(self, info.address.org())?;
            // A consumer that comes at this moment is met by the next attempt.
            batch.delete(&info)?;
            Ok(Attempt::Commit(batch.finish(), info))
        })
    }

    fn put_value(
        &self,
        target: &Target,
        value: &SecretValue,
        edit: Option<&MetadataEdit>,
        demand: Demand,
    ) -> Result<SecretInfo> {
        self.authorize()?;
        self.check_length(value)?;
        // What must not be there need not be looked for: the commit says if it is, and then it is looked at.
        let expected_absent = Cell::new(matches!(demand, Demand::Absent));
        self.until_committed(target.org(), || {
            let found = if expected_absent.take() { None } else { self.current(target)? };
            meets(demand, target, found.as_ref().map(|(info, _)| info))?;
            let mut batch = BatchBuilder::begin(self, target.org())?;
            let head = match (found, target) {
                (Some((info, sealed)), _) => batch.replace_value(info, sealed, value, edit, Action::Update)?,
                (None, Target::Exact(id)) => batch.insert(id, value, edit)?,
                (None, Target::Nearest(..) | Target::Id(..)) => return Err(not_found(target)),
            };
            Ok(Attempt::Commit(batch.finish(), head))
        })
        .map(SecretInfo::committed)
    }
}

fn meets(demand: Demand, target: &Target, found: Option<&SecretInfo>) -> Result<()> {
    match (demand, found) {
        (Demand::Absent, Some(info)) => Err(Error::AlreadyExists { id: info.address.clone() }),
        (Demand::Present | Demand::At(_), None) => Err(not_found(target)),
        (Demand::At(expected), Some(info)) => meets_generation(info, Some(expected)),
        _ => Ok(()),
    }
}

pub(super) fn meets_generation(info: &SecretInfo, expected: Option<Generation>) -> Result<()> {
    match expected {
        Some(expected) if info.generation != expected => {
            Err(Error::Conflict { id: info.address.clone(), expected, found: Some(info.generation) })
        }
        _ => Ok(()),
    }
}
