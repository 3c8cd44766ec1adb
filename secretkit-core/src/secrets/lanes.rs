//! Where each lane of events ends, as far as this process knows: a guess that the commit checks.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Secrets;
use crate::anchor::RollbackAnchor;
use crate::error::{Error, Result};
use crate::event::{Lane, LaneHead, Token};
use crate::part::Part;
use crate::seal::random;
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

/// What this process knows of each org's lanes.
#[derive(Clone, Debug, Default)]
pub(super) struct LaneCache(Arc<Mutex<HashMap<Part, Lanes>>>);

#[derive(Debug, Default)]
struct Lanes {
    ends: [Option<LaneHead>; Lane::COUNT as usize],
    /// How many of this process's writers are in each.
    writers: [u32; Lane::COUNT as usize],
    /// Where to look for a free one first. Processes begin at different ones, and move on where they meet.
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
        let from_first = (0..Lane::COUNT).map(|step| (self.first + step) % Lane::COUNT);
        from_first
            .filter_map(Lane::new)
            .min_by_key(|lane| self.writers[usize::from(lane.number())])
            .unwrap_or(Lane::FIRST)
    }
}

impl Secrets {
    /// Whether a write whose outcome is unknown took effect: [`Error::OutcomeUnknown`]
    /// carries its token.
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
            let mut lanes = Lanes { first: random::<1>()?[0] % Lane::COUNT, ..Lanes::default() };
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
        let known = self.lanes.lock().get(org).map(|lanes| lanes.ends).unwrap_or_default();
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
                return Err(self.rolled_back(org));
            }
        }
        Ok(())
    }

    pub(super) fn rolled_back(&self, org: &Part) -> Error {
        Error::RolledBack { store: self.store.to_string(), org: org.clone() }
    }

    pub(super) fn forget_lanes(&self, org: &Part) {
        self.lanes.lock().remove(org);
    }

    /// Somebody else writes to this lane: the store says where it ends, and the next writer begins elsewhere.
    ///
    /// # Errors
    /// [`Error::RolledBack`] where the lane ends before its anchor: an old copy of the store has come into its place
    /// under a running process.
    pub(super) fn lane_ends(&self, org: &Part, lane: Lane, found: Found) -> Result<()> {
        let head = match found {
            Found::Lane(head) => Some(head),
            _ => None,
        };
        let at = usize::from(lane.number());
        let known = self.lanes.lock().get(org).and_then(|lanes| lanes.ends[at]);
        // Others only ever make it longer.
        let behind = |end: LaneHead| head.is_none_or(|head| head.seq <= end.seq && head != end);
        if let (Some(Anchor { anchor, .. }), true) = (&self.anchor, known.is_some_and(behind)) {
            let anchored = anchor.load(&self.store_id()?, org)?;
            if anchored.into_iter().any(|(of, end)| of == lane && behind(end)) {
                // Whoever reads next asks the anchor again.
                self.forget(org);
                return Err(self.rolled_back(org));
            }
        }
        if let Some(lanes) = self.lanes.lock().get_mut(org) {
            lanes.ends[at] = head;
            // By a step that visits each, and that two which met do not share.
            let step = random::<1>().map_or(1, |byte| byte[0] % (Lane::COUNT - 1) + 1);
            lanes.first = (lane.number() + step) % Lane::COUNT;
        }
        Ok(())
    }
}

impl LaneCache {
    fn lock(&self) -> MutexGuard<'_, HashMap<Part, Lanes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
