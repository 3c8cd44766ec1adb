//! What clients say: a line each on their standard output, after the call has returned.

use std::fmt;
use std::io::Write;

use secretkit_core::{Action, ErrorKind, SecretInfo};

use crate::worker::kind_named;

/// What a client says of a call.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// It took effect: that was acknowledged, or its token says so. With the number of the value that it wrote.
    Changed(Change, Option<u64>),
    /// Its outcome was unknown, and the token told it: whether it took effect.
    Told(bool),
    /// It failed and, as was promised, changed nothing. Questions are counted, too.
    Failed(ErrorKind),
    /// A figure of the client's own, of which the largest counts.
    Most(String, u64),
    /// Something that must not be.
    Wrong(String),
}

/// A change of one secret, as its event tells it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Change {
    pub(crate) address: String,
    pub(crate) id: String,
    /// The generation and the revision that it made, or the last ones.
    pub(crate) generation: u64,
    pub(crate) revision: u64,
    pub(crate) action: String,
}

impl Change {
    pub(crate) fn of(action: Action, info: &SecretInfo) -> Self {
        Self {
            address: info.address.to_string(),
            id: info.id.to_string(),
            generation: info.generation.number(),
            revision: info.revision.number(),
            action: action.to_string(),
        }
    }
}

impl Said {
    /// In one piece, from whichever thread.
    pub(crate) fn say(&self) {
        std::io::stdout().lock().write_all(format!("{self}\n").as_bytes()).unwrap();
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (sign, rest) = line.split_once(' ')?;
        Some(match sign {
            "+" => {
                let [address, id, generation, revision, action, value] = rest.split(' ').collect::<Vec<_>>()[..] else {
                    return None;
                };
                let [address, id, action] = [address, id, action].map(str::to_owned);
                let (generation, revision) = (generation.parse().ok()?, revision.parse().ok()?);
                Self::Changed(Change { address, id, generation, revision, action }, value.parse().ok())
            }
            "?" => Self::Told(rest == "true"),
            "-" => Self::Failed(kind_named(rest)),
            "<" => {
                let (what, number) = rest.rsplit_once(' ')?;
                Self::Most(what.to_owned(), number.parse().ok()?)
            }
            "!" => Self::Wrong(rest.to_owned()),
            _ => return None,
        })
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(Change { address, id, generation, revision, action }, value) => {
                write!(f, "+ {address} {id} {generation} {revision} {action} ")?;
                match value {
                    Some(value) => write!(f, "{value}"),
                    None => f.write_str("-"),
                }
            }
            Self::Told(applied) => write!(f, "? {applied}"),
            Self::Failed(kind) => write!(f, "- {kind}"),
            Self::Most(what, number) => write!(f, "< {what} {number}"),
            Self::Wrong(what) => write!(f, "! {}", what.replace('\n', " ")),
        }
    }
}
