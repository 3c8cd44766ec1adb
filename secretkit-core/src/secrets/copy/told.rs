//! What the events of the target tell of what it has.

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::event::{Action, Lane, LaneHead, Subject};
use crate::id::StableId;
use crate::part::Part;
use crate::secrets::Secrets;
use crate::usage::Consumer;

/// What happened to secrets there otherwise than by a copy, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Told {
    ends: HashMap<Lane, LaneHead>,
    own: HashMap<StableId, Own>,
    removed: HashSet<(StableId, Consumer)>,
}

/// What somebody did to a secret there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Own {
    /// It was made or changed.
    Changed,
    /// It was deleted.
    Deleted,
}

/// Events are read this many at a time.
const PAGE: usize = 500;

impl Told {
    /// What was done to it.
    pub(super) fn of(&self, id: StableId) -> Option<Own> {
        self.own.get(&id).copied()
    }

    /// Whether that consumer of it was removed there; perhaps it is back since.
    pub(super) fn has_removed(&self, id: StableId, consumer: &Consumer) -> bool {
        !self.removed.is_empty() && self.removed.contains(&(id, consumer.clone()))
    }

    /// Reads what was added since the last time.
    pub(super) fn catch_up(&mut self, secrets: &Secrets, org: &Part) -> Result<()> {
        for (lane, until) in secrets.store.lanes(org)? {
            while self.end(lane) < until.seq {
                let events = secrets.store.events(org, lane, self.end(lane), PAGE)?;
                if events.is_empty() {
                    break;
                }
                for row in events {
                    let previous = self.ends.get(&lane);
                    let event = secrets.with_keys(org, |keys| row.verify(previous, None, keys))?;
                    self.ends.insert(lane, row.head());
                    if let Subject::Secret { id, consumer, .. } = event.subject {
                        self.note(id, event.action, consumer);
                    }
                }
            }
        }
        Ok(())
    }

    fn end(&self, lane: Lane) -> u64 {
        self.ends.get(&lane).map_or(0, |head| head.seq)
    }

    fn note(&mut self, id: StableId, action: Action, consumer: Option<Consumer>) {
        match action {
            Action::Create | Action::Update | Action::Edit | Action::Rollback => {
                // Lanes lie beside each other: a deletion may be read before what it ended.
                self.own.entry(id).or_insert(Own::Changed);
            }
            Action::Delete => drop(self.own.insert(id, Own::Deleted)),
            Action::RemoveConsumer => self.removed.extend(consumer.map(|consumer| (id, consumer))),
            Action::Copy | Action::Reencrypt | Action::AddConsumer | Action::CreateKeyring | Action::ChangeKeyring => {}
        }
    }
}
