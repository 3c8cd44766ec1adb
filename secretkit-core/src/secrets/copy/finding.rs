//! What a copy finds.

use std::fmt;

use crate::id::{SecretId, StableId};

/// What was not copied, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CopyFinding {
    /// Another secret has that name in the target.
    Taken {
        /// The id of the one in the source.
        id: StableId,
        /// Where both are.
        address: SecretId,
    },
    /// It was changed in the target by somebody else than a copy.
    Changed {
        /// Its id.
        id: StableId,
        /// Where it is.
        address: SecretId,
    },
    /// It was deleted in the target. Nothing comes back under an id that was deleted.
    Deleted {
        /// Its id.
        id: StableId,
        /// Where it is in the source.
        address: SecretId,
    },
    /// It changed in the source each time that it was compared.
    Moving {
        /// Its id.
        id: StableId,
    },
    /// It was deleted from the source, and is still in the target.
    Gone {
        /// Its id.
        id: StableId,
        /// Where it is in the target.
        address: SecretId,
    },
    /// It has more than the target takes in one commit.
    TooLarge {
        /// Its id.
        id: StableId,
        /// Where it is in the source.
        address: SecretId,
        /// How much it has, and what the target said.
        why: String,
    },
    /// It does not open, here or there. Says what.
    Damaged(String),
}

impl fmt::Display for CopyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { id, address } => {
                write!(f, "name taken: {address} ({id}) was left out; another secret has that name there")
            }
            Self::Changed { id, address } => {
                write!(f, "changed: {address} ({id}) was left as it is; it was not a copy that made it so")
            }
            Self::Deleted { id, address } => {
                write!(f, "deleted: {address} ({id}) was left out; it was there before and was deleted")
            }
            Self::Moving { id } => {
                write!(f, "moving: {id} changed while it was copied, again and again; run the copy once more")
            }
            Self::Gone { id, address } => {
                write!(
                    f,
                    "gone: {address} ({id}) was deleted from the source, and is still there; delete it there, too"
                )
            }
            Self::TooLarge { id, address, why } => {
                write!(f, "too large: {address} ({id}) was left out; {why}")
            }
            Self::Damaged(what) => write!(f, "damaged: {what} does not open"),
        }
    }
}
