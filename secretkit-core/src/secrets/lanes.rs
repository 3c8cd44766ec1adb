//! Where each lane of events ends, as far as this process knows: a guess that the commit checks.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Secrets;
use crate::anchor::RollbackAnchor;
use crate::error::{Error, Result};
use crate::event::{Lane, LaneHead, Token};
use crate::part::Part;
use crate::store::{Batch, Found};

/// An anchor, and why it is behind.
#[derive(Debug)]
pub(super) struct Anchor {
    anchor: Arc<dyn RollbackAnchor>,
    lag: Mutex<Option<String>>,
}

impl Anchor {
    pub(super) fn new(anchor: Arc<dyn RollbackAnchor>) -> Self {
        Self { anchor, lag: Mutex::default() }
    }

    fn lag(&self) -> MutexGuard<'_, Option<String>> {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
        drop(ends);
        let orgs: BTreeSet<_> = batch.events.iter().map(|event| &event.org).collect();
        orgs.into_iter().for_each(|org| self.save_anchor(org));
    }

    /// Why the anchor is behind the store, if it is: it could not be written after the last commit. The commit took
    /// effect; until the anchor is written again, a rollback to what it remembers would not be noticed.
    #[must_use]
    pub fn anchor_lag(&self) -> Option<String> {
        self.anchor.as_ref()?.lag().clone()
    }

    fn save_anchor(&self, org: &Part) {
        let (Some(Anchor { anchor, .. }), Ok(store)) = (&self.anchor, self.store_id()) else { return };
        let known = self.lanes.ends().get(org).copied().unwrap_or_default();
        let heads: Vec<_> = Lane::all().zip(known).filter_map(|(lane, head)| Some((lane, head?))).collect();
        let outcome = anchor.save(&store, org, &heads);
        if let Some(anchor) = &self.anchor {
            *anchor.lag() = outcome.err().map(|error| error.to_string());
        }
    }

    /// Whether the store is at least as far as its anchor, and went the same way.
    ///
    /// # Errors
    /// [`Error::RolledBack`], and what the anchor and the store say.
    pub(super) fn check_anchor(&self, org: &Part) -> Result<()> {
        let Some(Anchor { anchor, .. }) = &self.anchor else { return Ok(()) };
        let anchored = anchor.load(&self.store_id()?, org)?;
        if anchored.is_empty() {
            return Ok(());
        }
        let ends: HashMap<_, _> = self.store.lanes(org)?.into_iter().collect();
        for (lane, head) in anchored {
            let there = match ends.get(&lane) {
                Some(end) if *end == head => true,
                Some(end) if end.seq > head.seq => {
                    let event = self.store.events(org, lane, head.seq.saturating_sub(1), 1)?;
                    event.first().is_some_and(|event| event.head() == head)
                }
                Some(_) | None => false,
            };
            if !there {
                return Err(Error::RolledBack { store: self.store.to_string(), org: org.clone() });
            }
        }
        Ok(())
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
