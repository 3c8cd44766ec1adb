//! How SQLite hands out a row, and which columns make a head.

use rusqlite::types::ValueRef;
use secretkit_core::Part;
use secretkit_core::store::{Columns, Row};

/// The columns of a head and its authenticator, in the order in which [`Columns`] reads them.
macro_rules! head_columns {
    () => {
        "org, project, domain, grp, key, id, generation, revision, first_revision, keep, inactive_since, expires_at, \
         description, tags, created_at, created_by, updated_at, updated_by, value_at, value_by, digest, head_mac"
    };
}
pub(crate) use head_columns;

/// Where among them the id stands, from 0.
pub(crate) const ID_OF_HEAD: usize = 5;

/// A row of SQLite's, in which any column may be of any type.
pub(crate) struct Values<'r>(&'r rusqlite::Row<'r>);

/// The columns of this row.
pub(crate) const fn of<'r>(row: &'r rusqlite::Row<'r>) -> Columns<Values<'r>> {
    Columns::of(Values(row))
}

/// Whether a row that begins with an org, as a head does, is of this one.
pub(crate) fn is_of(row: &rusqlite::Row<'_>, org: &Part) -> bool {
    of(row).text() == Some(org.as_str())
}

impl<'r> Row<'r> for Values<'r> {
    fn integer(&self, column: usize) -> Option<Option<i64>> {
        match self.value(column)? {
            ValueRef::Null => Some(None),
            ValueRef::Integer(integer) => Some(Some(integer)),
            ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => None,
        }
    }

    /// What SQLite takes for text may be any bytes.
    fn text(&self, column: usize) -> Option<&'r str> {
        match self.value(column)? {
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => None,
        }
    }

    fn blob(&self, column: usize) -> Option<&'r [u8]> {
        match self.value(column)? {
            ValueRef::Blob(bytes) => Some(bytes),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => None,
        }
    }
}

impl<'r> Values<'r> {
    fn value(&self, column: usize) -> Option<ValueRef<'r>> {
        self.0.get_ref(column).ok()
    }
}
