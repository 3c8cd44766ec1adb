//! All that one secret has.

use crate::error::{Error, Result};
use crate::head::{Head, Stamp};
use crate::id::StableId;
use crate::part::Part;
use crate::record::SecretInfo;
use crate::revision::RevisionRecord;
use crate::seal::SealedValue;
use crate::secrets::{Secrets, is_damage, uses};
use crate::store::{Fetched, Target, Want};
use crate::usage::{Consumer, ConsumerInfo, ConsumerRecord, UsageRecord};
use crate::value::SecretValue;

/// All that one secret has, checked. Values are opened one at a time, where they are needed.
pub(super) struct Whole {
    pub(super) info: SecretInfo,
    pub(super) sealed: SealedValue,
    /// Oldest first, without a gap.
    pub(super) superseded: Vec<RevisionRecord>,
    pub(super) consumers: Vec<ConsumerInfo>,
    pub(super) used: Option<Stamp>,
}

/// Somebody writes to a secret while it is read this often in a row: then it is a fault.
const READS: usize = 100;

impl Whole {
    /// The first of these secrets, as many as are held at a time and at least one, as they are now; `None` for one that
    /// is gone. What was damaged is an error of its own.
    pub(super) fn read(secrets: &Secrets, org: &Part, ids: &[StableId]) -> Result<Vec<Result<Option<Self>>>> {
        let heads = heads(secrets, org, ids)?;
        let ids = &ids[..heads.len()];
        let consumers = consumers(secrets, org, ids)?;
        let uses = secrets.recorded_uses(org, ids)?;
        let rows = heads.into_iter().zip(consumers).zip(uses);
        rows.map(|((head, consumers), used)| of_one_secret(Self::checked(secrets, org, head, consumers, used)))
            .collect()
    }

    fn checked(
        secrets: &Secrets,
        org: &Part,
        head: Result<Option<OneGeneration>>,
        consumers: Result<Vec<ConsumerRecord>>,
        used: Option<UsageRecord>,
    ) -> Result<Option<Self>> {
        let (Some((info, sealed, superseded)), consumers) = (head?, consumers?) else { return Ok(None) };
        let checked = |row: ConsumerRecord| secrets.with_keys(org, |keys| row.verify(&info, keys));
        let consumers = consumers.into_iter().map(checked).collect::<Result<_>>()?;
        let checked = |row: UsageRecord| secrets.with_keys(org, |keys| row.verify(&info, keys));
        // One that is none is not copied, and holds up nothing: a verification tells of it.
        let used = used.map(checked).map(uses::authentic).transpose()?.flatten();
        Ok(Some(Self { info, sealed, superseded, consumers, used }))
    }

    /// The same of each of these, however many that are.
    pub(super) fn read_all(secrets: &Secrets, org: &Part, ids: &[StableId]) -> Result<Vec<Result<Option<Self>>>> {
        let mut all = Vec::with_capacity(ids.len());
        while let Some(left) = ids.get(all.len()..).filter(|left| !left.is_empty()) {
            all.extend(Self::read(secrets, org, left)?);
        }
        Ok(all)
    }

    /// About how many bytes it brings into a commit.
    pub(super) fn bytes(&self) -> usize {
        let of_row = |row: &RevisionRecord| row.sealed.as_bytes().len();
        self.sealed.as_bytes().len() + self.superseded.iter().map(of_row).sum::<usize>()
    }

    /// The value of the current revision.
    pub(super) fn value(&self, secrets: &Secrets) -> Result<SecretValue> {
        secrets.open_revision(&self.info, &self.sealed, self.info.revision, None)
    }

    /// One of the values of before.
    pub(super) fn value_of(&self, secrets: &Secrets, row: &RevisionRecord) -> Result<SecretValue> {
        let open = |keys: &_| row.clone().open(&self.info, row.revision, keys);
        secrets.with_keys(self.info.address.org(), open)
    }

    /// Whether `other`, of the store `theirs`, is like this, of the store `ours`, but for consumers and the last use, which
    /// belong to no generation. Opens every value of both.
    pub(super) fn is_like(&self, ours: &Secrets, other: &Self, theirs: &Secrets) -> Result<bool> {
        if !is_same_head(&self.info, &other.info) || self.superseded.len() != other.superseded.len() {
            return Ok(false);
        }
        if !self.value(ours)?.is_same_as(&other.value(theirs)?) {
            return Ok(false);
        }
        for (mine, their) in self.superseded.iter().zip(&other.superseded) {
            // Digests are each store's own, as are keys and authenticators.
            let same = (mine.revision, &mine.valued) == (their.revision, &their.valued);
            if !same || !self.value_of(ours, mine)?.is_same_as(&other.value_of(theirs, their)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Its consumer of this name.
    pub(super) fn consumer(&self, name: &Consumer) -> Option<&ConsumerInfo> {
        self.consumers.iter().find(|known| known.name == *name)
    }

    /// Whether it was used then or later.
    pub(super) fn has_use(&self, used: &Stamp) -> bool {
        self.used.as_ref().is_some_and(|known| known.at >= used.at)
    }
}

/// What stands there now, each by itself: where one row makes no sense, the others are read all the same.
pub(super) fn latest(secrets: &Secrets, wants: &[Want]) -> Result<Vec<Result<Option<Fetched>>>> {
    match secrets.latest(wants) {
        Err(error) if is_damage(&error) => wants.iter().map(|want| of_one_secret(secrets.latest_one(want))).collect(),
        all => Ok(all?.into_iter().map(Ok).collect()),
    }
}

/// The consumers of each of these secrets, in the same way.
fn consumers(secrets: &Secrets, org: &Part, ids: &[StableId]) -> Result<Vec<Result<Vec<ConsumerRecord>>>> {
    match secrets.store.consumers(org, ids) {
        Ok(all) if all.len() == ids.len() => Ok(all.into_iter().map(Ok).collect()),
        Ok(_) => Err(secrets.wrong_count()),
        Err(error) if is_damage(&error) && ids.len() > 1 => {
            let alone =
                |id| Ok(consumers(secrets, org, std::slice::from_ref(id))?.pop().unwrap_or_else(|| Ok(Vec::new())));
            ids.iter().map(alone).collect()
        }
        Err(error) => Ok(vec![of_one_secret(Err(error))?]),
    }
}

/// What of a secret is of one generation.
type OneGeneration = (SecretInfo, SealedValue, Vec<RevisionRecord>);

/// Head, record and superseded values of the first ones, each of one generation.
fn heads(secrets: &Secrets, org: &Part, ids: &[StableId]) -> Result<Vec<Result<Option<OneGeneration>>>> {
    let want = |id: &StableId, revision| Want { target: Target::Id(org.clone(), *id), revision };
    let wants: Vec<_> = ids.iter().map(|id| want(id, None)).collect();
    let mut heads = Vec::with_capacity(ids.len());
    for (fetched, want) in latest(secrets, &wants)?.into_iter().zip(&wants) {
        let checked = |fetched: Fetched| secrets.checked(&want.target, fetched.record);
        heads.push(of_one_secret(fetched.and_then(|fetched| fetched.map(checked).transpose()))?);
    }
    let infos: Vec<_> = heads.iter().filter_map(|head| head.as_ref().ok()?.as_ref()).map(|(info, _)| info).collect();
    let superseded = match secrets.superseded_of(&infos) {
        // One row is at fault, and nobody says which: the first alone.
        Err(error) if is_damage(&error) => infos.first().map(|info| secrets.superseded(info)).into_iter().collect(),
        superseded => superseded?,
    };
    let mut superseded = superseded.into_iter();
    let mut all = Vec::with_capacity(heads.len());
    for head in heads {
        all.push(match head {
            Ok(Some((info, sealed))) => match superseded.next() {
                Some(Ok(rows)) if has_all(&info, &rows) => Ok(Some((info, sealed, rows))),
                // Somebody wrote in between.
                Some(Ok(_)) => of_one_secret(read_again(secrets, org, info.id))?,
                Some(Err(error)) => Err(error),
                // No more are held at a time.
                None => break,
            },
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        });
    }
    Ok(all)
}

fn has_all(info: &SecretInfo, rows: &[RevisionRecord]) -> bool {
    rows.len() as u64 == info.revision.number() - info.first_revision.number()
}

fn read_again(secrets: &Secrets, org: &Part, id: StableId) -> Result<Option<OneGeneration>> {
    let target = Target::Id(org.clone(), id);
    for _ in 0..READS {
        let Some((info, sealed)) = secrets.current(&target)? else { return Ok(None) };
        let rows = secrets.superseded(&info)?;
        if has_all(&info, &rows) {
            return Ok(Some((info, sealed, rows)));
        }
    }
    Err(Error::Contended { store: secrets.store.to_string() })
}

/// What says something of one secret alone is kept apart from what ends everything.
fn of_one_secret<T>(result: Result<T>) -> Result<Result<T>> {
    match result {
        Err(error) if !is_damage(&error) => Err(error),
        result => Ok(result),
    }
}

fn is_same_head(one: &Head, other: &Head) -> bool {
    let Head {
        id,
        address,
        generation,
        revision,
        first_revision,
        keep,
        metadata,
        created,
        updated,
        valued,
        // Each store's own.
        digest: _,
    } = one;
    (id, address, generation, revision, first_revision)
        == (&other.id, &other.address, &other.generation, &other.revision, &other.first_revision)
        && (keep, metadata) == (&other.keep, &other.metadata)
        && (created, updated, valued) == (&other.created, &other.updated, &other.valued)
}
