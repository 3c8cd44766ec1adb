//! Looking for what a single read cannot see: rows that vanished, came back or are older than their last event.

use std::collections::HashMap;
use std::fmt;

use super::Secrets;
use super::audit::Events;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Lane, LaneHead, Subject};
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
        let (events, stage) = (self.events(org), Stage::Keyring);
        Verification {
            secrets: self,
            org: org.clone(),
            stage,
            events,
            ends: HashMap::new(),
            last: HashMap::new(),
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
    events: Events<'a>,
    /// Where each lane ended when it was read.
    ends: HashMap<Lane, LaneHead>,
    /// What the last event of each secret says.
    last: HashMap<StableId, Last>,
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
    Events,
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

/// Whoever writes while this looks can make a secret seem out of step; it looks again this often.
const LOOKS: usize = 5;

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
                self.stage = Stage::Events;
                Vec::new()
            }
            Stage::Events => match self.events.lane() {
                Some(lane) => self.events(lane)?,
                None => {
                    self.stage = Stage::Secrets { after: None };
                    Vec::new()
                }
            },
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
    fn events(&mut self, lane: Lane) -> Result<Vec<Finding>> {
        // Read first: whoever writes after this adds to the page.
        let heads = self.secrets.store.lanes(&self.org)?;
        let page = self.events.page(lane);
        let end = self.events.end();
        let after = end.map_or(0, |head| head.seq);
        if !matches!(&page, Ok(events) if !events.is_empty()) {
            self.events.leave_lane();
            self.ends.extend(end.map(|end| (lane, end)));
        }
        match page {
            Ok(events) if events.is_empty() => {
                let head = heads.into_iter().find(|(of, _)| *of == lane).map(|(_, head)| head);
                Ok(if head == end { Vec::new() } else { vec![Finding::BrokenChain { lane, after }] })
            }
            Ok(events) => {
                self.progress.events += events.len() as u64;
                events.iter().for_each(|event| self.note(event));
                Ok(Vec::new())
            }
            Err(error) if is_damage(&error) => Ok(vec![Finding::BrokenChain { lane, after }]),
            Err(error) => Err(error),
        }
    }

    fn note(&mut self, event: &Event) {
        if let Some((id, last)) = Last::of(event) {
            self.last.insert(id, last);
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
        }
        Ok(findings)
    }

    /// Opens all that one secret has, and compares it with its last event.
    fn secret(&self, id: StableId) -> Result<Vec<Finding>> {
        let secrets = self.secrets;
        let mut last = self.last.get(&id).copied();
        for look in 0..LOOKS {
            let Some((info, tag)) = self.opened(id)? else {
                // Deleted since its id was read: the event says so, or it is missing.
                return if look == 0 { self.missing(id) } else { Ok(Vec::new()) };
            };
            last = self.newest(id, last)?;
            let (address, found) = (info.address.clone(), info.generation);
            match last {
                Some(Last { generation, head: Some(head), .. }) if generation == found && head == tag => {
                    secrets.history(&info.address)?;
                    return Ok(Vec::new());
                }
                _ if look + 1 < LOOKS => {}
                Some(Last { head: Some(_), generation: recorded, .. }) => {
                    return Ok(vec![Finding::OutOfStep { id, address, found, recorded }]);
                }
                Some(Last { head: None, .. }) | None => return Ok(vec![Finding::CameBack { id, address }]),
            }
        }
        Ok(Vec::new())
    }

    /// The checked head of a secret, all of whose values open; with the first bytes of its authenticator.
    fn opened(&self, id: StableId) -> Result<Option<(SecretInfo, [u8; 8])>> {
        let secrets = self.secrets;
        let target = Target::Id(self.org.clone(), id);
        let want = Want { target: target.clone(), revision: None };
        let Some(Fetched { record, .. }) = secrets.fetch_one(&want)? else { return Ok(None) };
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

    /// What the last event of the secret says by now.
    fn newest(&self, id: StableId, known: Option<Last>) -> Result<Option<Last>> {
        let lane = Lane::of(&id);
        let mut newest = known;
        let mut events = self.secrets.events(&self.org).beginning_after(self.ends.get(&lane).copied());
        loop {
            let page = match events.page(lane) {
                Err(error) if is_damage(&error) => return Ok(newest),
                page => page?,
            };
            if page.is_empty() {
                return Ok(newest);
            }
            newest = page.iter().rev().filter_map(Last::of).find(|(of, _)| *of == id).map(|(_, last)| last).or(newest);
        }
    }

    /// A secret that its events tell of, and that is not there.
    fn missing(&self, id: StableId) -> Result<Vec<Finding>> {
        let Some(last) = self.newest(id, self.last.get(&id).copied())? else { return Ok(Vec::new()) };
        if last.head.is_none() || self.opened(id)?.is_some() {
            return Ok(Vec::new());
        }
        let rows = self.secrets.store.events(&self.org, last.lane, last.seq - 1, 1)?;
        let address = rows.first().and_then(crate::event::EventRecord::address);
        Ok(match address {
            Some(address) => vec![Finding::Vanished { id, address }],
            None => vec![Finding::BrokenChain { lane: last.lane, after: last.seq - 1 }],
        })
    }
}

impl Last {
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
