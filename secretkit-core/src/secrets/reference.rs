//! Which secret a call means.

use crate::id::{SecretId, StableId};
use crate::part::Part;
use crate::store::Target;

/// Which secret a call means: the one at an address, or the one with an id within an org.
///
/// Both forms convert into it, so a call takes `&id` as well as `(org, id)`. One found by its id is checked to be in
/// that org.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way to name a secret")]
pub enum SecretRef {
    /// At exactly this address.
    Address(SecretId),
    /// With this id, if it is in this org.
    Id(Part, StableId),
}

impl SecretRef {
    /// The org.
    #[must_use]
    pub const fn org(&self) -> &Part {
        match self {
            Self::Address(id) => id.org(),
            Self::Id(org, _) => org,
        }
    }

    pub(super) fn target(self) -> Target {
        match self {
            Self::Address(id) => Target::Exact(id),
            Self::Id(org, id) => Target::Id(org, id),
        }
    }
}

impl From<SecretId> for SecretRef {
    fn from(id: SecretId) -> Self {
        Self::Address(id)
    }
}

impl From<&SecretId> for SecretRef {
    fn from(id: &SecretId) -> Self {
        Self::Address(id.clone())
    }
}

impl From<(&Part, StableId)> for SecretRef {
    fn from((org, id): (&Part, StableId)) -> Self {
        Self::Id(org.clone(), id)
    }
}
