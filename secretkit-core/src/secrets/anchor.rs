//! What an anchor is asked and told: before each commit, and after it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Secrets;
use crate::anchor::{Anchored, RollbackAnchor};
use crate::error::{Error, Result};
use crate::event::{EventRecord, Lane, LaneHead};
use crate::part::Part;
use crate::store::{Batch, Change, Expect};

/// An anchor, and what this process knows of it.
#[derive(Debug)]
pub(super) struct Anchor {
    anchor: Arc<dyn RollbackAnchor>,
    lag: Mutex<BTreeMap<Part, Lag>>,
    /// Of a lane that is ahead of it: what it remembers, and the end that was found to follow that.
    ahead: Mutex<HashMap<(Part, Lane), (LaneHead, LaneHead)>>,
}

/// Why it is behind in one org, and what it has not been told.
#[derive(Debug, Default)]
struct Lag {
    why: String,
    owed: Anchored,
}

impl Anchor {
    pub(super) fn new(anchor: Arc<dyn RollbackAnchor>) -> Self {
        Self { anchor, lag: Mutex::default(), ahead: Mutex::default() }
    }

    fn lag(&self) -> MutexGuard<'_, BTreeMap<Part, Lag>> {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ahead(&self) -> MutexGuard<'_, HashMap<(Part, Lane), (LaneHead, LaneHead)>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secrets {
    /// Why the anchor is behind the store in any org, if it is: it could not be written after the last commit there. The
    /// commit took effect; until the anchor is written again, a rollback to what it remembers would not be noticed.
    #[must_use]
    pub fn anchor_lag(&self) -> Option<String> {
        self.anchor.as_ref()?.lag().values().next().map(|lag| lag.why.clone())
    }

    /// Whether the store's events are at least as far as its anchor, and went the same way. Returns the version that the
    /// keyring must have at the least.
    ///
    /// # Errors
    /// [`Error::RolledBack`], and what the anchor and the store say.
    pub(super) fn check_anchor(&self, org: &Part) -> Result<u64> {
        let Some(anchor) = &self.anchor else { return Ok(0) };
        let anchored = anchor.anchor.load(&self.store_id()?, org)?;
        if anchored.lanes.is_empty() {
            return Ok(anchored.keyring);
        }
        let ends: HashMap<_, _> = self.store.lanes(org)?.into_iter().collect();
        for (lane, head) in anchored.lanes {
            let is_there = match ends.get(&lane) {
                Some(end) if *end == head => true,
                // Events may be there that its end says nothing of.
                Some(end) if end.seq > head.seq => self.is_ahead(anchor, org, lane, (head, *end))?,
                Some(_) | None => false,
            };
            if !is_there {
                // Whoever reads next asks the anchor again.
                self.forget(org);
                return Err(self.rolled_back(org));
            }
        }
        Ok(anchored.keyring)
    }

    /// Before an answer that something is not there. What is there was checked under keys, and with them the anchor.
    pub(super) fn check_absence(&self, org: &Part) -> Result<()> {
        if !self.has_keys_at_hand(org) {
            let _version = self.check_anchor(org)?;
        }
        Ok(())
    }

    /// Whether a lane that ends here went on from what the anchor remembers of it. Each end is looked at once.
    fn is_ahead(&self, anchor: &Anchor, org: &Part, lane: Lane, (head, end): (LaneHead, LaneHead)) -> Result<bool> {
        let at = (org.clone(), lane);
        if anchor.ahead().get(&at) == Some(&(head, end)) {
            return Ok(true);
        }
        let event = self.store.events(org, lane, head.seq.saturating_sub(1), 1)?;
        let is_ahead = event.first().is_some_and(|event| event.head() == head);
        if is_ahead {
            anchor.ahead().insert(at, (head, end));
        }
        Ok(is_ahead)
    }

    pub(super) fn rolled_back(&self, org: &Part) -> Error {
        Error::RolledBack { store: self.store.to_string(), org: org.clone() }
    }

    /// Tells the anchor what this process has just committed to an org, and what it could not be told before. What others
    /// have written is theirs to tell: nobody here has checked it.
    pub(super) fn save_anchor(&self, org: &Part, batch: &Batch) {
        let (Some(anchor), Ok(store)) = (&self.anchor, self.store_id()) else { return };
        let owed = anchor.lag().get(org).map(|lag| lag.owed.clone()).unwrap_or_default();
        let mut reached = owed.clone();
        reached.keyring = reached.keyring.max(keyring_version(org, batch));
        reached.lanes.extend(heads(org, batch));
        let outcome = anchor.anchor.save(&store, org, &reached);
        let mut lag = anchor.lag();
        match outcome {
            // Another thread may owe it more by now.
            Ok(()) if lag.get(org).is_some_and(|lag| lag.owed == owed) => drop(lag.remove(org)),
            Ok(()) => {}
            Err(error) => {
                let lag = lag.entry(org.clone()).or_default();
                lag.why = error.to_string();
                let _advance = lag.owed.advance(&reached);
            }
        }
    }
}

/// The version of the org's keyring under which a commit was made, or which it brought; 0 where it says nothing of it.
pub(super) fn keyring_version(org: &Part, batch: &Batch) -> u64 {
    let expected = batch.expectations.iter().filter_map(|expect| match expect {
        Expect::Keyring(of, Some(stamp)) if of == org => Some(stamp.version),
        _ => None,
    });
    let brought = batch.changes.iter().filter_map(|change| match change {
        Change::Keyring(row) if row.org == *org => Some(row.version),
        _ => None,
    });
    expected.chain(brought).max().unwrap_or_default()
}

/// The event that a commit follows in the org's lane, and those that it brings.
fn heads<'a>(org: &'a Part, batch: &'a Batch) -> impl Iterator<Item = (Lane, LaneHead)> + use<'a> {
    let followed = batch.expectations.iter().filter_map(move |expect| match expect {
        Expect::Lane(of, lane, Some(head)) if of == org => Some((*lane, *head)),
        _ => None,
    });
    let events = batch.events.iter().filter(move |event| event.org == *org);
    followed.chain(events.map(|event| (event.lane, EventRecord::head(event))))
}

#[cfg(test)]
mod tests {
    use super::{heads, keyring_version};
    use crate::event::{EventRecord, Lane, LaneHead, Token};
    use crate::part::{Part, PartKind};
    use crate::seal::{KeyringStamp, Mac, OrgKeys, RootKey, StoreId};
    use crate::store::{Batch, Change, Expect};
    use crate::time::Timestamp;

    const AT: Timestamp = Timestamp::from_micros(0);

    /// A commit to this org that follows event 5, brings 6, and has this version of its keyring before and after it.
    fn batch(org: &Part, lane: Lane, before: u64, after: u64) -> Batch {
        let (_, row) = OrgKeys::create(StoreId::from_bytes([7; 16]), org, &RootKey::generate().unwrap(), AT).unwrap();
        let head = LaneHead { seq: 5, mac: [lane.number(); Mac::BYTES] };
        let mac = Mac { key: crate::seal::KeyId::from_bytes([1; 16]), tag: [lane.number(); 32] };
        let (body, token) = (Box::default(), Token::from_bytes([6; 16]));
        let stamp = KeyringStamp { version: before, ..row.stamp() };
        Batch {
            expectations: vec![Expect::Keyring(org.clone(), Some(stamp)), Expect::Lane(org.clone(), lane, Some(head))],
            changes: vec![Change::Keyring(crate::seal::KeyringRow { version: after, ..row })],
            events: vec![EventRecord { org: org.clone(), lane, seq: 6, token, at: AT, body, mac }],
            ..Batch::default()
        }
    }

    #[test]
    fn an_anchor_is_told_what_a_commit_followed_and_brought_in_its_own_org() {
        let org = |name: &str| Part::parse(PartKind::Org, name).unwrap();
        let (acme, rival, third) = (org("acme"), org("rival"), org("third"));
        let (one, two) = (Lane::new(1).unwrap(), Lane::new(2).unwrap());
        let (mut both, other) = (batch(&acme, one, 3, 4), batch(&rival, two, 8, 7));
        both.expectations.extend(other.expectations);
        both.changes.extend(other.changes);
        both.events.extend(other.events);
        let told = |org| heads(org, &both).map(|(lane, head)| (lane.number(), head.seq)).collect::<Vec<_>>();
        assert_eq!((told(&acme), keyring_version(&acme, &both)), (vec![(1, 5), (1, 6)], 4));
        assert_eq!((told(&rival), keyring_version(&rival, &both)), (vec![(2, 5), (2, 6)], 8));
        assert_eq!((told(&third), keyring_version(&third, &both)), (vec![], 0));
    }
}
