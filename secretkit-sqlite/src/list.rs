//! Listing: pages by the order of the unique index, from which each continues.

use rusqlite::Connection;
use secretkit_core::Result;
use secretkit_core::store::{Listed, Query, Within};

use crate::error::Named;
use crate::place::Place;
use crate::rows::{self, head_columns, or_empty};

pub(crate) fn page(connection: &Connection, place: &Place, query: &Query) -> Result<Vec<Listed>> {
    let Query { within, after, limit } = query;
    let org = within.org();
    // Four empty texts stand before every address. A row that has them is nobody's, and must not be passed over.
    let (group, key, project, domain) = match after {
        Some(id) => (
            or_empty(id.name().group()),
            id.name().key().as_str(),
            or_empty(id.scope().project()),
            or_empty(id.scope().domain()),
        ),
        None => ("", "", "", ""),
    };
    let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
    let mut statement;
    let mut rows = match within {
        Within::Org(_) => {
            statement = connection.prepare_cached(EVERYWHERE[usize::from(after.is_some())]).at(place)?;
            statement.query((org.as_str(), group, key, project, domain, limit)).at(place)?
        }
        Within::Exactly(scope) => {
            statement = connection.prepare_cached(EXACTLY[usize::from(after.is_some())]).at(place)?;
            let (at_project, at_domain) = (or_empty(scope.project()), or_empty(scope.domain()));
            let parameters = (org.as_str(), group, key, project, domain, limit, at_project, at_domain);
            statement.query(parameters).at(place)?
        }
    };
    let mut listed = Vec::new();
    while let Some(row) = rows.next().at(place)? {
        listed.push(rows::listed(row, org)?);
    }
    Ok(listed)
}

macro_rules! page {
    ($comparison:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            head_columns!(),
            ", substr(record, 69, 32) FROM secrets \
             WHERE org = ?1 AND (grp, key, project, domain) ",
            $comparison,
            " (?2, ?3, ?4, ?5)",
            $condition,
            " ORDER BY grp, key, project, domain LIMIT ?6"
        )
    };
}

/// The first page and those after an address, everywhere in an org and at exactly one scope.
pub(crate) const EVERYWHERE: [&str; 2] = [page!(">=", ""), page!(">", "")];
pub(crate) const EXACTLY: [&str; 2] =
    [page!(">=", " AND project = ?7 AND domain = ?8"), page!(">", " AND project = ?7 AND domain = ?8")];

/// The statements count bytes from 1.
const _: () = assert!(secretkit_core::SealedValue::COMMITMENT_AT + 1 == 69);
