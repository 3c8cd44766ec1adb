//! What was done: the lanes of events, and what a token tells.

use rusqlite::{Connection, params};
use secretkit_core::store::{EventRecord, Lane, LaneHead, Token};
use secretkit_core::{Error, Part, Result, StableId};

use crate::error::Named;
use crate::place::Place;
use crate::rows;

/// The ends of an org's lanes.
pub(crate) fn lanes(connection: &Connection, place: &Place, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
    let mut statement = connection.prepare_cached(LANES).at(place)?;
    let mut rows = statement.query([org.as_str()]).at(place)?;
    let mut lanes = Vec::new();
    while let Some(row) = rows.next().at(place)? {
        let mut columns = rows::of(row);
        lanes.push(columns.lane().zip(columns.lane_head()).ok_or_else(|| corrupt(org))?);
    }
    Ok(lanes)
}

/// The end of one of them.
pub(crate) fn lane(connection: &Connection, place: &Place, org: &Part, lane: Lane) -> Result<Option<LaneHead>> {
    let mut statement = connection.prepare_cached(LANE).at(place)?;
    let mut rows = statement.query((org.as_str(), lane.number())).at(place)?;
    rows.next().at(place)?.map(|row| rows::of(row).lane_head().ok_or_else(|| corrupt(org))).transpose()
}

/// Events of a lane after a number, in their order.
pub(crate) fn after(
    connection: &Connection,
    place: &Place,
    org: &Part,
    lane: Lane,
    after: u64,
    limit: usize,
) -> Result<Vec<EventRecord>> {
    let mut statement = connection.prepare_cached(AFTER).at(place)?;
    let (after, limit) = (i64::try_from(after).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
    let mut rows = statement.query((org.as_str(), lane.number(), after, limit)).at(place)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next().at(place)? {
        events.push(rows::of(row).event(org).ok_or_else(|| corrupt(org))?);
    }
    Ok(events)
}

/// Whether a commit with this token is there.
pub(crate) fn outcome(connection: &Connection, place: &Place, org: &Part, token: &Token) -> Result<bool> {
    let mut statement = connection.prepare_cached(OUTCOME).at(place)?;
    statement.exists((org.as_str(), token.as_bytes())).at(place)
}

/// Adds an event, which must follow the end of its lane.
pub(crate) fn add(connection: &Connection, place: &Place, event: &EventRecord) -> Result<()> {
    let EventRecord { org, lane, seq, token, at, body, mac } = event;
    let (org, lane, seq, mac) = (org.as_str(), lane.number(), seq.cast_signed(), mac.to_bytes());
    let execute = |statement: &str, parameters: &[&dyn rusqlite::ToSql]| {
        connection.prepare_cached(statement).and_then(|mut statement| statement.execute(parameters)).at(place)
    };
    let moved = execute(MOVE_LANE, params![org, lane, seq, mac])?;
    if moved != 1 {
        let source = "an event does not follow the end of its lane; expect where that is".into();
        return Err(Error::Store { store: place.to_string(), source });
    }
    execute(ADD, params![org, lane, seq, token.as_bytes(), at.as_micros(), body, mac]).map(drop)
}

/// Ids of an org's secrets, in their order.
pub(crate) fn ids(
    connection: &Connection,
    place: &Place,
    org: &Part,
    after: Option<StableId>,
    limit: usize,
) -> Result<Vec<StableId>> {
    let mut statement = connection.prepare_cached(IDS).at(place)?;
    let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((org.as_str(), after, limit)).at(place)?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next().at(place)? {
        // An id of another length was written by nobody here; the event of the secret tells that it is gone.
        ids.extend(rows::of(row).id());
    }
    Ok(ids)
}

fn corrupt(org: &Part) -> Error {
    Error::Corrupt { what: format!("an event of org {org}") }
}

pub(crate) const LANES: &str = "SELECT lane, seq, mac FROM lanes WHERE org = ?1 ORDER BY lane";

pub(crate) const LANE: &str = "SELECT seq, mac FROM lanes WHERE org = ?1 AND lane = ?2";

pub(crate) const AFTER: &str = "SELECT lane, seq, token, at, body, mac FROM events \
                                WHERE org = ?1 AND lane = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";

pub(crate) const OUTCOME: &str = "SELECT 1 FROM events WHERE org = ?1 AND token = ?2 LIMIT 1";

pub(crate) const IDS: &str =
    "SELECT id FROM secrets WHERE id > ?2 AND +org = ?1 AND length(id) = 16 ORDER BY id LIMIT ?3";

const ADD: &str = "INSERT INTO events (org, lane, seq, token, at, body, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// The first of a lane has the number 1.
const MOVE_LANE: &str = "INSERT INTO lanes (org, lane, seq, mac) SELECT ?1, ?2, ?3, ?4 \
                         WHERE ?3 = 1 OR EXISTS (SELECT 1 FROM lanes WHERE org = ?1 AND lane = ?2) \
                         ON CONFLICT (org, lane) DO UPDATE SET seq = excluded.seq, mac = excluded.mac \
                         WHERE lanes.seq = excluded.seq - 1";
