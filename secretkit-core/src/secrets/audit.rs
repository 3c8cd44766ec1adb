//! Reading the events of an org.

use super::Secrets;
use crate::error::Result;
use crate::event::{Event, Lane, LaneHead};
use crate::part::Part;

/// How many events are read at a time.
const PAGE: usize = 500;

impl Secrets {
    /// What was done to an org's secrets and keys, lane by lane and in each in its order, checked to be whole and
    /// unaltered. Times tell how the lanes lie beside each other.
    ///
    /// What was cut off at the end of a lane does not show here: [`verify`](Self::verify) finds it where a secret is
    /// newer than its last event, and an anchor always.
    #[must_use]
    pub fn events(&self, org: &Part) -> Events<'_> {
        Events {
            secrets: self,
            org: org.clone(),
            lane: Lane::all().next(),
            previous: None,
            held: Vec::new().into_iter(),
        }
    }
}

/// The events of an org. An error ends its lane, and the next one goes on.
#[derive(Debug)]
pub struct Events<'a> {
    secrets: &'a Secrets,
    org: Part,
    /// `None` after the last.
    lane: Option<Lane>,
    previous: Option<LaneHead>,
    held: std::vec::IntoIter<Event>,
}

impl Events<'_> {
    /// The next events of the lane; none at its end.
    fn page(&mut self, lane: Lane) -> Result<Vec<Event>> {
        self.secrets.authorize()?;
        let after = self.previous.map_or(0, |head| head.seq);
        let rows = self.secrets.store.events(&self.org, lane, after, PAGE)?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let (previous, before) = (self.previous.as_ref(), events.last());
            let event = self.secrets.with_keys(&self.org, |keys| row.verify(previous, before, keys))?;
            events.push(event);
            self.previous = Some(row.head());
        }
        Ok(events)
    }

    fn leave_lane(&mut self) {
        self.previous = None;
        self.lane = self.lane.and_then(|lane| Lane::new(lane.number() + 1));
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.held.next() {
                return Some(Ok(event));
            }
            match self.page(self.lane?) {
                Ok(events) if events.is_empty() => self.leave_lane(),
                Ok(events) => self.held = events.into_iter(),
                Err(error) => {
                    self.leave_lane();
                    return Some(Err(error));
                }
            }
        }
    }
}
