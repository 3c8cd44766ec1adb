//! Reads everything that a store tells, and checks what must hold of any store.

use std::path::Path;
use std::time::{Duration, Instant};

use secretkit_core::seal::{KeyState, KeyUse};
use secretkit_core::store::Within;
use secretkit_core::{Error, Part, PartKind, PutMode, Result, Revision, SecretValue, Secrets, Verified};
use secretkit_sqlite::{Existing, SqliteStore};

use crate::home::{Home, backup_in, store_in};
use crate::model::{Expected, Keyring, Secret, State};

/// A store must be open within this time, whatever happened to it.
const REOPEN: Duration = Duration::from_secs(1);

/// Checks a store after a disaster. Returns how long it took to open it, or what is wrong.
pub(crate) fn check(home: &Home, directory: &Path, expected: &Expected) -> std::result::Result<Duration, String> {
    let started = Instant::now();
    let opened = SqliteStore::open(&store_in(directory));
    let (mut seen, took) = match opened {
        Ok(store) => {
            let secrets = home.secrets(store, 0);
            let orgs = secrets.keys().orgs().map_err(|error| format!("it does not read: {error}"))?;
            let took = started.elapsed();
            drop(orgs);
            (state(&secrets, home).map_err(|error| format!("a record does not open: {error}"))?, took)
        }
        Err(Error::NoStore { .. }) => (State::default(), started.elapsed()),
        Err(error) => return Err(format!("it does not open: {error}")),
    };
    if took > REOPEN {
        return Err(format!("it took {took:?} to open it"));
    }
    seen.backup = backup(home, directory)?;
    let states = expected.states();
    if !states.iter().any(|state| state.allows(&seen)) {
        let under_way = expected.under_way().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let differences = states.iter().map(|state| difference(state, &seen)).min_by_key(String::len);
        return Err(format!("with {under_way} under way: {}", differences.unwrap_or_default()));
    }
    is_of_use(home, directory)?;
    is_intact(directory)?;
    misses_a_row(home, directory)?;
    Ok(took)
}

/// What the backup holds, which must be whole where there is one.
fn backup(home: &Home, directory: &Path) -> std::result::Result<Option<Box<State>>, String> {
    let path = backup_in(directory);
    if !path.exists() {
        return Ok(None);
    }
    let read = || {
        let store = SqliteStore::open(&path)?;
        let found = store.examine()?;
        if !found.is_empty() {
            return Err(Error::Corrupt { what: found.join(", ") });
        }
        state(&home.secrets(store, 0), home)
    };
    read().map(|state| Some(Box::new(state))).map_err(|error| format!("the backup: {error}"))
}

/// What differs, without the values.
fn difference(expected: &State, seen: &State) -> String {
    let mut text = String::new();
    if expected.exists && !seen.exists {
        text.push_str("the store is gone; ");
    }
    let lines = |state: &State| -> Vec<String> {
        let secrets = state.secrets.iter().map(|(address, secret)| {
            let Secret { generation, values, description, consumers } = secret;
            let lengths: Vec<_> = values.iter().map(|(at, value)| (*at, value.len())).collect();
            format!("{address} at generation {generation}: {lengths:?} {description:?} {consumers:?}")
        });
        let keyrings = state.keyrings.iter().map(|(org, keyring)| format!("the keyring of {org}: {keyring:?}"));
        let backup = state.backup.iter().map(|backup| format!("a backup of {} secrets", backup.secrets.len()));
        secrets.chain(keyrings).chain(backup).collect()
    };
    let (expected, seen) = (lines(expected), lines(seen));
    for line in expected.iter().filter(|line| !seen.contains(line)) {
        text.push_str(&format!("expected {line}; "));
    }
    for line in seen.iter().filter(|line| !expected.contains(line)) {
        text.push_str(&format!("found {line}; "));
    }
    if text.is_empty() { "a value differs".to_owned() } else { text }
}

/// All that the store tells. Every record is opened, and every event checked.
pub(crate) fn state(secrets: &Secrets, home: &Home) -> Result<State> {
    let mut state = State { exists: true, ..State::default() };
    for (org, _) in secrets.keys().orgs()? {
        let status = secrets.keys().status(&org)?;
        let keyring = Keyring {
            version: status.version,
            root: home.number_of(&status.root_key),
            keys: status.keys.iter().map(|(info, _)| (info.used_for, info.state)).collect(),
            reencrypted: status
                .keys
                .iter()
                .all(|(info, items)| *items == 0 || info.state == KeyState::Primary || info.used_for == KeyUse::Audit),
        };
        state.keyrings.insert(org.as_str().to_owned(), keyring);
        for page in secrets.list(Within::Org(org.clone()), 50) {
            for info in page? {
                state.secrets.insert(info.address.to_string(), secret(secrets, &info.address)?);
            }
        }
        verified(secrets, &org)?;
    }
    Ok(state)
}

fn secret(secrets: &Secrets, address: &secretkit_core::SecretId) -> Result<Secret> {
    let current = secrets.get(address)?;
    let info = current.info;
    let mut values = std::collections::BTreeMap::new();
    // A superseded value that is gone is an error by itself; so the revisions are dense.
    for number in info.first_revision.number()..=info.revision.number() {
        let revision = Revision::new(number).unwrap_or(Revision::FIRST);
        let value = secrets.get_revision(address, revision)?.value;
        values.insert(number, value.expose_secret().to_vec());
    }
    if values.last_key_value().map(|(_, value)| value.as_slice()) != Some(current.value.expose_secret()) {
        return Err(Error::Corrupt { what: format!("{address}: two reads of one value differ") });
    }
    let consumers = secrets.consumers(address)?.iter().map(|consumer| consumer.name.as_str().to_owned()).collect();
    let description = info.metadata.description.as_ref().map_or("", |text| text.as_str()).to_owned();
    Ok(Secret { generation: info.generation.number(), values, description, consumers })
}

/// What `verify` says of an org.
fn verified(secrets: &Secrets, org: &Part) -> Result<()> {
    for verified in secrets.verify(org) {
        if let Some(Verified::Wrong(finding)) = verified?.into_iter().find(|told| matches!(told, Verified::Wrong(_))) {
            return Err(Error::Corrupt { what: format!("verify finds: {finding}") });
        }
    }
    Ok(())
}

/// Whether it can be written and read again.
fn is_of_use(home: &Home, directory: &Path) -> std::result::Result<(), String> {
    let unusable = |error: Error| format!("it is of no use: {error}");
    let store = SqliteStore::create(&store_in(directory)).map_err(unusable)?;
    let secrets = home.secrets(store, 0);
    for address in ["acme:probe", "fresh:probe"] {
        let (address, value) = (address.parse().map_err(unusable)?, SecretValue::copied_from(b"probe"));
        secrets.put(&address, &value, PutMode::Create).map_err(unusable)?;
        let read = secrets.get(&address).map_err(unusable)?;
        if read.value.expose_secret() != b"probe" {
            return Err("it does not return what was just written".to_owned());
        }
    }
    if left_over(directory) {
        // What a backup that was killed has left is removed by the next one.
        let store = SqliteStore::open(&store_in(directory)).map_err(unusable)?;
        store.backup(&backup_in(directory), Existing::Replace).map_err(unusable)?;
        if left_over(directory) {
            return Err("half a backup is left over for ever".to_owned());
        }
    }
    Ok(())
}

/// Whether half a backup lies there, under a name of its own.
fn left_over(directory: &Path) -> bool {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.into_iter().any(|name| name.to_string_lossy().starts_with(".secretkit-backup-"))
}

/// Takes the oldest row away behind the store's back, and looks whether `verify` misses it.
fn misses_a_row(home: &Home, directory: &Path) -> std::result::Result<(), String> {
    let take = || -> rusqlite::Result<String> {
        let raw = rusqlite::Connection::open(store_in(directory))?;
        raw.execute_batch("PRAGMA foreign_keys=OFF")?;
        raw.query_row("DELETE FROM secrets WHERE id = (SELECT min(id) FROM secrets) RETURNING org", (), |row| {
            row.get(0)
        })
    };
    let org = take().map_err(|error| format!("no row can be taken away: {error}"))?;
    let look = || -> Result<()> {
        let secrets = home.secrets(SqliteStore::open(&store_in(directory))?, 0);
        verified(&secrets, &Part::parse(PartKind::Org, &org)?)
    };
    match look() {
        Err(Error::Corrupt { .. }) => Ok(()),
        Err(error) => Err(format!("it cannot be verified: {error}")),
        Ok(()) => Err(format!("verify does not miss a row of {org}")),
    }
}

/// What SQLite says of the file.
fn is_intact(directory: &Path) -> std::result::Result<(), String> {
    let open = || -> rusqlite::Result<String> {
        rusqlite::Connection::open(store_in(directory))?.query_row("PRAGMA integrity_check", (), |row| row.get(0))
    };
    match open() {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(format!("SQLite finds: {verdict}")),
        Err(error) => Err(format!("SQLite cannot check it: {error}")),
    }
}
