//! Listing: pages by the order of the unique index, from which each continues.

use rusqlite::Connection;
use secretkit_core::Result;
use secretkit_core::store::{Listed, Query, Within, or_empty};

use crate::error::Named;
use crate::place::Place;
use crate::rows::{self, head_columns};

pub(crate) fn page(connection: &Connection, place: &Place, query: &Query) -> Result<Vec<Listed>> {
    let Query { within, filter, after, limit } = query;
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
    let mut statement = connection.prepare_cached(STATEMENTS[kind(within)][usize::from(after.is_some())]).at(place)?;
    let parameters = [org.as_str(), group, key, project, domain];
    let mut bind = |index: usize, text: &str| statement.raw_bind_parameter(index, text).at(place);
    parameters.iter().zip(1..).try_for_each(|(text, index)| bind(index, text))?;
    match within {
        Within::Org(_) => {}
        Within::Project { project, .. } => bind(6, project.as_str())?,
        Within::Exactly(scope) | Within::Along(scope) => {
            bind(6, or_empty(scope.project()))?;
            bind(7, or_empty(scope.domain()))?;
        }
    }
    let mut rows = statement.raw_query();
    let mut listed = Vec::new();
    while listed.len() < *limit
        && let Some(row) = rows.next().at(place)?
    {
        // What does not match need not be checked by anybody, and so is left out here.
        let row = rows::of(row).listed(org, listed.last().map(|row: &Listed| &row.head))?;
        listed.push(row);
        listed.pop_if(|row| !filter.matches(&row.head));
    }
    Ok(listed)
}

const fn kind(within: &Within) -> usize {
    match within {
        Within::Org(_) => 0,
        Within::Exactly(_) => 1,
        Within::Project { .. } => 2,
        Within::Along(_) => 3,
    }
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
            " ORDER BY grp, key, project, domain"
        )
    };
}

macro_rules! pages {
    ($condition:literal) => {
        [page!(">=", $condition), page!(">", $condition)]
    };
}

/// For each place, the first page and those after an address. A page ends where it is full: the statement is not read
/// on. The plus keeps the planner from thinking that such a condition helps with the order: it would sort.
pub(crate) const STATEMENTS: [[&str; 2]; 4] = [
    pages!(""),
    pages!(" AND +project = ?6 AND +domain = ?7"),
    pages!(" AND +project = ?6"),
    pages!(" AND +project IN ('', ?6) AND +domain IN ('', ?7)"),
];

/// The statements count bytes from 1.
const _: () = assert!(secretkit_core::SealedValue::COMMITMENT_AT + 1 == 69);
