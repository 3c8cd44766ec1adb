//! What a verification tells.

use std::fmt;

use crate::event::Lane;
use crate::id::{SecretId, StableId};
use crate::record::Generation;

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
    /// The org's keyring was put back to an earlier version: keys that were replaced, retired or destroyed are in use again.
    OldKeyring {
        /// The version that it is at.
        found: u64,
        /// The highest version that its events tell of.
        recorded: u64,
    },
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
    /// The secret was put back to an earlier state, and somebody who did not know changed it from there: two of its
    /// events make the same generation.
    Forked {
        /// Its id.
        id: StableId,
        /// Where it is.
        address: SecretId,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(what) => write!(f, "damaged: {what} does not open"),
            Self::OldKeyring { found, recorded } => {
                write!(
                    f,
                    "old keyring: it is at version {found}, and its events say {recorded}: keys of before are in use"
                )
            }
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
            Self::Forked { id, address } => {
                write!(f, "forked: {address} ({id}) was put back to an earlier state and changed from there")
            }
        }
    }
}
