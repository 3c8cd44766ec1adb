//! Against the rollback of a whole store: a place outside of it that remembers how far it was.

use std::fmt;

use crate::error::Result;
use crate::event::{Lane, LaneHead};
use crate::part::Part;
use crate::seal::StoreId;

/// Remembers how far a store was, somewhere that whoever can put back the store cannot put back: another disk, another
/// machine, a hardware counter.
///
/// An old copy of a store is whole and authentic in itself; only something outside can tell that it is old. With an
/// anchor, a store that is behind it is refused ([`Error::RolledBack`](crate::Error::RolledBack)); without one that is
/// not noticed, and documented as such.
pub trait RollbackAnchor: fmt::Debug + Send + Sync {
    /// The furthest ends of the org's lanes that were saved; nothing for an org that it does not know.
    ///
    /// # Errors
    /// Where it cannot be read, or belongs to another store. A store is not used without its anchor.
    fn load(&self, store: &StoreId, org: &Part) -> Result<Vec<(Lane, LaneHead)>>;

    /// Remembers these, each where it is further than what is known of its lane. Others may save at the same time.
    ///
    /// It is called after each commit; what it saves must outlive a crash, and may lag behind by commits that it did
    /// not survive.
    ///
    /// # Errors
    /// Where it cannot be written. The commit has taken effect all the same.
    fn save(&self, store: &StoreId, org: &Part, lanes: &[(Lane, LaneHead)]) -> Result<()>;
}
