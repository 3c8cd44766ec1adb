//! Reading everything else: keyrings, who uses a secret, what was done.

use secretkit_core::seal::{KeyringRow, KeyringStamp};
use secretkit_core::store::{ConsumerRecord, EventRecord, Lane, LaneHead, UsageRecord};
use secretkit_core::{Error, Part, Result, StableId};

use crate::error::Failure;
use crate::rows;
use crate::session::{Asking, Bound};
use crate::statements::{Query, Statements};

pub(crate) async fn is_empty(session: &Asking, statements: &Statements) -> Result<bool, Failure> {
    Ok(truth(&session.query(statements, Query::IsEmpty, &[]).await?)?)
}

pub(crate) async fn sees_all_orgs(session: &Asking, statements: &Statements) -> Result<bool, Failure> {
    Ok(truth(&session.query(statements, Query::SeesAll, &[]).await?)?)
}

pub(crate) async fn keyring(
    session: &Asking,
    statements: &Statements,
    org: &Part,
) -> Result<Option<KeyringRow>, Failure> {
    let rows = session.query(statements, Query::Keyring, &[&Bound(org.as_str())]).await?;
    Ok(rows.first().map(|row| rows::of(row).keyring(org)).transpose()?)
}

pub(crate) async fn keyrings(session: &Asking, statements: &Statements) -> Result<Vec<KeyringRow>, Failure> {
    let rows = session.query(statements, Query::Keyrings, &[]).await?;
    Ok(rows.iter().map(|row| rows::after(row, 1).keyring(&rows::org(row)?)).collect::<Result<_>>()?)
}

pub(crate) async fn orgs(session: &Asking, statements: &Statements) -> Result<Vec<Result<Part>>, Failure> {
    Ok(session.query(statements, Query::Orgs, &[]).await?.iter().map(rows::org).collect())
}

/// What stands under each key of an org, as rows.
pub(crate) async fn key_uses(
    session: &Asking,
    statements: &Statements,
    org: &Part,
) -> Result<Vec<tokio_postgres::Row>, Failure> {
    session.query(statements, Query::KeyUses, &[&Bound(org.as_str())]).await
}

pub(crate) async fn consumers(
    session: &Asking,
    statements: &Statements,
    org: &Part,
    secrets: &[StableId],
) -> Result<Vec<Vec<ConsumerRecord>>, Failure> {
    let rows = session.query(statements, Query::Consumers, &[&Bound(org.as_str()), &bytes(secrets)]).await?;
    let mut answers: Vec<_> = secrets.iter().map(|_| Vec::new()).collect();
    for row in &rows {
        let (secret, answer) = of_ordinal(row, secrets, &mut answers)?;
        answer.push(rows::after(row, 1).consumer(secret)?);
    }
    Ok(answers)
}

pub(crate) async fn uses(
    session: &Asking,
    statements: &Statements,
    org: &Part,
    secrets: &[StableId],
) -> Result<Vec<Option<UsageRecord>>, Failure> {
    let rows = session.query(statements, Query::Uses, &[&Bound(org.as_str()), &bytes(secrets)]).await?;
    let mut answers: Vec<_> = secrets.iter().map(|_| None).collect();
    for row in &rows {
        let (secret, answer) = of_ordinal(row, secrets, &mut answers)?;
        *answer = Some(rows::after(row, 1).usage(secret)?);
    }
    Ok(answers)
}

/// Records uses. False where that would have meant to wait.
pub(crate) async fn touch(
    session: &Asking,
    statements: &Statements,
    org: &Part,
    keyring: KeyringStamp,
    uses: &[UsageRecord],
) -> Result<bool, Failure> {
    let ids: Vec<StableId> = uses.iter().map(|used| used.secret).collect();
    let times: Vec<i64> = uses.iter().map(|used| used.used.at.as_micros()).collect();
    let actors: Vec<&str> = uses.iter().map(|used| used.used.by.as_str()).collect();
    let macs: Vec<_> = uses.iter().map(|used| used.mac.to_bytes().to_vec()).collect();
    let rows = session
        .query(
            statements,
            Query::Touch,
            &[
                &Bound(org.as_str()),
                &Bound(keyring.version.cast_signed()),
                &Bound(keyring.commitment.as_slice()),
                &bytes(&ids),
                &Bound(times),
                &Bound(actors),
                &Bound(macs),
            ],
        )
        .await?;
    Ok(truth(&rows)?)
}

pub(crate) async fn lanes(
    session: &Asking,
    statements: &Statements,
    org: &Part,
) -> Result<Vec<(Lane, LaneHead)>, Failure> {
    let rows = session.query(statements, Query::Lanes, &[&Bound(org.as_str())]).await?;
    let end = |mut columns: rows::Columns<'_>| columns.lane().zip(columns.lane_head());
    Ok(rows.iter().map(|row| end(rows::of(row)).ok_or_else(|| corrupt_event(org))).collect::<Result<_>>()?)
}

pub(crate) async fn events(
    session: &Asking,
    statements: &Statements,
    org: &Part,
    lane: Lane,
    after: u64,
    limit: usize,
) -> Result<Vec<EventRecord>, Failure> {
    let (after, limit) = (i64::try_from(after).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
    let lane = i64::from(lane.number());
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&Bound(org.as_str()), &Bound(lane), &Bound(after), &Bound(limit)];
    let rows = session.query(statements, Query::Events, &parameters).await?;
    Ok(rows.iter().map(|row| rows::of(row).event(org).ok_or_else(|| corrupt_event(org))).collect::<Result<_>>()?)
}

pub(crate) async fn ids(
    session: &Asking,
    statements: &Statements,
    org: &Part,
    after: Option<StableId>,
    limit: usize,
) -> Result<Vec<StableId>, Failure> {
    let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows =
        session.query(statements, Query::Ids, &[&Bound(org.as_str()), &Bound(after.as_slice()), &Bound(limit)]).await?;
    Ok(rows.iter().filter_map(|row| rows::of(row).id()).collect())
}

pub(crate) async fn outcome(
    session: &Asking,
    statements: &Statements,
    org: &Part,
    signed: &[u8],
) -> Result<bool, Failure> {
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&Bound(org.as_str()), &Bound(signed)];
    Ok(truth(&session.query_kept(statements, Query::Outcome, &parameters).await?)?)
}

fn of_ordinal<'a, T>(
    row: &tokio_postgres::Row,
    secrets: &[StableId],
    answers: &'a mut [T],
) -> Result<(StableId, &'a mut T)> {
    let place = rows::ordinal(row);
    let secret = place.and_then(|place| secrets.get(place).copied());
    secret.zip(place.and_then(|place| answers.get_mut(place))).ok_or_else(senseless)
}

/// The one answer of yes or no.
fn truth(rows: &[tokio_postgres::Row]) -> Result<bool> {
    rows.first().and_then(|row| row.try_get(0).ok()).ok_or_else(senseless)
}

fn bytes(ids: &[StableId]) -> Bound<Vec<&[u8]>> {
    Bound(ids.iter().map(|id| id.as_bytes().as_slice()).collect())
}

fn senseless() -> Error {
    Error::Corrupt { what: "an answer of the store".to_owned() }
}

fn corrupt_event(org: &Part) -> Error {
    Error::Corrupt { what: format!("an event of org {org}") }
}
