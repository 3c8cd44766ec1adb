//! Who uses a secret: its consumers, and its last use.

use rusqlite::{Connection, TransactionBehavior, params};
use secretkit_core::seal::KeyringStamp;
use secretkit_core::store::{ConsumerRecord, Stamp, UsageRecord};
use secretkit_core::{Part, Result, StableId};

use crate::error::Named;
use crate::keyring;
use crate::place::Place;
use crate::rows;

/// The consumers of each of these secrets, in their order.
pub(crate) fn consumers(
    connection: &mut Connection,
    place: &Place,
    org: &Part,
    secrets: &[StableId],
) -> Result<Vec<Vec<ConsumerRecord>>> {
    // One snapshot for all, and one lock: taking it costs more than looking one up.
    let snapshot = connection.transaction().at(place)?;
    let mut statement = snapshot.prepare_cached(CONSUMERS).at(place)?;
    let mut of = |secret: StableId| {
        let mut rows = statement.query((secret.as_bytes(), org.as_str())).at(place)?;
        let mut consumers = Vec::new();
        while let Some(row) = rows.next().at(place)? {
            consumers.push(rows::consumer(row, secret)?);
        }
        Ok(consumers)
    };
    secrets.iter().map(|secret| of(*secret)).collect()
}

/// The last use of each of these secrets, in their order.
pub(crate) fn uses(
    connection: &mut Connection,
    place: &Place,
    org: &Part,
    secrets: &[StableId],
) -> Result<Vec<Option<UsageRecord>>> {
    let snapshot = connection.transaction().at(place)?;
    let mut statement = snapshot.prepare_cached(USES).at(place)?;
    let mut of = |secret: StableId| {
        let mut rows = statement.query((secret.as_bytes(), org.as_str())).at(place)?;
        rows.next().at(place)?.map(|row| rows::usage(row, secret)).transpose()
    };
    secrets.iter().map(|secret| of(*secret)).collect()
}

/// Records uses, on a connection that waits for nobody and flushes nothing.
pub(crate) fn touch(
    connection: &mut Connection,
    place: &Place,
    org: &Part,
    keyring: KeyringStamp,
    uses: &[UsageRecord],
) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).at(place)?;
    if keyring::stamp(&transaction, place, org)? != Some(keyring) {
        return Ok(());
    }
    {
        let mut statement = transaction.prepare_cached(TOUCH).at(place)?;
        for UsageRecord { secret, used: Stamp { at, by }, mac } in uses {
            let parameters = params![secret.as_bytes(), org.as_str(), at.as_micros(), by.as_str(), mac.to_bytes()];
            statement.execute(parameters).at(place)?;
        }
    }
    transaction.commit().at(place)
}

/// Most secrets have neither, and then their own row is not looked at: that is what CROSS says.
pub(crate) const CONSUMERS: &str = "SELECT name, seen_at, seen_by, mac FROM consumers \
                                    CROSS JOIN secrets ON id = secret_id AND org = ?2 WHERE secret_id = ?1 ORDER BY name";

pub(crate) const USES: &str = "SELECT used_at, used_by, mac FROM usage \
                               CROSS JOIN secrets ON id = secret_id AND org = ?2 WHERE secret_id = ?1";

pub(crate) const TOUCH: &str = "INSERT INTO usage (secret_id, used_at, used_by, mac) \
                                SELECT id, ?3, ?4, ?5 FROM secrets WHERE id = ?1 AND org = ?2 \
                                ON CONFLICT (secret_id) DO UPDATE SET used_at = excluded.used_at, \
                                used_by = excluded.used_by, mac = excluded.mac \
                                WHERE excluded.used_at >= usage.used_at";
