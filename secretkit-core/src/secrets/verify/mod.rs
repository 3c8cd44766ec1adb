//! Looking for what a single read cannot see: rows that vanished, came back or are older than their last event.

mod abreast;
mod finding;
mod last;
mod opened;
mod stretch;

use std::collections::HashMap;

use super::{Secrets, is_damage};
use crate::error::{Error, Result};
use crate::event::{EventRecord, Lane, LaneHead};
use crate::id::StableId;
use crate::part::Part;

pub use finding::{Finding, Verified, VerifyProgress};
use last::{Known, Last};
use opened::Opened;
use stretch::{Behind, Stretch};

impl Secrets {
    /// Opens every record of an org and checks every invariant, among them all events. What is wrong is told and
    /// passed over, so that one pass tells all.
    ///
    /// Others may read and write meanwhile. It takes some 70 bytes of memory for each secret, and works with up to four
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
            known: Known::default(),
            keyring: 0,
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
    known: Known,
    /// The highest version of the keyring that events tell of.
    keyring: u64,
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
                    let store = &self.secrets.store;
                    // Both come with a keyring, and events stay.
                    let is_new = store.ids(&self.org, None, 1)?.is_empty() && store.lanes(&self.org)?.is_empty();
                    return if is_new { Ok(Vec::new()) } else { Err(super::keys::lost_keyring(&self.org)) };
                }
                // What is added from now on is read where it matters: whoever writes must not keep this from its end.
                let ends = self.secrets.store.lanes(&self.org)?.into_iter().collect();
                self.stage = Stage::Events { lane: Some(Lane::FIRST), ends };
                Vec::new()
            }
            Stage::Events { lane: None, .. } => {
                self.stage = Stage::Secrets { after: None };
                self.keyring()?.into_iter().collect()
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
                        self.stage = Stage::Missing(self.known.standing());
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

    /// Whether the keyring is at least as far as its events. Those of an erased org may say less: nothing is left to chain
    /// one with.
    fn keyring(&self) -> Result<Option<Finding>> {
        // As it is now: what was added since the events were read makes it newer.
        let row = self.secrets.store.keyring(&self.org)?.ok_or_else(|| super::keys::lost_keyring(&self.org))?;
        let (found, recorded) = (row.version, self.keyring);
        Ok((found < recorded).then_some(Finding::OldKeyring { found, recorded }))
    }

    /// The next events of a lane; at its end, whether that is where it should be.
    fn events(&mut self, lane: Lane, until: Option<LaneHead>) -> Result<Vec<Finding>> {
        let (states, outcome) = self.read(lane, stretch::seq(until));
        let is_over = states.is_none();
        states.into_iter().flatten().for_each(|(id, state)| self.known.note(id, state));
        let holds = match outcome {
            Ok(()) if !is_over => return Ok(Vec::new()),
            Ok(()) => self.end(lane) == until && !self.goes_on_unseen(lane, until)?,
            Err(error) if is_damage(&error) => false,
            Err(error) => return Err(error),
        };
        if let Stage::Events { lane, .. } = &mut self.stage {
            *lane = lane.and_then(|lane| Lane::new(lane.number() + 1));
        }
        Ok(if holds { Vec::new() } else { vec![Finding::BrokenChain { lane, after: stretch::seq(self.end(lane)) }] })
    }

    /// Whether there are events behind the end that the lane is said to have.
    fn goes_on_unseen(&self, lane: Lane, until: Option<LaneHead>) -> Result<bool> {
        let store = &self.secrets.store;
        if store.events(&self.org, lane, stretch::seq(until), 1)?.is_empty() {
            return Ok(false);
        }
        let now = store.lanes(&self.org)?.into_iter().find(|(of, _)| *of == lane).map(|(_, head)| head);
        Ok(now == until)
    }

    /// What the next events of a lane say, up to this one at the most and as far as they hold, and what is wrong where they
    /// do not. `None` where there is none.
    fn read(&mut self, lane: Lane, until: u64) -> (Option<Vec<(StableId, Last)>>, Result<()>) {
        let parts = Behind::parts(self.end(lane), until, EVENTS, self.threads);
        let read = abreast::each(&parts, |(behind, limit)| self.secrets.stretch(&self.org, lane, *behind, *limit));
        let mut said: Option<Vec<_>> = None;
        for (Stretch { before, end, count, states, keyring, outcome }, (_, limit)) in read.into_iter().zip(parts) {
            if before != self.end(lane) {
                // What is in between is gone, which whoever reads on from there will find.
                break;
            }
            if count > 0 {
                self.ends.extend(end.map(|end| (lane, end)));
                self.progress.events += count as u64;
                self.keyring = self.keyring.max(keyring);
                said.get_or_insert_default().extend(states);
            }
            if outcome.is_err() || count < limit {
                return (said, outcome);
            }
        }
        (said, Ok(()))
    }

    fn end(&self, lane: Lane) -> Option<LaneHead> {
        self.ends.get(&lane).copied()
    }

    /// Reads what was added since.
    fn catch_up(&mut self) -> Result<()> {
        for (lane, until) in self.secrets.store.lanes(&self.org)? {
            loop {
                let (states, outcome) = self.read(lane, until.seq);
                let is_over = states.is_none();
                for (id, state) in states.into_iter().flatten() {
                    let known = &self.known;
                    self.since.entry(id).or_insert_with(|| known.states(id).collect()).push(state);
                    self.known.note(id, state);
                }
                match outcome {
                    // A lane that is broken was told of already.
                    Err(error) if is_damage(&error) => break,
                    outcome => outcome?,
                }
                if is_over {
                    break;
                }
            }
        }
        Ok(())
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
                self.known.forget(*id);
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
        let Opened { info, head } = opened;
        let (found, address) = (info.generation, info.into_head().address);
        let is_it = |state: &Last| state.generation == found && state.head == Some(head);
        if self.known.states(id).any(|state| is_it(&state)) {
            return Ok(self.known.is_forked(id).then_some(Finding::Forked { id, address }));
        }
        self.catch_up()?;
        if self.since.get(&id).is_some_and(|added| added.iter().any(is_it)) {
            return Ok(None);
        }
        Ok(Some(match self.known.states(id).next() {
            Some(Last { head: Some(_), generation: recorded, .. }) => {
                Finding::OutOfStep { id, address, found, recorded }
            }
            Some(Last { head: None, .. }) | None => Finding::CameBack { id, address },
        }))
    }

    /// A secret that its events tell of, and that was not met.
    fn missing(&mut self, id: StableId) -> Result<Option<Finding>> {
        if let Some(opened) = self.secrets.opened(&self.org, &[id])?.pop().transpose()?.flatten() {
            return self.secret(id, opened);
        }
        // If somebody deleted it, that is recorded by now.
        self.catch_up()?;
        let Some(last) = self.known.states(id).next().filter(|last| last.head.is_some()) else {
            return Ok(None);
        };
        let rows = self.secrets.store.events(&self.org, last.lane, last.seq - 1, 1)?;
        Ok(Some(match rows.first().and_then(EventRecord::address) {
            Some(address) => Finding::Vanished { id, address },
            None => Finding::BrokenChain { lane: last.lane, after: last.seq - 1 },
        }))
    }
}
