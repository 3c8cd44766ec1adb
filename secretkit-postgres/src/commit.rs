//! Writing: a batch is one call of a function on the server, and so one round trip and one transaction; or a transaction of
//! single statements, where there are no functions.

use std::collections::BTreeMap;

use secretkit_core::seal::{KeyId, KeyringStamp};
use secretkit_core::store::{Batch, Change, Commit, Expect, UsageRecord};
use secretkit_core::{Error, Part, Result};
use tokio_postgres::error::SqlState;

use crate::batch::{Changed, Encoded, Misfit};
use crate::calls::Calls;
use crate::error::{Failure, UNFIT};
use crate::layout::Commits;
use crate::roles::StoreRole;
use crate::runtime::Engine;
use crate::session::Asking;
use crate::settings::Settings;
use crate::statements::Statements;
use crate::{call, counted, more, rows, transaction};

/// The way to a store's server, and what a commit is there.
pub(crate) struct Way<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) settings: &'a Settings,
    pub(crate) statements: &'a Statements,
    pub(crate) commits: Commits,
}

/// Applies a batch, and again where that is safe.
///
/// - A deadlock or a serialization failure undid everything.
/// - Where a change did not fit, everything was undone too. If somebody came in between, the second attempt says whom the
///   batch did not expect.
/// - Where the connection was not what it was, nothing was done; another one may do better.
/// - Where an answer was lost, the second attempt finds the first by its token, or does what it could not. Where it is
///   refused, the first, which may still be on its way, is kept from taking effect when it arrives.
///
/// What is tried again is tried on another connection, and not for ever.
pub(crate) fn apply(way: &Way<'_>, calls: &Calls, batch: &Batch) -> Result<Commit> {
    let (engine, place) = (way.engine, way.settings);
    let unfit = |Misfit| Failure::Server(SqlState::from_code(UNFIT)).named(place);
    let encoded = Encoded::of(batch).map_err(unfit)?;
    // Only events keep a token.
    let token = batch.token.filter(|_| !batch.events.is_empty());
    let signed = token.map(|token| calls.signed(&token));
    let (mut misfits, mut stale, mut losses) = (0, 0, 0);
    for _ in 0..MOST_ATTEMPTS {
        let outcome = engine.run(async |session| way.once(session, batch, &encoded, signed.as_deref()).await);
        match outcome {
            Ok(refused @ Commit::Refused { .. }) if losses > 0 => {
                let settled = token.map(|token| calls.signed(&token));
                return match engine.run(async |session| way.settle(session, batch, settled.as_deref()).await) {
                    Ok(true) => Ok(Commit::Applied),
                    Ok(false) => Ok(refused),
                    Err(failure) => Err(failure.unknown(place, token)),
                };
            }
            Ok(commit) => return Ok(commit),
            Err(failure) if failure.is_harmless() => counted::retrying(&failure),
            Err(failure) if failure.is_code(UNFIT) && misfits == 0 => {
                misfits += 1;
                counted::retrying(&failure);
            }
            Err(failure @ Failure::Stale(_)) if stale == 0 => {
                stale += 1;
                counted::retrying(&failure);
            }
            Err(failure) if failure.is_uncertain() => {
                losses += 1;
                if token.is_none() || losses > 1 {
                    return Err(failure.unknown(place, token));
                }
                counted::retrying(&failure);
            }
            // The first one may still have taken effect, whatever became of the second.
            Err(failure) if losses > 0 => return Err(failure.unknown(place, token)),
            Err(failure) if failure.is_code(SqlState::INSUFFICIENT_PRIVILEGE.code()) => {
                return Err(Error::StoreDenied { store: place.to_string(), why: lacking(batch, &encoded) });
            }
            Err(failure) => return Err(failure.named(place)),
        }
    }
    if losses > 0 {
        return Err(Failure::Lost("others came in between, over and over".to_owned()).unknown(place, token));
    }
    Err(Error::Busy { store: place.to_string() })
}

impl Way<'_> {
    async fn once(
        &self,
        session: &Asking,
        batch: &Batch,
        encoded: &Encoded<'_>,
        token: Option<&[u8]>,
    ) -> Result<Commit, Failure> {
        if self.commits == Commits::Transaction {
            return transaction::apply(session, self.settings, batch, encoded, token).await;
        }
        let rows = call::apply(session, self.statements, encoded, token).await?;
        let senseless = || Error::Corrupt { what: "an answer of the store".to_owned() };
        match rows.first().and_then(rows::refused).ok_or_else(senseless)? {
            None => Ok(Commit::Applied),
            Some((expectation, Some(found))) => Ok(Commit::Refused { expectation, found }),
            // The row that stands there is nobody's.
            Some((expectation, None)) => {
                let what =
                    batch.expectations.get(expectation).map_or_else(|| "an answer of the store".to_owned(), told);
                Err(Error::Corrupt { what }.into())
            }
        }
    }

    /// Whether the first attempt took effect; if not, it never will.
    async fn settle(&self, session: &Asking, batch: &Batch, token: Option<&[u8]>) -> Result<bool, Failure> {
        let (Some(event), Some(token)) = (batch.events.first(), token) else { return Ok(false) };
        self.outcome(session, &event.org, token).await
    }

    /// Whether the commit with this token took effect; if not, it never will.
    pub(crate) async fn outcome(&self, session: &Asking, org: &Part, signed: &[u8]) -> Result<bool, Failure> {
        match self.commits {
            Commits::Function => more::outcome(session, self.statements, org, signed).await,
            Commits::Transaction => transaction::outcome(session, self.settings, org.as_str(), signed).await,
        }
    }

    /// Records uses. False where that would have meant to wait.
    pub(crate) async fn touch(
        &self,
        session: &Asking,
        org: &Part,
        keyring: KeyringStamp,
        uses: &[UsageRecord],
    ) -> Result<bool, Failure> {
        match self.commits {
            Commits::Function => more::touch(session, self.statements, org, keyring, uses).await,
            Commits::Transaction => transaction::touch(session, self.settings, org, keyring, uses).await,
        }
    }

    /// What stands under each key of an org.
    pub(crate) async fn key_uses(&self, session: &Asking, org: &Part) -> Result<BTreeMap<KeyId, u64>, Failure> {
        let rows = match self.commits {
            Commits::Function => more::key_uses(session, self.statements, org).await?,
            Commits::Transaction => transaction::key_uses(session, self.settings, org).await?,
        };
        let corrupt = || Error::Corrupt { what: format!("a secret of org {org}") };
        Ok(rows.iter().map(|row| rows::of(row).key_use().ok_or_else(corrupt)).collect::<Result<_>>()?)
    }
}

/// What its user would have to be, to do this.
fn lacking(batch: &Batch, encoded: &Encoded<'_>) -> String {
    let first_keyring = batch.expectations.iter().any(|expect| matches!(expect, Expect::Keyring(_, None)));
    let keyring = batch.changes.iter().any(|change| matches!(change, Change::Keyring(_)));
    let sealed_anew = encoded.changes.iter().any(Changed::is_sealed_anew);
    let role = if sealed_anew || keyring && !first_keyring { StoreRole::Rotator } else { StoreRole::Writer };
    let orgs: Vec<_> = encoded.orgs.keys().copied().collect();
    let orgs = orgs.join(", ");
    format!(
        "does not allow its user to do this: it takes the role {role} in {orgs}, which `secretkit store grant` gives"
    )
}

/// What an expectation is about.
pub(crate) fn told(expect: &Expect) -> String {
    match expect {
        Expect::Absent(id) => id.to_string(),
        Expect::Generation(_, id, _) | Expect::Exists(_, id) | Expect::NoConsumers(_, id) => {
            format!("the secret with id {id}")
        }
        Expect::ConsumerSeen(_, id, ..) => format!("a consumer of the secret with id {id}"),
        Expect::Keyring(org, _) => format!("the keyring of org {org}"),
        Expect::Lane(org, ..) => format!("an event of org {org}"),
        Expect::KeyUnused(org, _) | Expect::NoSecrets(org) => format!("a secret of org {org}"),
    }
}

/// Of one batch.
const MOST_ATTEMPTS: usize = 6;
