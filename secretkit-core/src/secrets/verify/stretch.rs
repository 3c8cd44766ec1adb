//! Reading a lane in stretches, several at a time: each checks that its events follow each other and the one before.

use super::last::Last;
use crate::error::Result;
use crate::event::{EventRecord, Lane, LaneHead, Subject};
use crate::id::StableId;
use crate::part::Part;
use crate::secrets::Secrets;

/// Events of one lane that follow each other, as far as they hold.
#[derive(Debug)]
pub(super) struct Stretch {
    /// The event that they follow, as it was read with them.
    pub(super) before: Option<LaneHead>,
    /// The last one; the one before where there is none.
    pub(super) end: Option<LaneHead>,
    pub(super) count: usize,
    pub(super) states: Vec<(StableId, Last)>,
    /// The highest version of the keyring that they tell of; 0 where they tell of none.
    pub(super) keyring: u64,
    /// What is wrong with the next one.
    pub(super) outcome: Result<()>,
}

/// Where a stretch begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Behind {
    /// This event, up to which all were checked.
    Checked(Option<LaneHead>),
    /// The one of this number, which another stretch ends with.
    Number(u64),
}

impl Behind {
    /// Where to begin and how many events to read for each of so many threads, of those behind `end` up to number `until`.
    pub(super) fn parts(end: Option<LaneHead>, until: u64, each: usize, threads: usize) -> Vec<(Self, usize)> {
        let mut parts = Vec::with_capacity(threads);
        let mut behind = seq(end);
        while behind < until && parts.len() < threads {
            let limit = usize::try_from(until - behind).unwrap_or(each).min(each);
            parts.push((if parts.is_empty() { Self::Checked(end) } else { Self::Number(behind) }, limit));
            behind += limit as u64;
        }
        parts
    }
}

impl Secrets {
    /// So many events of a lane at the most.
    pub(super) fn stretch(&self, org: &Part, lane: Lane, behind: Behind, limit: usize) -> Stretch {
        let mut stretch =
            Stretch { before: None, end: None, count: 0, states: Vec::new(), keyring: 0, outcome: Ok(()) };
        stretch.outcome = stretch.read(self, org, lane, behind, limit);
        stretch
    }
}

impl Stretch {
    fn read(&mut self, secrets: &Secrets, org: &Part, lane: Lane, behind: Behind, limit: usize) -> Result<()> {
        let mut rows = match behind {
            Behind::Checked(head) => secrets.store.events(org, lane, seq(head), limit)?,
            Behind::Number(number) => secrets.store.events(org, lane, number.saturating_sub(1), limit + 1)?,
        }
        .into_iter()
        .peekable();
        self.before = match behind {
            Behind::Checked(head) => head,
            Behind::Number(number) => rows.next_if(|row| row.seq == number).map(|row| row.head()),
        };
        self.end = self.before;
        let keys = secrets.keys_at_hand(org)?;
        let mut last = None;
        for row in rows {
            let event =
                secrets.with_keys_at_hand(org, &keys, |keys| row.verify(self.end.as_ref(), last.as_ref(), keys))?;
            self.end = Some(EventRecord::head(&row));
            self.count += 1;
            self.states.extend(Last::of(&event));
            if let Subject::Keyring { version } = event.subject {
                self.keyring = self.keyring.max(version);
            }
            last = Some(event);
        }
        Ok(())
    }
}

/// How many events a lane with this end has.
pub(super) fn seq(end: Option<LaneHead>) -> u64 {
    end.map_or(0, |end| end.seq)
}
