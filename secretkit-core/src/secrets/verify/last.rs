//! What events say of the state of secrets.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::opened::first_bytes;
use crate::event::Action::{AddConsumer, Delete, Reencrypt, RemoveConsumer};
use crate::event::{Event, Lane, Subject};
use crate::id::StableId;
use crate::record::Generation;

/// What the last event of a secret says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    pub(super) generation: Generation,
    /// The first bytes of its head's authenticator; `None` where it was deleted.
    pub(super) head: Option<[u8; 8]>,
    /// Whether it made its generation, which only one event does: others write the same anew, or end it.
    makes: bool,
    pub(super) lane: Lane,
    pub(super) seq: u64,
}

/// What the events of one secret say.
#[derive(Debug)]
struct Told {
    last: Last,
    /// The first generation of which one tells.
    first: Generation,
    /// How many generations were made, which is no more than there are from the first to the last.
    made: u32,
    /// Whether one generation was made twice.
    is_forked: bool,
}

/// What the last event of each secret says, as far as events were read.
#[derive(Debug, Default)]
pub(super) struct Known {
    last: HashMap<StableId, Told>,
    /// Further states of the same generation: a secret that was written anew under other keys.
    also: HashMap<StableId, Vec<[u8; 8]>>,
}

/// How an event stands to another of the same secret. They may be in different lanes, so their order says nothing.
enum Follows {
    /// It is of a later generation, or the end.
    Later,
    /// It is another state of the same generation, under other keys.
    Beside,
    /// It is of before.
    Not,
}

impl Last {
    /// What an event says of the state of a secret, if it does.
    pub(super) fn of(event: &Event) -> Option<(StableId, Self)> {
        let Subject::Secret { id, generation, head, .. } = &event.subject else { return None };
        match event.action {
            AddConsumer | RemoveConsumer => None,
            action => {
                let head = head.as_ref().filter(|_| action != Delete).map(first_bytes);
                let makes = !matches!(action, Delete | Reencrypt);
                Some((*id, Self { generation: *generation, head, makes, lane: event.lane, seq: event.seq }))
            }
        }
    }

    fn followed_by(&self, next: &Self) -> Follows {
        match (self.head, next.head) {
            // A secret that was deleted never comes back under its id.
            (None, _) => Follows::Not,
            (Some(_), None) => Follows::Later,
            (Some(_), Some(_)) => match next.generation.cmp(&self.generation) {
                Ordering::Greater => Follows::Later,
                Ordering::Equal => Follows::Beside,
                Ordering::Less => Follows::Not,
            },
        }
    }
}

impl Told {
    const fn new(last: Last) -> Self {
        Self { last, first: last.generation, made: if last.makes { 1 } else { 0 }, is_forked: false }
    }

    /// Counts what one more event made.
    fn count(&mut self, next: &Last) {
        self.first = self.first.min(next.generation);
        if next.makes {
            self.made = self.made.saturating_add(1);
            self.is_forked |= self.last.makes && self.last.generation == next.generation;
        }
    }

    fn is_forked(&self) -> bool {
        let later = self.last.generation.number().saturating_sub(self.first.number());
        self.is_forked || u64::from(self.made) > later.saturating_add(1)
    }
}

impl Known {
    pub(super) fn note(&mut self, id: StableId, next: Last) {
        match self.last.entry(id) {
            Entry::Vacant(first) => drop(first.insert(Told::new(next))),
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.count(&next);
                match known.last.followed_by(&next) {
                    Follows::Later => {
                        known.last = next;
                        self.also.remove(&id);
                    }
                    Follows::Beside => {
                        known.last.makes |= next.makes;
                        self.also.entry(id).or_default().extend(next.head);
                    }
                    Follows::Not => {}
                }
            }
        }
    }

    /// Whether one generation of a secret was made twice: it was put back, and went another way from there.
    pub(super) fn is_forked(&self, id: StableId) -> bool {
        self.last.get(&id).is_some_and(Told::is_forked)
    }

    /// The states of a secret that its events allow.
    pub(super) fn states(&self, id: StableId) -> impl Iterator<Item = Last> + use<'_> {
        let last = self.last.get(&id).map(|told| told.last);
        let also = self.also.get(&id).into_iter().flatten();
        last.into_iter().chain(also.filter_map(move |head| Some(Last { head: Some(*head), ..last? })))
    }

    /// Of a secret that was met.
    pub(super) fn forget(&mut self, id: StableId) {
        self.last.remove(&id);
        self.also.remove(&id);
    }

    /// The secrets that should be there.
    pub(super) fn standing(&self) -> Vec<StableId> {
        self.last.iter().filter_map(|(id, told)| told.last.head.map(|_| *id)).collect()
    }
}
