//! How the client hands out a row, and what stands in those that no table has.

use secretkit_core::seal::StoreId;
use secretkit_core::store::{self, Found, Row, StoreInfo};
use secretkit_core::{Error, Generation, Part, Result, Timestamp};
use tokio_postgres::types::FromSql;

/// A row whose columns are of the types that its statement has.
pub(crate) struct Values<'r>(&'r tokio_postgres::Row);

pub(crate) type Columns<'r> = store::Columns<Values<'r>>;

/// The columns of this row.
pub(crate) const fn of(row: &tokio_postgres::Row) -> Columns<'_> {
    after(row, 0)
}

/// The columns of this row but for the first so many.
pub(crate) const fn after(row: &tokio_postgres::Row, first: usize) -> Columns<'_> {
    Columns::after(Values(row), first)
}

/// The org of a keyring or a secret, from its first column.
pub(crate) fn org(row: &tokio_postgres::Row) -> Result<Part> {
    let nameless = || Error::Corrupt { what: "what stands under an org without a valid name".to_owned() };
    of(row).org().ok_or_else(nameless)
}

/// What the store was born with, from `id, created_at`.
pub(crate) fn info(row: &tokio_postgres::Row) -> Option<StoreInfo> {
    let mut columns = of(row);
    Some(StoreInfo {
        id: StoreId::from_bytes(columns.array()?),
        created_at: Timestamp::from_micros(columns.integer()?),
    })
}

/// Which of the things that were asked for it belongs to, from this column.
pub(crate) fn place(row: &tokio_postgres::Row, column: usize) -> Option<usize> {
    row.try_get::<_, i32>(column).ok().and_then(|place| usize::try_from(place).ok())
}

/// The same, where the server has counted from 1.
pub(crate) fn ordinal(row: &tokio_postgres::Row) -> Option<usize> {
    let ordinal = row.try_get::<_, i64>(0).ok()?;
    usize::try_from(ordinal).ok()?.checked_sub(1)
}

/// What stands where something else was expected, from `refused, there, number, mark`: its place and itself. `None`
/// where nothing was refused.
pub(crate) fn refused(row: &tokio_postgres::Row) -> Option<Option<(usize, Option<Found>)>> {
    let Some(place) = row.try_get::<_, Option<i32>>(0).ok()? else { return Some(None) };
    let place = usize::try_from(place).ok()?;
    let mut columns = after(row, 1);
    let mut found = || {
        Some(match columns.text()? {
            "nothing" => Found::Nothing,
            "consumer" => Found::Consumer,
            "secret" => Found::Secret(Generation::new(columns.counter()?)?),
            "items" => Found::Items(columns.counter()?),
            "keyring" => Found::Keyring(columns.keyring_stamp()?),
            "lane" => Found::Lane(columns.lane_head()?),
            _ => return None,
        })
    };
    Some(Some((place, found())))
}

impl<'r> Row<'r> for Values<'r> {
    fn integer(&self, column: usize) -> Option<Option<i64>> {
        self.value(column)
    }

    fn text(&self, column: usize) -> Option<&'r str> {
        self.value(column)
    }

    fn blob(&self, column: usize) -> Option<&'r [u8]> {
        self.value(column)
    }
}

impl<'r> Values<'r> {
    fn value<T: FromSql<'r>>(&self, column: usize) -> Option<T> {
        self.0.try_get(column).ok()
    }
}
