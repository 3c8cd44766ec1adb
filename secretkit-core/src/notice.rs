//! What a store hears of the commits of others.

use std::fmt;

use crate::id::{SecretName, StableId};
use crate::part::Part;

/// What a store that is told of the commits of others passes on, once a commit is there.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a listener that ignores a new one keeps what is gone")]
pub enum Notice {
    /// The secret with this id in this org has changed or is gone.
    Secret(Part, StableId),
    /// A secret of this name was made at some scope of this org, or one that is there has changed or is gone.
    Name(Part, SecretName),
    /// Anything in this org may have changed.
    Org(Part),
    /// From now on nothing may be heard.
    Lost,
    /// Everything is heard again. What was committed in between was not.
    Regained,
}

/// Whoever is told. A cache is one.
pub trait Listener: fmt::Debug + Send + Sync {
    /// Takes a notice. It must not wait for anybody and must not call the store.
    fn hear(&self, notice: &Notice);
}
