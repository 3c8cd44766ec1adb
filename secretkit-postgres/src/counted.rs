//! What the host's own monitoring hears of connections, waits and second attempts. No value, no name and no text of an
//! error is among it, and nobody is spoken to where the host listens to nothing.

use std::time::Instant;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use secretkit_core::Result;
use tracing::{debug, warn};

use crate::error::Failure;

const MADE: &str = "secretkit_postgres_connections_made_total";
const OPEN: &str = "secretkit_postgres_connections_open";
const IN_USE: &str = "secretkit_postgres_connections_in_use";
const TAKEN: &str = "secretkit_postgres_pool_taken_total";
const WAITED: &str = "secretkit_postgres_pool_wait_seconds";
const RETRIES: &str = "secretkit_postgres_retries_total";
const UNKNOWN: &str = "secretkit_postgres_outcome_unknown_total";

/// Tells the installed recorder what the names of this store's metrics mean. Call it once, after the recorder is installed.
///
/// | name | what | labels |
/// |---|---|---|
/// | `secretkit_postgres_connections_made_total` | counter of attempts to connect | `outcome`: `ok` or the kind of error |
/// | `secretkit_postgres_connections_open` | gauge of connections that are open | |
/// | `secretkit_postgres_connections_in_use` | gauge of those that work now | |
/// | `secretkit_postgres_pool_taken_total` | counter of calls that asked the pool for a connection | `outcome`: `ok`, `crowded` (all were in use all the time), `failed` |
/// | `secretkit_postgres_pool_wait_seconds` | histogram of how long they waited for it | |
/// | `secretkit_postgres_retries_total` | counter of second attempts | `why`: `lost`, `stale`, `conflict`, `misfit` |
/// | `secretkit_postgres_outcome_unknown_total` | counter of commits of which nobody knows whether they took effect | |
///
/// They are those of all stores that a process has open. Of each connection there is an event at level `DEBUG`, of each that
/// could not be made, of a crowded pool and of each unknown outcome one at `WARN`.
pub fn describe() {
    describe_counter!(MADE, Unit::Count, "Attempts to connect to the PostgreSQL server of a secret store");
    describe_gauge!(OPEN, Unit::Count, "Connections to PostgreSQL servers of secret stores that are open");
    describe_gauge!(IN_USE, Unit::Count, "Connections to PostgreSQL servers of secret stores that work now");
    describe_counter!(TAKEN, Unit::Count, "Calls that asked the pool of a secret store for a connection");
    describe_histogram!(WAITED, Unit::Seconds, "How long calls waited for a connection of the pool");
    describe_counter!(RETRIES, Unit::Count, "Second attempts of calls to a secret store");
    describe_counter!(UNKNOWN, Unit::Count, "Commits of which nobody knows whether they took effect");
}

/// A connection that is open, until this is dropped.
pub(crate) struct Open(());

impl Open {
    pub(crate) fn new() -> Self {
        gauge!(OPEN).increment(1.0);
        Self(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!(OPEN).decrement(1.0);
    }
}

/// A connection that works, until this is dropped.
pub(crate) struct InUse(());

impl InUse {
    pub(crate) fn new() -> Self {
        gauge!(IN_USE).increment(1.0);
        Self(())
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        gauge!(IN_USE).decrement(1.0);
    }
}

/// An attempt to connect has come to its end.
pub(crate) fn connecting<T>(begun: Instant, outcome: &Result<T>) {
    let took = begun.elapsed();
    match outcome {
        Ok(_) => {
            counter!(MADE, "outcome" => "ok").increment(1);
            debug!(seconds = took.as_secs_f64(), "connected to the secret store's server");
        }
        Err(error) => {
            let kind = error.kind().as_str();
            counter!(MADE, "outcome" => kind).increment(1);
            // The kind alone: the text of the error names the server.
            warn!(kind, seconds = took.as_secs_f64(), "the secret store's server could not be connected to");
        }
    }
}

/// A call has got its connection from the pool, or has not.
pub(crate) fn taking<T>(begun: Instant, outcome: &Result<T, Failure>) {
    let waited = begun.elapsed().as_secs_f64();
    let name = match outcome {
        Ok(_) => "ok",
        Err(Failure::Crowded) => {
            warn!(seconds = waited, "all connections to the secret store's server were in use");
            "crowded"
        }
        Err(_) => "failed",
    };
    counter!(TAKEN, "outcome" => name).increment(1);
    histogram!(WAITED).record(waited);
}

/// Something is tried once more because of this.
pub(crate) fn retrying(failure: &Failure) {
    let why = match failure {
        Failure::Lost(_) | Failure::Silent => "lost",
        Failure::Stale(_) => "stale",
        failure if failure.is_harmless() => "conflict",
        _ => "misfit",
    };
    counter!(RETRIES, "why" => why).increment(1);
    debug!(why, "a call to the secret store is made once more");
}

/// Nobody knows what became of a commit.
pub(crate) fn unknown() {
    counter!(UNKNOWN).increment(1);
    warn!("it is not known whether a commit to the secret store took effect; its token tells later");
}
