//! Looking for what a single read cannot see: rows that vanished, came back or are older than their last event.

mod abreast;
mod finding;
mod opened;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Secrets;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventRecord, Lane, LaneHead, Subject};
use crate::id::StableId;
use crate::part::Part;
use crate::record::Generation;

pub use finding::{Finding, Verified, VerifyProgress};
use opened::{Opened, first_bytes};

impl Secrets {
    /// Opens every record of an org and checks every invariant, among them all events. What is wrong is told and
    /// passed over, so that one pass tells all.
    ///
    /// Others may read and write meanwhile. It takes some 50 bytes of memory for each secret, and works with up to four
    /// threads where there are as many processors.
    ///
    /// An error that it gives is the store's or the root key's, with which nothing can be said at all, and ends it.
    #[must_use]
    pub fn verify(&self, org: &Part) -> Verification<'_> {
        Verification {
            secrets: self,
            org: org.clone(),
            threads: abreast::threads(),
            stage: Stage::Keyring,
            ends: HashMap::new(),
            last: HashMap::new(),
            also: HashMap::new(),
            since: HashMap::new(),
            progress: VerifyProgress::default(),
        }
    }
}

/// A verification under way: an iterator of what it finds, and in between of how far it is.
#[derive(Debug)]
pub struct Verification<'a> {
    secrets: &'a Secrets,
    org: Part,
    /// How many check at a time.
    threads: usize,
    stage: Stage,
    /// Up to where each lane was read.
    ends: HashMap<Lane, LaneHead>,
    /// What the last event of each secret says.
    last: HashMap<StableId, Last>,
    /// Further states of the same generation: a secret that was written anew under other keys.
    also: HashMap<StableId, Vec<[u8; 8]>>,
    /// Of the secrets that events have told of since those at hand were read: every state that they had meanwhile.
    since: HashMap<StableId, Vec<Last>>,
    progress: VerifyProgress,
}

#[derive(Debug)]
enum Stage {
    Keyring,
    /// In this lane, up to these ends.
    Events {
        lane: Option<Lane>,
        ends: HashMap<Lane, LaneHead>,
    },
    Secrets {
        after: Option<StableId>,
    },
    /// What events tell of and was not met.
    Missing(Vec<StableId>),
    Done,
}

/// What the last event of a secret says.
#[derive(Clone, Copy, Debug)]
struct Last {
    generation: Generation,
    /// The first bytes of its head's authenticator; `None` where it was deleted.
    head: Option<[u8; 8]>,
    lane: Lane,
    seq: u64,
}

/// A thread checks this many secrets at a time,
const PAGE: usize = 500;

/// or this many events.
const EVENTS: usize = 1_000;

impl Iterator for Verification<'_> {
    type Item = Result<Vec<Verified>>;

    fn next(&mut self) -> Option<Self::Item> {
        if matches!(self.stage, Stage::Done) {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.stage = Stage::Done;
        }
        Some(step)
    }
}

impl Verification<'_> {
    fn step(&mut self) -> Result<Vec<Verified>> {
        self.secrets.authorize()?;
        let findings = match &mut self.stage {
            Stage::Keyring => {
                if self.secrets.load_keys(&self.org)?.is_none() {
                    self.stage = Stage::Done;
                    return match self.secrets.store.ids(&self.org, None, 1)?.is_empty() {
                        true => Ok(Vec::new()),
                        false => Err(super::keys::lost_keyring(&self.org)),
                    };
                }
                // What is added from now on is read where it matters: whoever writes must not keep this from its end.
                let ends = self.secrets.store.lanes(&self.org)?.into_iter().collect();
                self.stage = Stage::Events { lane: Some(Lane::FIRST), ends };
                Vec::new()
            }
            Stage::Events { lane: None, .. } => {
                self.stage = Stage::Secrets { after: None };
                Vec::new()
            }
            Stage::Events { lane: Some(lane), ends } => {
                let (of, until) = (*lane, ends.get(lane).copied());
                self.events(of, until)?
            }
            Stage::Secrets { after } => {
                let ids = self.secrets.store.ids(&self.org, *after, PAGE * self.threads)?;
                match ids.last() {
                    Some(last) => *after = Some(*last),
                    None => {
                        let unmet = |(id, last): (&StableId, &Last)| last.head.map(|_| *id);
                        self.stage = Stage::Missing(self.last.iter().filter_map(unmet).collect());
                        return Ok(vec![Verified::Progress(self.progress)]);
                    }
                }
                self.secrets_with(&ids)?
            }
            Stage::Missing(ids) => match ids.pop() {
                Some(id) => {
                    let gone = Ok(None);
                    self.told(id, gone)?.into_iter().collect()
                }
                None => {
                    self.stage = Stage::Done;
                    Vec::new()
                }
            },
            Stage::Done => Vec::new(),
        };
        let mut told: Vec<_> = findings.into_iter().map(Verified::Wrong).collect();
        told.push(Verified::Progress(self.progress));
        Ok(told)
    }

    /// The next events of a lane; at its end, whether that is where it should be.
    fn events(&mut self, lane: Lane, until: Option<LaneHead>) -> Result<Vec<Finding>> {
        let seq = |head: Option<LaneHead>| head.map_or(0, |head| head.seq);
        let left = seq(until).saturating_sub(seq(self.end(lane)));
        let (events, outcome) = match usize::try_from(left).unwrap_or(usize::MAX) {
            0 => (Vec::new(), Ok(())),
            left => self.read(lane, left),
        };
        events.iter().for_each(|event| self.note(event));
        let holds = match outcome {
            Ok(()) if !events.is_empty() => return Ok(Vec::new()),
            Ok(()) => self.end(lane) == until && !self.goes_on_unseen(lane, until)?,
            Err(error) if is_damage(&error) => false,
            Err(error) => return Err(error),
        };
        if let Stage::Events { lane, .. } = &mut self.stage {
            *lane = lane.and_then(|lane| Lane::new(lane.number() + 1));
        }
        Ok(if holds { Vec::new() } else { vec![Finding::BrokenChain { lane, after: seq(self.end(lane)) }] })
    }

    /// Whether there are events behind the end that the lane is said to have.
    fn goes_on_unseen(&self, lane: Lane, until: Option<LaneHead>) -> Result<bool> {
        let store = &self.secrets.store;
        if store.events(&self.org, lane, until.map_or(0, |head| head.seq), 1)?.is_empty() {
            return Ok(false);
        }
        let now = store.lanes(&self.org)?.into_iter().find(|(of, _)| *of == lane).map(|(_, head)| head);
        Ok(now == until)
    }

    /// The next events of a lane, so many at the most, as far as they hold; and what is wrong where they do not.
    fn read(&mut self, lane: Lane, limit: usize) -> (Vec<Event>, Result<()>) {
        let (end, limit) = (self.end(lane), limit.min(EVENTS * self.threads));
        let rows = match self.secrets.store.events(&self.org, lane, end.map_or(0, |head| head.seq), limit) {
            Ok(rows) => rows,
            Err(error) => return (Vec::new(), Err(error)),
        };
        let before = std::iter::once(end).chain(rows.chunks(EVENTS).map(|rows| rows.last().map(EventRecord::head)));
        let parts: Vec<_> = before.zip(rows.chunks(EVENTS)).collect();
        let checked = abreast::each(&parts, |(before, rows)| self.secrets.chained(&self.org, *before, rows));
        let mut events = Vec::with_capacity(rows.len());
        let mut outcome = Ok(());
        for (part, wrong) in checked {
            events.extend(part);
            outcome = wrong;
            if outcome.is_err() {
                break;
            }
        }
        if let Some(last) = events.len().checked_sub(1).and_then(|last| rows.get(last)) {
            self.ends.insert(lane, last.head());
        }
        self.progress.events += events.len() as u64;
        (events, outcome)
    }

    fn end(&self, lane: Lane) -> Option<LaneHead> {
        self.ends.get(&lane).copied()
    }

    /// Reads what was added since.
    fn catch_up(&mut self) -> Result<()> {
        for (lane, until) in self.secrets.store.lanes(&self.org)? {
            loop {
                let left = until.seq.saturating_sub(self.end(lane).map_or(0, |head| head.seq));
                let (events, outcome) = match usize::try_from(left).unwrap_or(usize::MAX) {
                    0 => break,
                    left => self.read(lane, left),
                };
                for event in &events {
                    if let Some((id, state)) = Last::of(event) {
                        let before = || states(&self.last, &self.also, id).collect();
                        self.since.entry(id).or_insert_with(before).push(state);
                    }
                    self.note(event);
                }
                match outcome {
                    // A lane that is broken was told of already.
                    Err(error) if is_damage(&error) => break,
                    outcome => outcome?,
                }
                if events.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, event: &Event) {
        let Some((id, next)) = Last::of(event) else { return };
        match self.last.entry(id) {
            Entry::Vacant(first) => drop(first.insert(next)),
            Entry::Occupied(mut known) => match known.get().followed_by(&next) {
                Follows::Later => {
                    known.insert(next);
                    self.also.remove(&id);
                }
                Follows::Beside => self.also.entry(id).or_default().extend(next.head),
                Follows::Not => {}
            },
        }
    }

    fn secrets_with(&mut self, ids: &[StableId]) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        self.since.clear();
        let parts: Vec<_> = ids.chunks(PAGE).collect();
        let opened = abreast::each(&parts, |ids| self.secrets.opened(&self.org, ids));
        for (ids, opened) in parts.into_iter().zip(opened) {
            for (id, opened) in ids.iter().zip(opened?) {
                self.progress.secrets += 1;
                findings.extend(self.told(*id, opened)?);
                self.last.remove(id);
                self.also.remove(id);
            }
        }
        Ok(findings)
    }

    /// What is to be said of a secret that opened, or is gone, or is damaged.
    fn told(&mut self, id: StableId, opened: Result<Option<Opened>>) -> Result<Option<Finding>> {
        let judged = match opened {
            Ok(Some(opened)) => self.secret(id, opened),
            Ok(None) => self.missing(id),
            Err(error) => Err(error),
        };
        match judged {
            Err(Error::Corrupt { what }) => Ok(Some(Finding::Damaged(what))),
            Err(error) if is_damage(&error) => Ok(Some(Finding::Damaged(format!("the secret with id {id}")))),
            judged => judged,
        }
    }

    /// Compares a secret with its last event, or with one that was added since.
    fn secret(&mut self, id: StableId, opened: Opened) -> Result<Option<Finding>> {
        let Opened { address, generation: found, head } = opened;
        let is_it = |state: &Last| state.generation == found && state.head == Some(head);
        if self.states(id).any(|state| is_it(&state)) {
            return Ok(None);
        }
        self.catch_up()?;
        if self.since.get(&id).is_some_and(|added| added.iter().any(is_it)) {
            return Ok(None);
        }
        Ok(Some(match self.states(id).next() {
            Some(Last { head: Some(_), generation: recorded, .. }) => {
                Finding::OutOfStep { id, address, found, recorded }
            }
            Some(Last { head: None, .. }) | None => Finding::CameBack { id, address },
        }))
    }

    /// The states of the secret that its events allow, as far as they were read.
    fn states(&self, id: StableId) -> impl Iterator<Item = Last> {
        states(&self.last, &self.also, id)
    }

    /// A secret that its events tell of, and that was not met.
    fn missing(&mut self, id: StableId) -> Result<Option<Finding>> {
        if let Some(opened) = self.secrets.opened(&self.org, &[id])?.pop().transpose()?.flatten() {
            return self.secret(id, opened);
        }
        // If somebody deleted it, that is recorded by now.
        self.catch_up()?;
        let Some(last) = self.states(id).next().filter(|last| last.head.is_some()) else {
            return Ok(None);
        };
        let rows = self.secrets.store.events(&self.org, last.lane, last.seq - 1, 1)?;
        Ok(Some(match rows.first().and_then(EventRecord::address) {
            Some(address) => Finding::Vanished { id, address },
            None => Finding::BrokenChain { lane: last.lane, after: last.seq - 1 },
        }))
    }
}

fn states<'a>(
    last: &HashMap<StableId, Last>,
    also: &'a HashMap<StableId, Vec<[u8; 8]>>,
    id: StableId,
) -> impl Iterator<Item = Last> + use<'a> {
    let last = last.get(&id).copied();
    let also = also.get(&id).into_iter().flatten();
    last.into_iter().chain(also.filter_map(move |head| Some(Last { head: Some(*head), ..last? })))
}

/// How an event stands to another of the same secret. They may be in different lanes, so their order says nothing.
enum Follows {
    /// It is of a later generation, or the end.
    Later,
    /// It is another state of the same generation.
    Beside,
    /// It is of before.
    Not,
}

impl Last {
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

    /// What an event says of the state of a secret, if it does.
    fn of(event: &Event) -> Option<(StableId, Self)> {
        use crate::event::Action::{AddConsumer, Delete, RemoveConsumer};
        let Subject::Secret { id, generation, head, .. } = &event.subject else { return None };
        match event.action {
            AddConsumer | RemoveConsumer => None,
            action => {
                let head = head.as_ref().filter(|_| action != Delete).map(first_bytes);
                Some((*id, Self { generation: *generation, head, lane: event.lane, seq: event.seq }))
            }
        }
    }
}

/// What somebody did to the data, and not what the store or the root key cannot do.
fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::UnknownKey)
}
