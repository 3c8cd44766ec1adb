//! Keyrings, and what stands under their keys.

use std::collections::BTreeMap;

use rusqlite::Connection;
use secretkit_core::seal::{KeyId, KeyringRow, KeyringStamp};
use secretkit_core::{Error, Part, Result};

use crate::error::Named;
use crate::place::Place;
use crate::rows;

/// The keyring of an org.
pub(crate) fn of(connection: &Connection, place: &Place, org: &Part) -> Result<Option<KeyringRow>> {
    let mut statement = connection.prepare_cached(OF).at(place)?;
    let mut rows = statement.query([org.as_str()]).at(place)?;
    rows.next().at(place)?.map(|row| rows::of(row).keyring(org)).transpose()
}

/// Which keyring an org has.
pub(crate) fn stamp(connection: &Connection, place: &Place, org: &Part) -> Result<Option<KeyringStamp>> {
    let mut statement = connection.prepare_cached(STAMP).at(place)?;
    let mut rows = statement.query([org.as_str()]).at(place)?;
    let corrupt = || Error::Corrupt { what: format!("the keyring of org {org}") };
    rows.next().at(place)?.map(|row| rows::of(row).keyring_stamp().ok_or_else(corrupt)).transpose()
}

/// All of them, ordered by org.
pub(crate) fn all(connection: &mut Connection, place: &Place) -> Result<Vec<KeyringRow>> {
    let snapshot = connection.transaction().at(place)?;
    let mut keyrings = Vec::new();
    for org in orgs(&snapshot, place)? {
        keyrings.extend(of(&snapshot, place, &org?)?);
    }
    Ok(keyrings)
}

/// Whose keyrings these are, in their order; an error in the place of each that has no valid name.
pub(crate) fn orgs(connection: &Connection, place: &Place) -> Result<Vec<Result<Part>>> {
    let nameless = || Error::Corrupt { what: "a keyring of an org that has no valid name".to_owned() };
    let mut statement = connection.prepare("SELECT org FROM keyring ORDER BY org").at(place)?;
    let orgs = statement.query_map((), |row| Ok(rows::of(row).org().ok_or_else(nameless))).at(place)?;
    orgs.collect::<rusqlite::Result<_>>().at(place)
}

/// How many items of an org stand under each key. Reads all of them.
pub(crate) fn uses(connection: &Connection, place: &Place, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
    let mut statement = connection.prepare_cached(USES).at(place)?;
    let mut rows = statement.query([org.as_str()]).at(place)?;
    let mut uses = BTreeMap::new();
    while let Some(row) = rows.next().at(place)? {
        let corrupt = || Error::Corrupt { what: format!("a secret of org {org}") };
        let (id, items) = rows::of(row).key_use().ok_or_else(corrupt)?;
        uses.insert(id, items);
    }
    Ok(uses)
}

pub(crate) const OF: &str = "SELECT version, kek_id, wrapped_key, keyset FROM keyring WHERE org = ?1";

/// The second column is the commitment of the keyset's record.
pub(crate) const STAMP: &str = "SELECT version, substr(keyset, 69, 32) FROM keyring WHERE org = ?1";

/// A record has the id of its key after 8 bytes; an authenticator and a digest after one.
const USES: &str = "\
    WITH ours AS (SELECT id, record, head_mac, digest FROM secrets WHERE org = ?1), \
    items AS ( \
        SELECT substr(record, 9, 16) AS key FROM ours \
        UNION ALL SELECT substr(head_mac, 2, 16) FROM ours \
        UNION ALL SELECT substr(digest, 2, 16) FROM ours \
        UNION ALL SELECT substr(revisions.record, 9, 16) FROM ours JOIN revisions ON secret_id = id \
        UNION ALL SELECT substr(revisions.mac, 2, 16) FROM ours JOIN revisions ON secret_id = id \
        UNION ALL SELECT substr(revisions.digest, 2, 16) FROM ours JOIN revisions ON secret_id = id \
        UNION ALL SELECT substr(consumers.mac, 2, 16) FROM ours JOIN consumers ON secret_id = id \
        UNION ALL SELECT substr(mac, 2, 16) FROM events WHERE org = ?1 \
    ) SELECT key, count(*) FROM items GROUP BY key";
