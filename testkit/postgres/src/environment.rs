//! What a person may say about the servers of the tests, and what the tests say back.

use std::io::Write as _;
use std::path::PathBuf;

/// A server to use in place of our own, as a URL of somebody who may create databases and roles; `off` for none at all.
pub(crate) const SERVER: &str = "SECRETKIT_TEST_POSTGRES";
/// A directory with the programs of another version of PostgreSQL, to start servers of that one.
pub(crate) const PROGRAMS: &str = "SECRETKIT_TEST_POSTGRES_BIN";

/// A PgBouncer, for what is tried through one.
pub(crate) const POOLER: &str = "SECRETKIT_TEST_PGBOUNCER";

/// What [`SERVER`] says.
pub(crate) enum Named {
    Nothing,
    Off,
    Server(String),
}

pub(crate) fn named() -> Named {
    match std::env::var(SERVER) {
        Ok(text) if text == "off" => Named::Off,
        Ok(text) if !text.is_empty() => Named::Server(text),
        _ => Named::Nothing,
    }
}

pub(crate) fn programs() -> Option<PathBuf> {
    std::env::var_os(PROGRAMS).filter(|text| !text.is_empty()).map(PathBuf::from)
}

pub(crate) fn pooler() -> Option<PathBuf> {
    std::env::var_os(POOLER).filter(|text| !text.is_empty()).map(PathBuf::from)
}

/// Says that a test is skipped, and why. Not by `eprintln!`, which the test harness keeps to itself when the test passes.
pub fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // As one piece, since others write, too.
    let _ = std::io::stderr().write_all(format!("\nSKIPPED {test}: {reason}\n").as_bytes());
}
