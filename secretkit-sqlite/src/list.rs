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
    // Before every address stand four empty texts, and no key is empty.
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
            statement = connection.prepare_cached(EVERYWHERE).at(place)?;
            statement.query((org.as_str(), group, key, project, domain, limit)).at(place)?
        }
        Within::Exactly(scope) => {
            statement = connection.prepare_cached(EXACTLY).at(place)?;
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
    ($condition:literal) => {
        concat!(
            "SELECT ",
            head_columns!(),
            ", substr(record, 69, 32) FROM secrets \
             WHERE org = ?1 AND (grp, key, project, domain) > (?2, ?3, ?4, ?5)",
            $condition,
            " ORDER BY grp, key, project, domain LIMIT ?6"
        )
    };
}

pub(crate) const EVERYWHERE: &str = page!("");
pub(crate) const EXACTLY: &str = page!(" AND project = ?7 AND domain = ?8");

/// The statements count bytes from 1.
const _: () = assert!(secretkit_core::SealedValue::COMMITMENT_AT + 1 == 69);
