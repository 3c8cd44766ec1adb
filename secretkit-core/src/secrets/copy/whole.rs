//! All that one secret has.

use crate::error::{Error, ErrorKind, Result};
use crate::head::{Head, Stamp};
use crate::id::StableId;
use crate::part::Part;
use crate::record::{Revision, SecretInfo};
use crate::revision::RevisionRecord;
use crate::seal::SealedValue;
use crate::secrets::Secrets;
use crate::store::{Fetched, Target, Want};
use crate::usage::ConsumerInfo;
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

/// How two secrets of one id stand to each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Likeness {
    /// The other has all that this has.
    Wholly,
    /// But for consumers or the last use, which belong to no generation.
    InHeadAndValues,
    /// No.
    Not,
}

/// Somebody writes to a secret while it is read this often in a row: then it is a fault.
const READS: usize = 100;

impl Whole {
    /// Each of these secrets, as it is now; `None` for one that is gone. What was damaged is an error of its own.
    pub(super) fn read(secrets: &Secrets, org: &Part, ids: &[StableId]) -> Result<Vec<Result<Option<Self>>>> {
        let heads = heads(secrets, org, ids)?;
        let consumers = secrets.store.consumers(org, ids)?;
        let uses = secrets.store.uses(org, ids)?;
        if consumers.len() != ids.len() || uses.len() != ids.len() {
            return Err(secrets.wrong_count());
        }
        let rest = heads.into_iter().zip(ids).zip(consumers.into_iter().zip(uses));
        let whole = |((head, id), (consumers, used)): ((Result<Option<_>>, &StableId), (Vec<_>, Option<_>))| {
            let Some((info, sealed, superseded)) = head? else { return Ok(None) };
            let info: SecretInfo = info;
            debug_assert_eq!(info.id, *id);
            let checked = |row: crate::usage::ConsumerRecord| secrets.with_keys(org, |keys| row.verify(&info, keys));
            let consumers = consumers.into_iter().map(checked).collect::<Result<_>>()?;
            let checked = |row: crate::usage::UsageRecord| secrets.with_keys(org, |keys| row.verify(&info, keys));
            let used = used.map(checked).transpose()?;
            Ok(Some(Self { info, sealed, superseded, consumers, used }))
        };
        rest.map(whole).map(of_one_secret).collect()
    }

    /// About how many bytes it brings into a commit.
    pub(super) fn bytes(&self) -> usize {
        let of_row = |row: &RevisionRecord| row.sealed.as_bytes().len() + self.sealed.as_bytes().len();
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

    /// Whether `other`, of the store `theirs`, is like this, of the store `ours`. Opens every value of both.
    pub(super) fn likeness(&self, ours: &Secrets, other: &Self, theirs: &Secrets) -> Result<Likeness> {
        if !is_same_head(&self.info, &other.info) || self.superseded.len() != other.superseded.len() {
            return Ok(Likeness::Not);
        }
        if !self.value(ours)?.is_same_as(&other.value(theirs)?) {
            return Ok(Likeness::Not);
        }
        for (mine, their) in self.superseded.iter().zip(&other.superseded) {
            // Digests are each store's own, as are keys and authenticators.
            let same = (mine.revision, &mine.valued) == (their.revision, &their.valued);
            if !same || !self.value_of(ours, mine)?.is_same_as(&other.value_of(theirs, their)?) {
                return Ok(Likeness::Not);
            }
        }
        let known = self.consumers.iter().all(|consumer| other.knows(consumer));
        let used = self.used.as_ref().is_none_or(|used| other.has_use(used));
        Ok(if known && used { Likeness::Wholly } else { Likeness::InHeadAndValues })
    }

    /// Whether it has this consumer, seen as late or later.
    pub(super) fn knows(&self, consumer: &ConsumerInfo) -> bool {
        self.consumers.iter().any(|known| known.name == consumer.name && known.seen.at >= consumer.seen.at)
    }

    /// Whether it was used then or later.
    pub(super) fn has_use(&self, used: &Stamp) -> bool {
        self.used.as_ref().is_some_and(|known| known.at >= used.at)
    }
}

/// What of a secret is of one generation.
type OneGeneration = (SecretInfo, SealedValue, Vec<RevisionRecord>);

/// Head, record and superseded values of each, all of one generation.
fn heads(secrets: &Secrets, org: &Part, ids: &[StableId]) -> Result<Vec<Result<Option<OneGeneration>>>> {
    let want = |id: &StableId, revision| Want { target: Target::Id(org.clone(), *id), revision };
    let wants: Vec<_> = ids.iter().map(|id| want(id, None)).collect();
    let mut heads = Vec::with_capacity(ids.len());
    for (fetched, want) in secrets.latest(&wants)?.into_iter().zip(&wants) {
        let checked = |fetched: Fetched| secrets.checked(&want.target, fetched.record);
        heads.push(of_one_secret(fetched.map(checked).transpose())?);
    }
    let kept = |info: &SecretInfo| (info.first_revision.number()..info.revision.number()).map(Revision::new);
    let of_head = |head: &Result<Option<(SecretInfo, SealedValue)>>| match head {
        Ok(Some((info, _))) => kept(info).map(|revision| want(&info.id, revision)).collect(),
        _ => Vec::new(),
    };
    let wants: Vec<_> = heads.iter().flat_map(of_head).collect();
    let mut rows = match wants.is_empty() {
        true => Vec::new(),
        false => secrets.latest(&wants)?,
    }
    .into_iter();
    heads
        .into_iter()
        .map(|head| {
            let (info, sealed) = match head {
                Ok(Some(head)) => head,
                Ok(None) => return Ok(Ok(None)),
                Err(error) => return Ok(Err(error)),
            };
            let expected = kept(&info).count();
            let found = rows.by_ref().take(expected).map(|row| row_of(row, &info)).collect::<Option<Vec<_>>>();
            match found {
                Some(rows) if rows.iter().all(Option::is_some) => {
                    Ok(Ok(Some((info, sealed, rows.into_iter().flatten().collect()))))
                }
                Some(_) => Ok(Err(Error::corrupt(&format!("a superseded value of {}, which is gone,", info.address)))),
                // Somebody wrote in between.
                None => of_one_secret(read_again(secrets, org, info.id)),
            }
        })
        .collect()
}

/// The superseded value that was asked for; none of it where the secret has moved on since.
#[expect(clippy::option_option, reason = "a row that is gone is not one that was not looked for")]
fn row_of(fetched: Option<Fetched>, info: &SecretInfo) -> Option<Option<RevisionRecord>> {
    let fetched = fetched.filter(|fetched| fetched.record.head.generation == info.generation)?;
    Some(fetched.superseded)
}

fn read_again(secrets: &Secrets, org: &Part, id: StableId) -> Result<Option<OneGeneration>> {
    let target = Target::Id(org.clone(), id);
    for _ in 0..READS {
        let Some((info, sealed)) = secrets.current(&target)? else { return Ok(None) };
        let rows = secrets.superseded(&info)?;
        if rows.len() as u64 == info.revision.number() - info.first_revision.number() {
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

pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::UnknownKey)
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
