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
    /// The furthest that was saved of the org; the default for an org that it does not know.
    ///
    /// It is called when an org is first looked at and before each commit.
    ///
    /// # Errors
    /// Where it cannot be read, or belongs to another store. A store is not used without its anchor.
    fn load(&self, store: &StoreId, org: &Part) -> Result<Anchored>;

    /// Moves what it remembers of the org on to `reached`, as [`Anchored::advance`] does. Others may save at the same time.
    ///
    /// It is called after each commit, with what this commit followed and brought; what it saves must outlive a crash, and
    /// may lag behind by commits that it did not survive.
    ///
    /// # Errors
    /// Where it cannot be written, and for [`Advance::AnotherWay`], with which nothing may be saved. The commit has taken
    /// effect all the same.
    fn save(&self, store: &StoreId, org: &Part, reached: &Anchored) -> Result<()>;
}

/// How far an org of a store was.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "an anchor that forgot a new field would not be one")]
pub struct Anchored {
    /// The version of its keyring; 0 where that is not known.
    pub keyring: u64,
    /// Events of its lanes. What an anchor remembers is one of each lane at the most, the furthest, ordered by lane; what it
    /// is told to move on to may hold several, in any order.
    pub lanes: Vec<(Lane, LaneHead)>,
}

/// What comes of moving on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else")]
pub enum Advance {
    /// It was as far already.
    Unchanged,
    /// It is further now.
    Moved,
    /// The store went another way: a number that is known has another event. Nothing was changed.
    AnotherWay,
}

impl Anchored {
    /// Moves the keyring on to that of `reached`, and each lane to the furthest of its events there, where they are further.
    pub fn advance(&mut self, reached: &Self) -> Advance {
        let is_another = |(lane, head): &(Lane, LaneHead)| {
            self.lanes.iter().any(|(of, known)| of == lane && known.seq == head.seq && known != head)
        };
        if reached.lanes.iter().any(is_another) {
            return Advance::AnotherWay;
        }
        let mut advance = if reached.keyring > self.keyring { Advance::Moved } else { Advance::Unchanged };
        self.keyring = self.keyring.max(reached.keyring);
        for (lane, head) in &reached.lanes {
            match self.lanes.binary_search_by_key(lane, |(of, _)| *of) {
                Ok(at) if self.lanes[at].1.seq >= head.seq => continue,
                Ok(at) => self.lanes[at].1 = *head,
                Err(at) => self.lanes.insert(at, (*lane, *head)),
            }
            advance = Advance::Moved;
        }
        advance
    }
}

#[cfg(test)]
mod tests {
    use super::{Advance, Anchored};
    use crate::event::{Lane, LaneHead};

    fn reached(heads: &[(u8, u64, u8)]) -> Anchored {
        let head =
            |(lane, seq, mac): &(u8, u64, u8)| (Lane::new(*lane).unwrap(), LaneHead { seq: *seq, mac: [*mac; 49] });
        Anchored { keyring: 0, lanes: heads.iter().map(head).collect() }
    }

    #[test]
    fn it_moves_on_and_never_back_or_another_way() {
        let mut known = Anchored::default();
        assert_eq!(known.advance(&Anchored::default()), Advance::Unchanged);
        assert_eq!(known.advance(&reached(&[(3, 1, 1), (3, 2, 2)])), Advance::Moved);
        assert_eq!(known.advance(&reached(&[(1, 4, 4)])), Advance::Moved);
        assert_eq!(known, reached(&[(1, 4, 4), (3, 2, 2)]));
        // Others were faster, or nobody told it for a while.
        assert_eq!(known.advance(&reached(&[(1, 2, 2), (1, 3, 3)])), Advance::Unchanged);
        assert_eq!(known.advance(&reached(&[(3, 7, 7), (3, 8, 8)])), Advance::Moved);
        // It follows another event of a number that is known, or is one.
        for other in [[(3, 8, 9), (3, 9, 9)], [(3, 7, 9), (3, 8, 9)]] {
            assert_eq!(known.advance(&reached(&other)), Advance::AnotherWay);
        }
        assert_eq!(known, reached(&[(1, 4, 4), (3, 8, 8)]));
        for (keyring, advance) in [(2, Advance::Moved), (1, Advance::Unchanged), (2, Advance::Unchanged)] {
            assert_eq!(known.advance(&Anchored { keyring, lanes: Vec::new() }), advance);
            assert_eq!(known.keyring, 2);
        }
    }
}
