//! Reading all that a store holds of many secrets at once, for what goes over a whole org.

use super::Secrets;
use crate::error::Result;
use crate::id::StableId;
use crate::part::Part;
use crate::record::SecretRecord;
use crate::store::{ConsumerRecord, Fetched, Target, UsageRecord, Want};

/// The rows of one secret, but those of its superseded values. Nothing of it is checked yet.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) target: Target,
    pub(super) record: SecretRecord,
    pub(super) consumers: Vec<ConsumerRecord>,
    pub(super) used: Option<UsageRecord>,
}

impl Secrets {
    /// All of each of these secrets of an org, in their order; `None` for one that is not there.
    ///
    /// # Errors
    /// What the store says. Where one row makes no sense, that is an error of the whole call.
    pub(super) fn wholes(&self, org: &Part, ids: &[StableId]) -> Result<Vec<Option<Whole>>> {
        self.wholes_with(org, ids, self.store.uses(org, ids)?)
    }

    /// The same for whoever is not held up by a last use: where its row makes no sense, there is none.
    ///
    /// # Errors
    /// Those of [`wholes`](Self::wholes) but for that.
    pub(super) fn wholes_at_work(&self, org: &Part, ids: &[StableId]) -> Result<Vec<Option<Whole>>> {
        self.wholes_with(org, ids, self.recorded_uses(org, ids)?)
    }

    fn wholes_with(&self, org: &Part, ids: &[StableId], uses: Vec<Option<UsageRecord>>) -> Result<Vec<Option<Whole>>> {
        let wants: Vec<_> =
            ids.iter().map(|id| Want { target: Target::Id(org.clone(), *id), revision: None }).collect();
        let fetched = self.latest(&wants)?;
        let consumers = self.store.consumers(org, ids)?;
        if consumers.len() != ids.len() || uses.len() != ids.len() {
            return Err(self.wrong_count());
        }
        let rows = wants.into_iter().zip(fetched).zip(consumers).zip(uses);
        Ok(rows
            .map(|(((Want { target, .. }, fetched), consumers), used)| {
                let Fetched { record, .. } = fetched?;
                Some(Whole { target, record, consumers, used })
            })
            .collect())
    }
}
