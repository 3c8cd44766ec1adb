//! Looking for what a single read cannot see: rows that vanished, came back or are older than their last event.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use super::Secrets;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventRecord, Lane, LaneHead, Subject};
use crate::id::{SecretId, StableId};
use crate::part::Part;
use crate::record::{Generation, SecretInfo};
use crate::store::{Fetched, Target, Want};

impl Secrets {
    /// Opens every record of an org and checks every invariant, among them all events. What is wrong is told and
    /// passed over, so that one pass tells all.
    ///
    /// Others may read and write meanwhile. It takes some 50 bytes of memory for each secret.
    ///
    /// An error that it gives is the store's or the root key's, with which nothing can be said at all, and ends it.
    #[must_use]
    pub fn verify(&self, org: &Part) -> Verification<'_> {
        Verification {
            secrets: self,
            org: org.clone(),
            stage: Stage::Keyring,
            ends: HashMap::new(),
            last: HashMap::new(),
            also: HashMap::new(),
            progress: VerifyProgress::default(),
        }
    }
}

/// A verification under way: an iterator of what it finds, and in between of how far it is.
#[derive(Debug)]
pub struct Verification<'a> {
    secrets: &'a Secrets,
    org: Part,
    stage: Stage,
    /// Up to where each lane was read.
    ends: HashMap<Lane, LaneHead>,
    /// What the last event of each secret says.
    last: HashMap<StableId, Last>,
    /// Further states of the same generation: a secret that was written anew under other keys.
    also: HashMap<StableId, Vec<[u8; 8]>>,
    progress: VerifyProgress,
}

/// One thing that a verification tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Verified {
    /// It is this far.
    Progress(VerifyProgress),
    /// This is wrong.
    Wrong(Finding),
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct VerifyProgress {
    /// Events that were checked.
    pub events: u64,
    /// Secrets that were checked, with their superseded values.
    pub secrets: u64,
}

/// What a verification found to be wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// A record, head, superseded value, consumer or use was altered or is gone. Says which.
    Damaged(String),
    /// A chain of events is broken after this event, or does not end where it should.
    BrokenChain {
        /// The lane.
        lane: Lane,
        /// The last event that holds.
        after: u64,
    },
    /// The secret is gone, and no event says that it was deleted.
    Vanished {
        /// Its id.
        id: StableId,
        /// Where it was.
        address: SecretId,
    },
    /// The secret is there, and its last event says that it was deleted; or no event tells of it at all.
    CameBack {
        /// Its id.
        id: StableId,
        /// Where it is.
        address: SecretId,
    },
    /// The secret is not at the generation of its last event: it was put back to an earlier state, or events were cut
    /// off.
    OutOfStep {
        /// Its id.
        id: StableId,
        /// Where it is.
        address: SecretId,
        /// The generation that it is at.
        found: Generation,
        /// The generation of its last event.
        recorded: Generation,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(what) => write!(f, "damaged: {what} does not open"),
            Self::BrokenChain { lane, after } => {
                write!(f, "broken chain: the events of lane {lane} do not hold after number {after}")
            }
            Self::Vanished { id, address } => {
                write!(f, "vanished: {address} ({id}) is gone, and no event says that it was deleted")
            }
            Self::CameBack { id, address } => {
                write!(f, "came back: {address} ({id}) is there, and no event says so")
            }
            Self::OutOfStep { id: _, address, found, recorded } => {
                write!(f, "out of step: {address} is at generation {found}, and its last event says {recorded}")
            }
        }
    }
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

/// Secrets are checked this many at a time.
const PAGE: usize = 100;

/// Events are read this many at a time.
const EVENTS: usize = 500;

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
                let ids = self.secrets.store.ids(&self.org, *after, PAGE)?;
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
                Some(id) => self.missing(id)?,
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
        let page = match usize::try_from(left).unwrap_or(usize::MAX) {
            0 => Ok(Vec::new()),
            left => self.read(lane, left.min(EVENTS)),
        };
        let holds = match page {
            Ok(events) if !events.is_empty() => {
                events.iter().for_each(|event| self.note(event));
                return Ok(Vec::new());
            }
            Ok(_) => self.end(lane) == until && !self.goes_on_unseen(lane, until)?,
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

    /// The next events of a lane, checked.
    fn read(&mut self, lane: Lane, limit: usize) -> Result<Vec<Event>> {
        let rows = self.secrets.store.events(&self.org, lane, self.end(lane).map_or(0, |head| head.seq), limit)?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let previous = self.end(lane);
            events.push(self.secrets.with_keys(&self.org, |keys| row.verify(previous.as_ref(), keys))?);
            self.ends.insert(lane, row.head());
        }
        self.progress.events += events.len() as u64;
        Ok(events)
    }

    fn end(&self, lane: Lane) -> Option<LaneHead> {
        self.ends.get(&lane).copied()
    }

    /// Reads what was added since. Returns what it says of this secret.
    fn catch_up(&mut self, id: StableId) -> Result<Vec<Last>> {
        let mut added = Vec::new();
        for (lane, until) in self.secrets.store.lanes(&self.org)? {
            loop {
                let left = until.seq.saturating_sub(self.end(lane).map_or(0, |head| head.seq));
                let page = match usize::try_from(left).unwrap_or(usize::MAX) {
                    0 => break,
                    left => self.read(lane, left.min(EVENTS)),
                };
                let events = match page {
                    // A lane that is broken was told of already.
                    Err(error) if is_damage(&error) => break,
                    page => page?,
                };
                if events.is_empty() {
                    break;
                }
                for event in &events {
                    added.extend(Last::of(event).filter(|(of, _)| *of == id).map(|(_, last)| last));
                    self.note(event);
                }
            }
        }
        Ok(added)
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
        for id in ids {
            self.progress.secrets += 1;
            match self.secret(*id) {
                Ok(found) => findings.extend(found),
                Err(Error::Corrupt { what }) => findings.push(Finding::Damaged(what)),
                Err(error) if is_damage(&error) => {
                    findings.push(Finding::Damaged(format!("the secret with id {id}")));
                }
                Err(error) => return Err(error),
            }
            self.last.remove(id);
            self.also.remove(id);
        }
        Ok(findings)
    }

    /// Opens all that one secret has, and compares it with its last event.
    fn secret(&mut self, id: StableId) -> Result<Vec<Finding>> {
        // Before it is read: it can only be newer than this.
        let states = self.states(id);
        let Some((info, tag)) = self.opened(id)? else { return self.missing(id) };
        let is_it = |state: &Last| state.generation == info.generation && state.head == Some(tag);
        if states.iter().any(is_it) || self.catch_up(id)?.iter().any(is_it) {
            return Ok(Vec::new());
        }
        let (address, found) = (info.address.clone(), info.generation);
        Ok(vec![match states.first() {
            Some(Last { head: Some(_), generation: recorded, .. }) => {
                Finding::OutOfStep { id, address, found, recorded: *recorded }
            }
            Some(Last { head: None, .. }) | None => Finding::CameBack { id, address },
        }])
    }

    /// The checked head of a secret, all of whose values open; with the first bytes of its authenticator.
    fn opened(&self, id: StableId) -> Result<Option<(SecretInfo, [u8; 8])>> {
        let secrets = self.secrets;
        let target = Target::Id(self.org.clone(), id);
        let want = Want { target: target.clone(), revision: None };
        let Some(Fetched { record, .. }) = secrets.latest_one(&want)? else { return Ok(None) };
        let tag = first_bytes(&record.mac.tag);
        let (info, sealed) = secrets.checked(&target, record)?;
        secrets.open_revision(&info, &sealed, info.revision, None)?;
        for row in secrets.superseded(&info)? {
            let revision = row.revision;
            secrets.with_keys(&self.org, |keys| row.clone().open(&info, revision, keys)).map(drop)?;
        }
        for row in secrets.consumer_rows(&info)? {
            secrets.with_keys(&self.org, |keys| row.verify(&info, keys).map(drop))?;
        }
        let mut infos = secrets.with_last_use(&self.org, vec![info])?;
        Ok(infos.pop().map(|info| (info, tag)))
    }

    /// The states of the secret that its events allow, as far as they were read.
    fn states(&self, id: StableId) -> Vec<Last> {
        let Some(last) = self.last.get(&id) else { return Vec::new() };
        let also = self.also.get(&id).into_iter().flatten().map(|head| Last { head: Some(*head), ..*last });
        std::iter::once(*last).chain(also).collect()
    }

    /// A secret that its events tell of, and that is not there.
    fn missing(&mut self, id: StableId) -> Result<Vec<Finding>> {
        if self.opened(id)?.is_some() {
            return Ok(Vec::new());
        }
        // If somebody deleted it, that is recorded by now.
        self.catch_up(id)?;
        let Some(last) = self.states(id).first().copied().filter(|last| last.head.is_some()) else {
            return Ok(Vec::new());
        };
        let rows = self.secrets.store.events(&self.org, last.lane, last.seq - 1, 1)?;
        Ok(match rows.first().and_then(EventRecord::address) {
            Some(address) => vec![Finding::Vanished { id, address }],
            None => vec![Finding::BrokenChain { lane: last.lane, after: last.seq - 1 }],
        })
    }
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

fn first_bytes(tag: &[u8; 32]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&tag[..8]);
    first
}

/// What somebody did to the data, and not what the store or the root key cannot do.
fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::UnknownKey)
}
