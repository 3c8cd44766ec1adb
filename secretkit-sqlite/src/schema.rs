//! The tables, and how a store is made.

use rusqlite::Connection;
use secretkit_core::seal::StoreId;
use secretkit_core::store::StoreInfo;
use secretkit_core::{Clock, Error, Result, SystemClock, Timestamp};
use secretkit_files::{Existing, NewFile, Put};

use crate::connection;
use crate::error::{Named, not_ours};
use crate::place::Place;

/// `SKIT`, which marks a SQLite file as ours.
const APPLICATION_ID: i64 = 0x534b_4954;

/// The newest schema this library knows. One that it does not know is refused, never guessed at.
pub(crate) const SCHEMA: i64 = 1;

/// Every statement that made the file, in the order of `sqlite_schema`. A file whose schema differs is refused, so
/// that no trigger, view or changed column of somebody else's ever runs.
///
/// Text is compared byte by byte (the collation is binary unless one is named). Absent text is `''`, see `rows`.
/// The record stands last: what comes before it is read without the pages it fills.
const STATEMENTS: [&str; 9] = [
    "CREATE TABLE store (
  id BLOB NOT NULL,
  schema INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT",
    "CREATE TABLE keyring (
  org TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  kek_id TEXT NOT NULL,
  wrapped_key BLOB NOT NULL,
  keyset BLOB NOT NULL
) STRICT",
    // The index serves both questions: the four candidates of a name stand side by side in it, and its order is that
    // of a listing.
    "CREATE TABLE secrets (
  id BLOB NOT NULL PRIMARY KEY,
  org TEXT NOT NULL,
  project TEXT NOT NULL,
  domain TEXT NOT NULL,
  grp TEXT NOT NULL,
  key TEXT NOT NULL,
  generation INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  first_revision INTEGER NOT NULL,
  keep INTEGER,
  inactive_since INTEGER,
  expires_at INTEGER,
  description TEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  value_at INTEGER NOT NULL,
  value_by TEXT NOT NULL,
  digest BLOB NOT NULL,
  head_mac BLOB NOT NULL,
  record BLOB NOT NULL,
  UNIQUE (org, grp, key, project, domain)
) STRICT",
    // With its rowid: records are too long for the leaves of an index.
    "CREATE TABLE revisions (
  secret_id BLOB NOT NULL REFERENCES secrets (id) ON DELETE CASCADE,
  revision INTEGER NOT NULL,
  value_at INTEGER NOT NULL,
  value_by TEXT NOT NULL,
  digest BLOB NOT NULL,
  mac BLOB NOT NULL,
  record BLOB NOT NULL,
  PRIMARY KEY (secret_id, revision)
) STRICT",
    // Who uses a secret holds it: it cannot be deleted before its consumers are.
    "CREATE TABLE consumers (
  secret_id BLOB NOT NULL REFERENCES secrets (id) ON DELETE RESTRICT,
  name TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  seen_by TEXT NOT NULL,
  mac BLOB NOT NULL,
  PRIMARY KEY (secret_id, name)
) STRICT, WITHOUT ROWID",
    "CREATE TABLE usage (
  secret_id BLOB NOT NULL PRIMARY KEY REFERENCES secrets (id) ON DELETE CASCADE,
  used_at INTEGER NOT NULL,
  used_by TEXT NOT NULL,
  mac BLOB NOT NULL
) STRICT, WITHOUT ROWID",
    // Where each lane of events ends. Without foreign keys, like the events: they outlive what they tell of.
    "CREATE TABLE lanes (
  org TEXT NOT NULL,
  lane INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  mac BLOB NOT NULL,
  PRIMARY KEY (org, lane)
) STRICT, WITHOUT ROWID",
    "CREATE TABLE events (
  org TEXT NOT NULL,
  lane INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  token BLOB NOT NULL,
  at INTEGER NOT NULL,
  body BLOB NOT NULL,
  mac BLOB NOT NULL,
  PRIMARY KEY (org, lane, seq)
) STRICT, WITHOUT ROWID",
    "CREATE INDEX events_by_token ON events (org, token)",
];

/// Makes a store at `place` unless somebody else is faster.
///
/// The file is built whole under a name of its own and then moved into place, so nobody ever meets half a store, and
/// of two that make one at once both go on with the same.
pub(crate) fn create(place: &Place) -> Result<()> {
    place.check_new()?;
    let (new, file) = NewFile::begin(place.path(), ".secretkit-new-")?;
    // Closed before SQLite opens it.
    drop(file);
    build(&Place::existing(new.unnamed())?)?;
    match new.put(Existing::Refuse)? {
        Put::InPlace | Put::Taken => Ok(()),
    }
}

fn build(place: &Place) -> Result<()> {
    let connection = connection::open_new(place)?;
    let (id, now) = (StoreId::generate()?, SystemClock.now());
    let fill = || -> rusqlite::Result<()> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for statement in STATEMENTS {
            connection.execute_batch(statement)?;
        }
        connection.execute("INSERT INTO store VALUES (?1, ?2, ?3)", (id.as_bytes(), SCHEMA, now.as_micros()))?;
        connection.execute_batch(&format!(
            "PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA}; COMMIT; PRAGMA journal_mode=WAL"
        ))
    };
    fill().at(place)?;
    // The close writes the log back and removes it.
    connection.close().map_err(|(_, error)| error).at(place)
}

/// Whether the file behind this connection is a store of ours, and which.
///
/// # Errors
/// [`Error::NotAStore`] where it is none or too new, [`Error::Corrupt`] where its row makes no sense.
pub(crate) fn judge(connection: &Connection, place: &Place) -> Result<StoreInfo> {
    let header = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).at(place);
    if header("application_id")? != APPLICATION_ID {
        return Err(not_ours(place));
    }
    let schema = header("user_version")?;
    if schema > SCHEMA {
        let why = format!("has schema version {schema}, and this secretkit knows up to {SCHEMA}; upgrade it");
        return Err(Error::NotAStore { store: place.to_string(), why });
    }
    if schema != SCHEMA || statements(connection).at(place)? != STATEMENTS {
        let why = "has a schema that no version of secretkit made; restore it from a backup".to_owned();
        return Err(Error::NotAStore { store: place.to_string(), why });
    }
    store_info(connection, place)
}

/// All but the statistics that `ANALYZE` keeps, which are no concern of ours.
fn statements(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    const OURS: &str = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL \
                        AND NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4')) ORDER BY rowid";
    connection.prepare(OURS)?.query_map((), |row| row.get(0))?.collect()
}

fn store_info(connection: &Connection, place: &Place) -> Result<StoreInfo> {
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?, row.get(2)?));
    let mut statement = connection.prepare("SELECT id, schema, created_at FROM store LIMIT 2").at(place)?;
    let rows = statement.query_map((), row).at(place)?.collect::<rusqlite::Result<Vec<(_, i64, i64)>>>().at(place)?;
    match rows.as_slice() {
        [(id, SCHEMA, created_at)] if id.len() == 16 => {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(id);
            Ok(StoreInfo { id: StoreId::from_bytes(bytes), created_at: Timestamp::from_micros(*created_at) })
        }
        _ => Err(Error::Corrupt { what: format!("the id of the store {place}") }),
    }
}
