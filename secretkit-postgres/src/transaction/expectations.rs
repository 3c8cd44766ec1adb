//! What a batch expects: a question for each, and what its answer says.

use secretkit_core::store::{Expect, Found, or_empty};
use secretkit_core::{SecretId, Timestamp};
use tokio_postgres::Row;

use super::steps::{Ask, Value};
use crate::rows;

pub(super) fn ask(expect: &Expect) -> Ask<'_> {
    match expect {
        Expect::Absent(id) => Ask::new(
            "SELECT generation FROM @schema@.secrets \
             WHERE org = $1 AND grp = $2 AND key = $3 AND project = $4 AND domain = $5",
            address(id),
        ),
        Expect::Generation(org, id, _) | Expect::Exists(org, id) => Ask::new(
            "SELECT generation FROM @schema@.secrets WHERE id = $1 AND org = $2",
            [id.as_bytes().as_slice().into(), org.as_str().into()],
        ),
        Expect::NoConsumers(org, id) => Ask::new(
            "SELECT 1 FROM @schema@.consumers AS c JOIN @schema@.secrets AS s ON s.id = c.secret_id \
             WHERE c.secret_id = $1 AND s.org = $2 LIMIT 1",
            [id.as_bytes().as_slice().into(), org.as_str().into()],
        ),
        Expect::ConsumerSeen(org, id, name, _) => Ask::new(
            "SELECT c.seen_at FROM @schema@.consumers AS c JOIN @schema@.secrets AS s ON s.id = c.secret_id \
             WHERE c.secret_id = $1 AND s.org = $2 AND c.name = $3",
            [id.as_bytes().as_slice().into(), org.as_str().into(), name.as_str().into()],
        ),
        Expect::Keyring(org, _) => Ask::new(
            "SELECT version, pg_catalog.substr(keyset, 69, 32) FROM @schema@.keyring WHERE org = $1",
            [org.as_str().into()],
        ),
        Expect::Lane(org, lane, _) => Ask::new(
            "SELECT seq, mac FROM @schema@.lanes WHERE org = $1 AND lane = $2",
            [org.as_str().into(), i64::from(lane.number()).into()],
        ),
        Expect::KeyUnused(org, _) => Ask::new(KEY_USES, [org.as_str().into()]),
        Expect::NoSecrets(org) => {
            Ask::new("SELECT generation FROM @schema@.secrets WHERE org = $1 LIMIT 1", [org.as_str().into()])
        }
    }
}

/// What is there instead of what is expected; `Some(None)` where the expectation holds, and `None` where what is there is
/// nobody's.
pub(super) fn contradiction(expect: &Expect, rows: &[Row]) -> Option<Option<Found>> {
    let row = rows.first();
    let secret = || row.map(|row| rows::of(row).generation()).map_or(Some(None), |generation| generation.map(Some));
    Some(match expect {
        Expect::Absent(_) | Expect::NoSecrets(_) => secret()?.map(Found::Secret),
        Expect::Generation(_, _, expected) => {
            let found = secret()?;
            (found != Some(*expected)).then(|| found.map_or(Found::Nothing, Found::Secret))
        }
        Expect::Exists(..) => row.is_none().then_some(Found::Nothing),
        Expect::NoConsumers(..) => row.map(|_| Found::Consumer),
        Expect::ConsumerSeen(_, _, _, expected) => {
            let found = match row {
                Some(row) => Some(row.try_get::<_, i64>(0).ok()?),
                None => None,
            };
            (found != expected.map(Timestamp::as_micros)).then(|| found.map_or(Found::Nothing, |_| Found::Consumer))
        }
        Expect::Keyring(_, expected) => {
            let found = row.map(|row| rows::of(row).keyring_stamp()).map_or(Some(None), |stamp| stamp.map(Some))?;
            (found != *expected).then(|| found.map_or(Found::Nothing, Found::Keyring))
        }
        Expect::Lane(_, _, expected) => {
            let found = row.map(|row| rows::of(row).lane_head()).map_or(Some(None), |head| head.map(Some))?;
            (found != *expected).then(|| found.map_or(Found::Nothing, Found::Lane))
        }
        Expect::KeyUnused(_, key) => {
            let uses: Vec<_> = rows.iter().map(|row| rows::of(row).key_use()).collect::<Option<_>>()?;
            uses.iter().find(|(used, _)| used == key).map(|(_, items)| Found::Items(*items))
        }
    })
}

fn address(id: &SecretId) -> [Value<'_>; 5] {
    [
        id.org().as_str().into(),
        or_empty(id.name().group()).into(),
        id.name().key().as_str().into(),
        or_empty(id.scope().project()).into(),
        or_empty(id.scope().domain()).into(),
    ]
}

/// The same as the server's function of this name, where there are functions.
pub(super) const KEY_USES: &str = "WITH ours AS (SELECT id, record, head_mac, digest FROM @schema@.secrets WHERE org = $1), \
     item AS (\
        SELECT pg_catalog.substr(record, 9, 16) AS key FROM ours \
        UNION ALL SELECT pg_catalog.substr(head_mac, 2, 16) FROM ours \
        UNION ALL SELECT pg_catalog.substr(digest, 2, 16) FROM ours \
        UNION ALL SELECT pg_catalog.substr(r.record, 9, 16) FROM ours JOIN @schema@.revisions AS r ON r.secret_id = ours.id \
        UNION ALL SELECT pg_catalog.substr(r.mac, 2, 16) FROM ours JOIN @schema@.revisions AS r ON r.secret_id = ours.id \
        UNION ALL SELECT pg_catalog.substr(r.digest, 2, 16) FROM ours JOIN @schema@.revisions AS r ON r.secret_id = ours.id \
        UNION ALL SELECT pg_catalog.substr(c.mac, 2, 16) FROM ours JOIN @schema@.consumers AS c ON c.secret_id = ours.id \
        UNION ALL SELECT pg_catalog.substr(mac, 2, 16) FROM @schema@.events WHERE org = $1\
     ) SELECT item.key, pg_catalog.count(*) FROM item GROUP BY item.key";
