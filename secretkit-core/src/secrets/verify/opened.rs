//! Checking rows, many at a time and each by itself: what needs no more than the keys.

use super::is_damage;
use crate::error::Result;
use crate::id::{SecretId, StableId};
use crate::part::Part;
use crate::record::Generation;
use crate::seal::OrgKeys;
use crate::secrets::Secrets;
use crate::secrets::whole::Whole;

/// A secret all of whose rows were checked, and all of whose values open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) address: SecretId,
    pub(super) generation: Generation,
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
        match self.wholes(org, ids) {
            Ok(wholes) => Ok(wholes.into_iter().map(open).collect()),
            // One row is at fault, and nobody says which.
            Err(error) if is_damage(&error) => {
                let alone = |id: &StableId| open(self.wholes(org, &[*id])?.pop().flatten());
                Ok(ids.iter().map(alone).collect())
            }
            Err(error) => Err(error),
        }
    }

    fn open_whole(&self, org: &Part, keys: &OrgKeys, whole: Whole) -> Result<Opened> {
        let Whole { target, record, consumers, used } = whole;
        let head = first_bytes(&record.mac.tag);
        let (info, sealed) = record.verify(|check| self.with_keys_at_hand(org, keys, check))?;
        self.answers(&target, &info)?;
        self.with_keys_at_hand(org, keys, |keys| keys.open_value(&info.address, &info.id, info.revision, &sealed))?;
        for row in self.superseded(&info)? {
            let revision = row.revision;
            self.with_keys_at_hand(org, keys, |keys| row.clone().open(&info, revision, keys))?;
        }
        for row in consumers {
            self.with_keys_at_hand(org, keys, |keys| row.verify(&info, keys))?;
        }
        if let Some(row) = used {
            self.with_keys_at_hand(org, keys, |keys| row.verify(&info, keys))?;
        }
        let generation = info.generation;
        Ok(Opened { address: info.into_head().address, generation, head })
    }
}

pub(super) fn first_bytes(tag: &[u8; 32]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&tag[..8]);
    first
}
