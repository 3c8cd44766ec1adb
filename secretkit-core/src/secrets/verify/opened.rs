//! Checking rows, many at a time and each by itself: what needs no more than the keys.

use crate::error::Result;
use crate::id::StableId;
use crate::part::Part;
use crate::record::SecretInfo;
use crate::revision::RevisionRecord;
use crate::seal::OrgKeys;
use crate::secrets::whole::Whole;
use crate::secrets::{Secrets, is_damage};

/// A secret all of whose rows were checked, and all of whose values open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) info: SecretInfo,
    /// The first bytes of its head's authenticator.
    pub(super) head: [u8; 8],
}

impl Secrets {
    /// Each of these secrets; `None` for one that is not there. What is wrong with one is its own error.
    ///
    /// # Errors
    /// What the store says of all.
    pub(super) fn opened(&self, org: &Part, ids: &[StableId]) -> Result<Vec<Result<Option<Opened>>>> {
        let keys = self.keys_at_hand(org)?;
        let open = |whole: Option<Whole>| whole.map(|whole| self.open_whole(org, &keys, whole)).transpose();
        let mut all: Vec<_> = match self.wholes(org, ids) {
            Ok(wholes) => wholes.into_iter().map(open).collect(),
            // One row is at fault, and nobody says which.
            Err(error) if is_damage(&error) => {
                let alone = |id: &StableId| open(self.wholes(org, &[*id])?.pop().flatten());
                ids.iter().map(alone).collect()
            }
            Err(error) => return Err(error),
        };
        let mut left: Vec<_> = all.iter_mut().filter(|opened| matches!(opened, Ok(Some(_)))).collect();
        while !left.is_empty() {
            let infos: Vec<_> =
                left.iter().filter_map(|opened| opened.as_ref().ok()?.as_ref()).map(|opened| &opened.info).collect();
            let superseded = match self.superseded_of(&infos) {
                Err(error) if is_damage(&error) => {
                    infos.first().map(|info| self.superseded(info)).into_iter().collect()
                }
                superseded => superseded?,
            };
            let outcomes =
                infos.iter().zip(superseded).map(|(info, rows)| self.open_superseded(org, &keys, info, rows?));
            let outcomes: Vec<_> = outcomes.collect();
            for (opened, outcome) in left.drain(..outcomes.len()).zip(outcomes) {
                if let Err(error) = outcome {
                    *opened = Err(error);
                }
            }
        }
        Ok(all)
    }

    /// All but its superseded values.
    fn open_whole(&self, org: &Part, keys: &OrgKeys, whole: Whole) -> Result<Opened> {
        let Whole { target, record, consumers, used } = whole;
        let head = first_bytes(&record.mac.tag);
        let (info, sealed) = record.verify(|check| self.with_keys_at_hand(org, keys, check))?;
        self.answers(&target, &info)?;
        self.with_keys_at_hand(org, keys, |keys| keys.open_value(&info.address, &info.id, info.revision, &sealed))?;
        for row in consumers {
            self.with_keys_at_hand(org, keys, |keys| row.verify(&info, keys))?;
        }
        if let Some(row) = used {
            self.with_keys_at_hand(org, keys, |keys| row.verify(&info, keys))?;
        }
        Ok(Opened { info, head })
    }

    fn open_superseded(&self, org: &Part, keys: &OrgKeys, info: &SecretInfo, rows: Vec<RevisionRecord>) -> Result<()> {
        rows.into_iter().try_for_each(|row| {
            let revision = row.revision;
            self.with_keys_at_hand(org, keys, |keys| row.clone().open(info, revision, keys)).map(drop)
        })
    }
}

pub(super) fn first_bytes(tag: &[u8; 32]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&tag[..8]);
    first
}
