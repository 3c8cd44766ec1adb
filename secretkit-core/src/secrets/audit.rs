//! Reading the events of an org.

use super::{Secrets, is_damage};
use crate::error::{Error, Result};
use crate::event::{Event, EventRecord, Lane, LaneHead};
use crate::part::Part;

/// How many events are read at a time.
const PAGE: usize = 500;

impl Secrets {
    /// What was done to an org's secrets and keys, lane by lane and in each in its order, checked to be whole and
    /// unaltered. Times tell how the lanes lie beside each other. Where one does not hold, those before it in its lane come
    /// first, and then the error.
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
            broken: None,
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
    /// What is wrong behind those that are held.
    broken: Option<Error>,
}

impl Events<'_> {
    /// The next events of the lane, as far as they hold; none at its end.
    fn page(&mut self, lane: Lane) -> Result<Vec<Event>> {
        self.secrets.authorize()?;
        let after = self.previous.map_or(0, |head| head.seq);
        let rows = self.rows(lane, after)?;
        if rows.is_empty() && lane == Lane::FIRST {
            self.secrets.check_absence(&self.org)?;
        }
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let (previous, before) = (self.previous.as_ref(), events.last());
            match self.secrets.with_keys(&self.org, |keys| row.verify(previous, before, keys)) {
                Ok(event) => events.push(event),
                // Those before it are genuine all the same.
                Err(error) => {
                    self.broken = Some(error);
                    break;
                }
            }
            self.previous = Some(row.head());
        }
        Ok(events)
    }

    /// The next rows of the lane; fewer at once where one of them makes no sense, for those before it.
    fn rows(&self, lane: Lane, after: u64) -> Result<Vec<EventRecord>> {
        let mut limit = PAGE;
        loop {
            match self.secrets.store.events(&self.org, lane, after, limit) {
                Err(error) if is_damage(&error) && limit > 1 => limit /= 2,
                outcome => return outcome,
            }
        }
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
            if let Some(error) = self.broken.take() {
                self.leave_lane();
                return Some(Err(error));
            }
            match self.page(self.lane?) {
                Ok(events) if events.is_empty() && self.broken.is_none() => self.leave_lane(),
                Ok(events) => self.held = events.into_iter(),
                Err(error) => self.broken = Some(error),
            }
        }
    }
}
