//! The call of the server's function that applies a batch: the first change and the first event as parameters, whatever
//! there is beside them as JSON.

use std::collections::BTreeSet;

use secretkit_core::{Error, StableId};
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::batch::{Changed, Encoded, Hold};
use crate::error::Failure;
use crate::session::{Asking, Bound};
use crate::statements::{Query, Statements};

/// The statement, and the types of its parameters.
pub(crate) fn statement() -> (String, Vec<Type>) {
    let types = types();
    let places: Vec<_> = (1..=types.len()).map(|place| format!("${place}")).collect();
    // In the place of a value the server gets it ready with less than in that of a table.
    let call = format!("SELECT @schema@.apply({}) AS told", places.join(", "));
    (format!("SELECT (told).refused, (told).there, (told).number, (told).mark FROM ({call}) AS call"), types)
}

fn types() -> Vec<Type> {
    use Type as T;
    [
        vec![T::TEXT_ARRAY, T::BOOL_ARRAY, T::BOOL_ARRAY],
        vec![T::BYTEA_ARRAY, T::BYTEA_ARRAY, T::BYTEA_ARRAY],
        vec![T::TEXT_ARRAY, T::INT8_ARRAY, T::BYTEA],
        vec![T::BOOL, T::BOOL, T::INT8, T::INT8, T::BYTEA, T::INT8, T::BYTEA, T::TEXT],
        vec![T::TEXT, T::BYTEA, T::TEXT, T::TEXT, T::TEXT, T::TEXT, T::TEXT],
        vec![T::INT8, T::INT8, T::INT8, T::INT8, T::INT8, T::INT8, T::TEXT, T::TEXT],
        vec![T::INT8, T::TEXT, T::INT8, T::TEXT, T::INT8, T::TEXT, T::BYTEA, T::BYTEA, T::BYTEA, T::TEXT],
        vec![T::TEXT, T::INT8, T::INT8, T::BYTEA, T::INT8, T::BYTEA, T::BYTEA, T::TEXT],
        vec![T::BYTEA_ARRAY],
    ]
    .concat()
}

/// Calls it, and returns what it says of the batch.
pub(crate) async fn apply(
    session: &Asking,
    statements: &Statements,
    encoded: &Encoded<'_>,
    token: Option<&[u8]>,
) -> Result<Vec<Row>, Failure> {
    let Encoded { orgs, stay, change, go, lanes, expectations, changes, events, bytes, usual, .. } = encoded;
    let (none, holds) = (Changed::default(), orgs.values());
    let (first, event) = (changes.first().unwrap_or(&none), events.first());
    let parameters: [&(dyn ToSql + Sync); _] = [
        // What is held; where it expects what most do, the org of its event, together with others.
        &Bound(usual.is_none().then(|| orgs.keys().copied().collect::<Vec<_>>())),
        &Bound(usual.is_none().then(|| holds.clone().map(|Hold { alone, .. }| *alone).collect::<Vec<_>>())),
        &Bound(usual.is_none().then(|| holds.map(|hold| hold.adds > 1).collect::<Vec<_>>())),
        &Bound(ids(stay)),
        &Bound(ids(change)),
        &Bound(ids(go)),
        &Bound(lanes.iter().map(|(org, _)| *org).collect::<Vec<_>>()),
        &Bound(lanes.iter().map(|(_, lane)| *lane).collect::<Vec<_>>()),
        &Bound(token),
        // What is expected.
        &Bound(usual.is_none()),
        &Bound(usual.is_some_and(|usual| usual.is_free)),
        &Bound(usual.and_then(|usual| usual.generation).map(|generation| generation.number().cast_signed())),
        &Bound(usual.map(|usual| usual.keyring.version.cast_signed())),
        &Bound(usual.map(|usual| usual.keyring.commitment.as_slice())),
        &Bound(usual.map(|usual| usual.lane.seq.cast_signed())),
        &Bound(usual.map(|usual| usual.lane.mac.as_slice())),
        &Bound(json(expectations)?),
        // What changes.
        &Bound(changes.first().map(|first| first.kind)),
        &Bound(encoded.at(first.id)),
        &Bound(first.org),
        &Bound(first.project),
        &Bound(first.domain),
        &Bound(first.grp),
        &Bound(first.key),
        &Bound(first.generation),
        &Bound(first.revision),
        &Bound(first.first_revision),
        &Bound(first.keep.map(i64::from)),
        &Bound(first.inactive_since),
        &Bound(first.expires_at),
        &Bound(first.description),
        &Bound(first.tags.as_deref()),
        &Bound(first.created_at),
        &Bound(first.created_by),
        &Bound(first.updated_at),
        &Bound(first.updated_by),
        &Bound(first.value_at),
        &Bound(first.value_by),
        &Bound(encoded.at(first.digest)),
        &Bound(encoded.at(first.mac)),
        &Bound(encoded.at(first.record)),
        &Bound(following(changes)?),
        // What is recorded.
        &Bound(event.map(|event| event.org)),
        &Bound(event.map(|event| i64::from(event.lane))),
        &Bound(event.map(|event| event.seq)),
        &Bound(event.and_then(|event| encoded.at(Some(event.token)))),
        &Bound(event.map(|event| event.at)),
        &Bound(event.and_then(|event| encoded.at(Some(event.body)))),
        &Bound(event.and_then(|event| encoded.at(Some(event.mac)))),
        &Bound(following(events)?),
        &Bound(bytes.as_slice()),
    ];
    session.query_kept(statements, Query::Apply, &parameters).await
}

fn ids(ids: &BTreeSet<StableId>) -> Option<Vec<&[u8]>> {
    Some(ids.iter().map(|id| id.as_bytes().as_slice()).collect()).filter(|ids: &Vec<_>| !ids.is_empty())
}

/// All but the first, where there are any.
fn following(rows: &[impl Serialize]) -> Result<Option<String>, Failure> {
    rows.get(1..).filter(|rows| !rows.is_empty()).map(json).transpose()
}

fn json(rows: &[impl Serialize]) -> Result<String, Failure> {
    serde_json::to_string(rows).map_err(|_| Failure::Answer(Error::Unsupported("a batch that is no text".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The function's text is where each has its name.
    #[test]
    fn the_function_takes_these_parameters() {
        let text = include_str!("../migrations/0002_functions.sql");
        let (_, text) = text.split_once("@schema@.apply(").unwrap();
        let (text, _) = text.split_once("OUT ").unwrap();
        let declared: Vec<_> = text.split(',').filter_map(|one| one.split_whitespace().nth(1)).collect();
        let named = |kind: Type| match kind {
            Type::TEXT => "text",
            Type::BYTEA => "bytea",
            Type::INT8 => "bigint",
            Type::BOOL => "boolean",
            Type::TEXT_ARRAY => "text[]",
            Type::BYTEA_ARRAY => "bytea[]",
            Type::INT8_ARRAY => "bigint[]",
            _ => "boolean[]",
        };
        assert_eq!(declared, types().into_iter().map(named).collect::<Vec<_>>());
    }
}
