//! Where each lane of events ends, as far as this process knows: a guess that the commit checks.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Secrets;
use crate::error::Result;
use crate::event::{Lane, LaneHead, Token};
use crate::part::Part;
use crate::seal::random;
use crate::store::{Batch, Change, Found};

/// What this process knows of each org's lanes.
#[derive(Clone, Debug, Default)]
pub(super) struct LaneCache(Arc<Mutex<HashMap<Part, Lanes>>>);

#[derive(Debug, Default)]
struct Lanes {
    ends: [Option<LaneHead>; Lane::COUNT as usize],
    /// How many of this process's writers are in each.
    writers: [u32; Lane::COUNT as usize],
    /// Where to look for a free one first, round and round. Processes begin at different ones, and move on where they meet.
    first: u8,
}

/// A lane that one writer of this process uses, until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    cache: LaneCache,
    org: Part,
    lane: Lane,
    end: Option<LaneHead>,
}

impl Lease {
    pub(super) const fn lane(&self) -> Lane {
        self.lane
    }

    /// Where it ends, as far as is known.
    pub(super) const fn end(&self) -> Option<LaneHead> {
        self.end
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(lanes) = self.cache.lock().get_mut(&self.org) {
            let writers = &mut lanes.writers[usize::from(self.lane.number())];
            *writers = writers.saturating_sub(1);
        }
    }
}

impl Lanes {
    /// The one with the fewest writers, from the first on.
    fn freest(&self) -> Lane {
        let from_first = (0..Lane::COUNT).map(|step| self.first.wrapping_add(step) % Lane::COUNT);
        from_first
            .filter_map(Lane::new)
            .min_by_key(|lane| self.writers[usize::from(lane.number())])
            .unwrap_or(Lane::FIRST)
    }
}

impl Secrets {
    /// Whether a write whose outcome is unknown took effect:
    /// [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown) carries its token.
    ///
    /// # Errors
    /// What the store says.
    pub fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        self.authorize()?;
        self.store.outcome(org, token)
    }

    /// A lane for the events of one commit.
    pub(super) fn lease_lane(&self, org: &Part) -> Result<Lease> {
        if !self.lanes.lock().contains_key(org) {
            let mut lanes = Lanes { first: random::<1>()?[0], ..Lanes::default() };
            for (lane, head) in self.store.lanes(org)? {
                lanes.ends[usize::from(lane.number())] = Some(head);
            }
            self.lanes.lock().entry(org.clone()).or_insert(lanes);
        }
        let mut cached = self.lanes.lock();
        let lanes = cached.entry(org.clone()).or_default();
        let lane = lanes.freest();
        let at = usize::from(lane.number());
        lanes.writers[at] += 1;
        let end = lanes.ends[at];
        drop(cached);
        Ok(Lease { cache: self.lanes.clone(), org: org.clone(), lane, end })
    }

    /// What the events of a commit have made of it.
    pub(super) fn committed(&self, batch: &Batch) {
        let mut cached = self.lanes.lock();
        for event in &batch.events {
            if let Some(lanes) = cached.get_mut(&event.org) {
                lanes.ends[usize::from(event.lane.number())] = Some(event.head());
            }
        }
        drop(cached);
        if self.anchor.is_some() {
            // The keyring of an org that is erased changes without an event.
            let keyrings = batch.changes.iter().filter_map(|change| match change {
                Change::Keyring(row) => Some(&row.org),
                _ => None,
            });
            let orgs: BTreeSet<_> = batch.events.iter().map(|event| &event.org).chain(keyrings).collect();
            orgs.into_iter().for_each(|org| self.save_anchor(org, batch));
        }
    }

    pub(super) fn forget_lanes(&self, org: &Part) {
        self.lanes.lock().remove(org);
    }

    /// Somebody else writes to this lane: the store says where it ends, and the next writer begins elsewhere.
    pub(super) fn lane_ends(&self, org: &Part, lane: Lane, found: Found) {
        let head = match found {
            Found::Lane(head) => Some(head),
            _ => None,
        };
        if let Some(lanes) = self.lanes.lock().get_mut(org) {
            lanes.ends[usize::from(lane.number())] = head;
            // By a step that visits each, and that two which met do not share.
            let step = random::<1>().map_or(1, |byte| byte[0] % (Lane::COUNT - 1) + 1);
            lanes.first = lane.number().wrapping_add(step);
        }
    }
}

impl LaneCache {
    fn lock(&self) -> MutexGuard<'_, HashMap<Part, Lanes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::memory::MemoryStore;
    use crate::part::PartKind;
    use crate::people::Access;
    use crate::seal::RootKey;

    #[test]
    fn a_lane_is_free_again_when_its_lease_is_dropped() {
        let (store, root) = (Arc::new(MemoryStore::new()), Arc::new(RootKey::generate().unwrap()));
        let (secrets, org) = (Secrets::new(store, root, Access::Unrestricted), Part::parse(PartKind::Org, "acme"));
        let lease = || secrets.lease_lane(org.as_ref().unwrap()).unwrap();
        let first = lease();
        let (second, third) = (lease(), lease());
        assert!(first.lane() != second.lane() && second.lane() != third.lane() && third.lane() != first.lane());
        let lane = first.lane();
        drop(first);
        assert_eq!(lease().lane(), lane);
    }

    /// Where 16 is no divisor of what a byte counts to, this would be another law.
    #[test]
    fn writers_of_one_process_take_lanes_of_their_own_as_long_as_there_are_any() {
        for first in 0..=u8::MAX {
            let mut lanes = Lanes { first, ..Lanes::default() };
            for writers in 1..=3 {
                let mut taken = BTreeSet::new();
                for _ in 0..Lane::COUNT {
                    let lane = lanes.freest();
                    taken.insert(lane);
                    lanes.writers[usize::from(lane.number())] += 1;
                }
                assert_eq!(taken.len(), usize::from(Lane::COUNT));
                assert_eq!(lanes.writers, [writers; Lane::COUNT as usize]);
            }
        }
    }
}
