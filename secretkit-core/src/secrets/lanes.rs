//! Where each lane of events ends, as far as this process knows: a guess that the commit checks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Secrets;
use crate::error::Result;
use crate::event::{Lane, LaneHead, Token};
use crate::part::Part;
use crate::store::{Batch, Found};

#[derive(Debug, Default)]
pub(super) struct LaneCache(Mutex<HashMap<Part, [Option<LaneHead>; Lane::COUNT as usize]>>);

impl Secrets {
    /// Whether a write whose outcome is unknown took effect: [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown)
    /// carries its token.
    ///
    /// # Errors
    /// What the store says.
    pub fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        self.authorize()?;
        self.store.outcome(org, token)
    }

    pub(super) fn lane_head(&self, org: &Part, lane: Lane) -> Result<Option<LaneHead>> {
        let known = self.lanes.ends().get(org).copied();
        let heads = match known {
            Some(heads) => heads,
            None => {
                let mut heads = [None; Lane::COUNT as usize];
                for (lane, head) in self.store.lanes(org)? {
                    heads[usize::from(lane.number())] = Some(head);
                }
                *self.lanes.ends().entry(org.clone()).or_insert(heads)
            }
        };
        Ok(heads[usize::from(lane.number())])
    }

    /// What the events of a commit have made of it.
    pub(super) fn committed(&self, batch: &Batch) {
        let mut ends = self.lanes.ends();
        for event in &batch.events {
            if let Some(heads) = ends.get_mut(&event.org) {
                heads[usize::from(event.lane.number())] = Some(event.head());
            }
        }
    }

    pub(super) fn forget_lanes(&self, org: &Part) {
        self.lanes.ends().remove(org);
    }

    /// What the store says of it.
    pub(super) fn lane_ends(&self, org: &Part, lane: Lane, found: Found) {
        let head = match found {
            Found::Lane(head) => Some(head),
            _ => None,
        };
        if let Some(heads) = self.lanes.ends().get_mut(org) {
            heads[usize::from(lane.number())] = head;
        }
    }
}

impl LaneCache {
    fn ends(&self) -> MutexGuard<'_, HashMap<Part, [Option<LaneHead>; Lane::COUNT as usize]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
