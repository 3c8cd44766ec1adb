//! A commit where the server has no function for it: a transaction of single statements.
//!
//! What functions hold by locks, these hold by being SERIALIZABLE: whatever one has read and another has changed meanwhile, one
//! of the two is undone, and begins anew. It relies on nothing but that, and on SQL that PostgreSQL, CockroachDB and YugabyteDB
//! have in common. Whatever can be sent at once is, so a commit is three round trips: what it looks at, what it changes, and
//! its end.

mod changes;
mod expectations;
mod steps;
mod turns;

use std::collections::BTreeSet;
use std::time::Instant;

use secretkit_core::seal::KeyringStamp;
use secretkit_core::store::{Batch, Commit, UsageRecord};
use secretkit_core::{Error, Part};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use crate::batch::Encoded;
use crate::commit::told;
use crate::error::{Failure, SETTLED, UNFIT};
use crate::session::Asking;
use crate::settings::Settings;
use steps::{Ask, Steps, Value};
use turns::Turns;

/// Checks all expectations, in their order, and applies all changes and events; or refuses and changes nothing. The same as
/// the server's function, with the same errors.
///
/// # Errors
/// What the server says; busy where others were faster for as long as a lock is waited for.
pub(crate) async fn apply(
    session: &Asking,
    settings: &Settings,
    batch: &Batch,
    encoded: &Encoded<'_>,
    token: Option<&[u8]>,
) -> Result<Commit, Failure> {
    serializable(session, settings, async |steps| {
        let token = batch.events.first().zip(token).map(|(event, signed)| (event.org.as_str(), signed));
        let mut asks = Vec::new();
        if let Some((org, signed)) = token {
            asks.push(effect(org, signed));
            // Somebody may have asked for it by any org of its events.
            let orgs: BTreeSet<_> = batch.events.iter().map(|event| event.org.as_str()).collect();
            asks.extend(orgs.into_iter().map(|org| denial(org, signed)));
        }
        let from = asks.len();
        asks.extend(batch.expectations.iter().map(expectations::ask));
        let seen = steps.begin(&asks).await?;
        if let (Some((org, signed)), Some((effect, denials))) = (token, seen.get(..from).and_then(<[_]>::split_first)) {
            if !effect.is_empty() {
                // What it came back with after a crash its standbys may not have: this waits for them.
                steps.all(&[settle(org, signed)]).await?;
                return Ok(Commit::Applied);
            }
            if denials.iter().flatten().any(|row| is_denied(row, signed)) {
                return Err(Failure::Server(SqlState::from_code(SETTLED)));
            }
        }
        for (expectation, (expect, rows)) in batch.expectations.iter().zip(seen.iter().skip(from)).enumerate() {
            let found =
                expectations::contradiction(expect, rows).ok_or_else(|| Error::Corrupt { what: told(expect) })?;
            if let Some(found) = found {
                return Ok(Commit::Refused { expectation, found });
            }
        }
        let changes = changes::asks(encoded);
        let written = steps.all(&changes.iter().map(|(ask, _)| ask.clone()).collect::<Vec<_>>()).await?;
        let fits = changes.iter().zip(&written).all(|((_, writes), rows)| writes.fits(rows.len()));
        if fits { Ok(Commit::Applied) } else { Err(Failure::Server(SqlState::from_code(UNFIT))) }
    })
    .await
}

/// Whether the commit with this token took effect. A no is kept, so that it stays one; a yes, so that it is where the standbys
/// are.
///
/// # Errors
/// Those of [`apply`].
pub(crate) async fn outcome(session: &Asking, settings: &Settings, org: &str, signed: &[u8]) -> Result<bool, Failure> {
    serializable(session, settings, async |steps| {
        let seen = steps.begin(&[effect(org, signed), settle(org, signed)]).await?;
        Ok(seen.first().is_some_and(|rows| !rows.is_empty()))
    })
    .await
}

/// Records uses. False where that would have meant to wait.
///
/// # Errors
/// What the server says.
pub(crate) async fn touch(
    session: &Asking,
    settings: &Settings,
    org: &Part,
    keyring: KeyringStamp,
    uses: &[UsageRecord],
) -> Result<bool, Failure> {
    let steps = Steps::new(session, settings);
    let outcome = once(&steps, async |steps| {
        let version = keyring.version.cast_signed();
        let ring = Ask::new(
            "SELECT 1 FROM @schema@.keyring WHERE org = $1 AND version = $2 AND pg_catalog.substr(keyset, 69, 32) = $3",
            [org.as_str().into(), version.into(), keyring.commitment.as_slice().into()],
        );
        let seen = steps.begin(&[AT_ONCE_OR_NOT.into(), NOT_DURABLE.into(), ring]).await?;
        if seen.last().is_some_and(|rows| !rows.is_empty()) {
            let macs: Vec<_> = uses.iter().map(|used| used.mac.to_bytes()).collect();
            let ask = |(used, mac): (&UsageRecord, &[u8])| {
                let (id, at) = (used.secret.as_bytes().as_slice().to_vec(), used.used.at.as_micros());
                (id, at, used.used.by.as_str().to_owned(), mac.to_vec())
            };
            let rows: Vec<_> = uses.iter().zip(macs.iter().map(AsRef::as_ref)).map(ask).collect();
            let asks = rows.iter().map(|(id, at, by, mac)| {
                let values: [Value<'_>; 5] = [
                    id.as_slice().into(),
                    org.as_str().into(),
                    (*at).into(),
                    by.as_str().into(),
                    mac.as_slice().into(),
                ];
                Ask::new(USE, values)
            });
            steps.all(&asks.collect::<Vec<_>>()).await?;
        }
        Ok(())
    });
    match outcome.await {
        Ok(()) => Ok(true),
        Err(failure) if failure.is_harmless() || failure.is_code(SqlState::LOCK_NOT_AVAILABLE.code()) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// What stands under each key of an org.
///
/// # Errors
/// What the server says.
pub(crate) async fn key_uses(session: &Asking, settings: &Settings, org: &Part) -> Result<Vec<Row>, Failure> {
    Steps::new(session, settings).one(&Ask::new(expectations::KEY_USES, [org.as_str().into()])).await
}

/// Does it in a transaction of its own, and again while others come in between.
async fn serializable<T>(
    session: &Asking,
    settings: &Settings,
    work: impl AsyncFn(&Steps<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let steps = Steps::new(session, settings);
    let patience = settings.lock_timeout.min(settings.statement_timeout);
    let mut turns = Turns::until(Instant::now().checked_add(patience));
    loop {
        match once(&steps, &work).await {
            Err(failure) if failure.is_harmless() => {
                if !turns.wait() {
                    return Err(Failure::Server(SqlState::LOCK_NOT_AVAILABLE));
                }
            }
            outcome => return outcome,
        }
    }
}

async fn once<T>(steps: &Steps<'_>, work: impl AsyncFn(&Steps<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
    let failure = match work(steps).await {
        // What was read counts only once this is done, also where nothing was written.
        Ok(done) => match steps.commit().await {
            Ok(()) => return Ok(done),
            // It lost to others at its end, and has ended.
            Err(failure) if failure.is_harmless() => return Err(failure),
            // One that was cancelled before it began to end has not.
            Err(failure) => failure,
        },
        Err(failure) => failure,
    };
    steps.roll_back().await;
    Err(failure)
}

fn effect<'a>(org: &'a str, signed: &'a [u8]) -> Ask<'a> {
    Ask::new(
        "SELECT 1 FROM @schema@.events WHERE org = $1 AND token = $2 LIMIT 1",
        [org.into(), token_of(signed).into()],
    )
}

fn denial<'a>(org: &'a str, signed: &'a [u8]) -> Ask<'a> {
    Ask::new("SELECT asked FROM @schema@.settled WHERE org = $1 AND token = $2", [org.into(), token_of(signed).into()])
}

/// Of two who asked, each was told: then nobody's call is after both, and the bytes are those of no call.
fn settle<'a>(org: &'a str, signed: &'a [u8]) -> Ask<'a> {
    Ask::new(
        "INSERT INTO @schema@.settled AS s (org, token, asked) VALUES ($1, $2, $3) \
         ON CONFLICT (org, token) DO UPDATE SET asked = CASE \
         WHEN pg_catalog.substr(s.asked, 1, 8) <> pg_catalog.substr(excluded.asked, 1, 8) \
         THEN pg_catalog.decode(pg_catalog.repeat('f', 32), 'hex') \
         WHEN s.asked > excluded.asked THEN s.asked ELSE excluded.asked END",
        [org.into(), token_of(signed).into(), call_of(signed).into()],
    )
}

/// Whether somebody was told that a commit did not take effect, when this call of it was on its way already: anybody else, or
/// a call of the same store that is not before it.
fn is_denied(row: &Row, signed: &[u8]) -> bool {
    let asked: &[u8] = row.try_get(0).unwrap_or_default();
    let ours = call_of(signed);
    asked.get(..CALLER) != ours.get(..CALLER) || asked >= ours
}

fn token_of(signed: &[u8]) -> &[u8] {
    signed.get(..TOKEN).unwrap_or_default()
}

fn call_of(signed: &[u8]) -> &[u8] {
    signed.get(TOKEN..).unwrap_or_default()
}

/// Bytes of a token, and behind it of who calls; see `calls`.
const TOKEN: usize = 16;
const CALLER: usize = 8;

const AT_ONCE_OR_NOT: &str = "SELECT pg_catalog.set_config('lock_timeout', '1ms', true)";

const NOT_DURABLE: &str = "SELECT pg_catalog.set_config('synchronous_commit', 'off', true)";

const USE: &str = "INSERT INTO @schema@.usage (secret_id, used_at, used_by, mac) \
     SELECT id, $3, $4, $5 FROM @schema@.secrets WHERE id = $1 AND org = $2 \
     ON CONFLICT (secret_id) DO UPDATE SET used_at = excluded.used_at, used_by = excluded.used_by, mac = excluded.mac \
     WHERE @schema@.usage.used_at <= excluded.used_at";

#[cfg(test)]
mod tests {
    use crate::schema::unqualified;

    #[test]
    fn every_statement_names_the_schema_of_every_function() {
        let sources = [
            include_str!("mod.rs"),
            include_str!("steps.rs"),
            include_str!("expectations.rs"),
            include_str!("changes.rs"),
        ];
        let mut count = 0;
        for source in sources {
            let (code, _) = source.split_once("#[cfg(test)]").unwrap_or((source, ""));
            let texts = code.split('"').skip(1).step_by(2);
            for text in texts.filter(|text| text.contains("SELECT") || text.contains("@schema@.")) {
                assert_eq!(unqualified(text), None, "{text}");
                count += 1;
            }
        }
        assert!(count > 20, "{count}");
    }
}
