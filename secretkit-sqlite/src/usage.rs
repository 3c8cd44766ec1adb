//! Who uses a secret: its consumers, and its last use.

use rusqlite::{Connection, Row, TransactionBehavior, params};
use secretkit_core::seal::KeyringStamp;
use secretkit_core::store::{ConsumerRecord, Stamp, UsageRecord};
use secretkit_core::{Part, Result, StableId};

use crate::error::Named;
use crate::keyring;
use crate::place::Place;
use crate::rows;
use crate::walk::Wanted;

/// The consumers of each of these secrets, in their order.
pub(crate) fn consumers(
    connection: &mut Connection,
    place: &Place,
    org: &Part,
    secrets: &[StableId],
) -> Result<Vec<Vec<ConsumerRecord>>> {
    let mut consumers = vec![Vec::new(); secrets.len()];
    for (at, row) in
        find(connection, place, (CONSUMERS, 4), org, secrets, |row, secret| rows::of(row).consumer(secret))?
    {
        consumers[at].push(row);
    }
    Ok(consumers)
}

/// The last use of each of these secrets, in their order.
pub(crate) fn uses(
    connection: &mut Connection,
    place: &Place,
    org: &Part,
    secrets: &[StableId],
) -> Result<Vec<Option<UsageRecord>>> {
    let mut uses = vec![None; secrets.len()];
    for (at, row) in find(connection, place, (USES, 3), org, secrets, |row, secret| rows::of(row).usage(secret))? {
        uses[at] = Some(row);
    }
    Ok(uses)
}

/// What this statement, whose rows have the id of their secret in this column, finds for these secrets, each with the
/// place of its secret.
fn find<T>(
    connection: &mut Connection,
    place: &Place,
    (statement, id): (&str, usize),
    org: &Part,
    secrets: &[StableId],
    read: impl Fn(&Row<'_>, StableId) -> Result<T>,
) -> Result<Vec<(usize, T)>> {
    let snapshot = connection.transaction().at(place)?;
    let mut found = Vec::new();
    let mut statement = snapshot.prepare_cached(statement).at(place)?;
    Wanted::of(secrets.iter().copied()).find((&mut statement, id), place, |secret, at, row| {
        found.push((secret, at, read(row, secret)));
        Ok(())
    })?;
    // Most secrets have neither, and then their own rows are not looked at.
    let mut is_ours = vec![false; found.len()];
    let mut statement = snapshot.prepare_cached(ORGS).at(place)?;
    Wanted::of(found.iter().map(|(secret, ..)| *secret)).find((&mut statement, 1), place, |_, at, row| {
        is_ours[at] = rows::is_of(row, org);
        Ok(())
    })?;
    let ours = found.into_iter().zip(is_ours).filter(|(_, is_ours)| *is_ours);
    ours.map(|((_, at, row), _)| Ok((at, row?))).collect()
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

pub(crate) const CONSUMERS: &str = "SELECT name, seen_at, seen_by, mac, secret_id FROM consumers \
                                    WHERE secret_id >= ?1 ORDER BY secret_id, name";

pub(crate) const USES: &str =
    "SELECT used_at, used_by, mac, secret_id FROM usage WHERE secret_id >= ?1 ORDER BY secret_id";

pub(crate) const ORGS: &str = "SELECT org, id FROM secrets WHERE id >= ?1 ORDER BY id";

pub(crate) const TOUCH: &str = "INSERT INTO usage (secret_id, used_at, used_by, mac) \
                                SELECT id, ?3, ?4, ?5 FROM secrets WHERE id = ?1 AND org = ?2 \
                                ON CONFLICT (secret_id) DO UPDATE SET used_at = excluded.used_at, \
                                used_by = excluded.used_by, mac = excluded.mac \
                                WHERE excluded.used_at >= usage.used_at";
