//! `secretkit key`.

mod destroy;
mod reencrypt;
mod rotate;
mod status;

use std::ffi::OsString;
use std::io::Write;

use secretkit::seal::{KeyId, KeyInfo, KeyState, KeyUse};
use secretkit::{ErrorKind, KeyStatus, Part, Secrets};
use serde::Serialize;

use super::Session;
use super::orgs::seen_in_part;
use crate::arguments::{AddKey, Key, OneKey};
use crate::console::{self, Format};
use crate::failure::Stop;
use status::KeyObject;

pub(super) use reencrypt::number_of_secrets;
pub(super) use status::{Due, Keyring};

pub(super) fn run(session: &Session, command: Key) -> Result<(), Stop> {
    match command {
        Key::Status => status::run(session),
        Key::Rewrap => rewrap(session),
        Key::Rotate(arguments) => rotate::run(session, &arguments),
        Key::Add(arguments) => add(session, &arguments),
        Key::Promote(arguments) => promote(session, &arguments),
        Key::Reencrypt(arguments) => reencrypt::run(session, &arguments),
        Key::Retire(arguments) => retire(session, &arguments),
        Key::Destroy(arguments) => destroy::run(session, &arguments),
    }
}

fn rewrap(session: &Session) -> Result<(), Stop> {
    if session.org()?.is_some_and(|_| session.global.names_org()) {
        let hint = "leave --org out; orgs with a root key of their own keep that, and it is to be given with --org-key"
            .to_owned();
        return Err(Stop::usage("rewrap is about all orgs at once", hint));
    }
    let secrets = session.existing()?;
    let is_all = secrets.store().sees_all_orgs()?;
    let count = secrets.keys().rewrap()?;
    session.console.notice(&match count {
        1 => "wrapped the keys of 1 org with the root key of today".to_owned(),
        count => format!("wrapped the keys of {count} orgs with the root key of today"),
    });
    if !is_all {
        let warning = format!(
            "{}: others may still need the root key of before; run it as the owner of the tables, too",
            seen_in_part(&secrets)
        );
        session.console.warning(&warning);
    } else if count > 0 {
        session.console.notice(
            "the root key of before is needed for backups only, once every process has the one of today; where \
             somebody may have had it together with the store, run: secretkit key rotate",
        );
    }
    print_if_json(session, &serde_json::json!({ "orgs": count }))
}

fn add(session: &Session, arguments: &AddKey) -> Result<(), Stop> {
    let used_for = use_of_key(&arguments.used_for)?;
    let secrets = session.existing()?;
    let org = session.keys_of_org(&secrets)?.org;
    let key = secrets.keys().add(&org, used_for)?;
    session.console.notice(&format!(
        "added a {used_for} key to org {org}, pending; to use it, run: secretkit key promote {} --org {org}",
        short(key.id)
    ));
    if session.console.format == Format::Table {
        // For whoever goes on with it in a script.
        let line = format!("{}\n", key.id);
        return console::standard_output()?.write_all(line.as_bytes()).map_err(Stop::output);
    }
    print_key(session, &secrets, &org, key.id)
}

fn promote(session: &Session, arguments: &OneKey) -> Result<(), Stop> {
    let secrets = session.existing()?;
    let status = session.keys_of_org(&secrets)?;
    let (key, org) = (find(&status, &arguments.key_id)?, &status.org);
    secrets.keys().promote(org, key.id)?;
    session.console.notice(&format!("the {} key {} of org {org} is written with from now on", key.used_for, key.id));
    if let Some(before) = status.in_state(key.used_for, KeyState::Primary).next() {
        session.console.notice(&format!(
            "{} only opens from now on; to write anew what is under it, run: secretkit key reencrypt --org {org}",
            before.id
        ));
    }
    print_key(session, &secrets, org, key.id)
}

fn retire(session: &Session, arguments: &OneKey) -> Result<(), Stop> {
    let secrets = session.existing()?;
    let status = session.keys_of_org(&secrets)?;
    let (key, org) = (find(&status, &arguments.key_id)?, &status.org);
    secrets.keys().retire(org, key.id)?;
    session.console.notice(&retired(key, org));
    print_key(session, &secrets, org, key.id)
}

fn retired(key: &KeyInfo, org: &Part) -> String {
    let command = status::destroying(key.id, org);
    format!(
        "retired the {} key {} of org {org}; once no backup needs it, run: secretkit {command}",
        key.used_for, key.id
    )
}

/// The key of an org whose id this is, or begins with it.
///
/// # Errors
/// `usage` for what can be no id, and where several begin so; `not_found`.
fn find<'a>(status: &'a KeyStatus, argument: &OsString) -> Result<&'a KeyInfo, Stop> {
    let hint = || format!("`secretkit key status --org {}` prints the ids", status.org);
    let prefix = argument
        .to_str()
        .map(str::to_ascii_lowercase)
        .filter(|text| (SHORT..=LONG).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .ok_or_else(|| Stop::usage("a key is named by its 32 digits of 0-9 and a-f, or the first 8 or more", hint()))?;
    let mut found = status.keys.iter().map(|(info, _)| info).filter(|info| info.id.to_string().starts_with(&prefix));
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(Stop::usage("the ids of several keys begin like that; give more of it", hint())),
        (None, _) => {
            let message = format!("not found: no key of org {} has an id that begins like that", status.org);
            Err(Stop::failed(ErrorKind::NotFound, message, hint()))
        }
    }
}

/// Digits of an id, and of its shortest form.
const LONG: usize = 32;
const SHORT: usize = 8;

fn short(key: KeyId) -> String {
    key.to_string().chars().take(SHORT).collect()
}

fn use_of_key(argument: &OsString) -> Result<KeyUse, Stop> {
    let named = KeyUse::ALL.into_iter().find(|used_for| argument == used_for.as_str());
    named.ok_or_else(|| Stop::usage("--use takes data, meta, digest or audit", None))
}

/// A number of things that is at least 1.
fn count(argument: &OsString, option: &str) -> Result<u32, Stop> {
    let number = argument.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    number.ok_or_else(|| Stop::usage(format!("{option} takes a whole number from 1 on"), None))
}

/// Prints the key as it is now, where data is wanted.
fn print_key(session: &Session, secrets: &Secrets, org: &Part, id: KeyId) -> Result<(), Stop> {
    if session.console.format == Format::Table {
        return Ok(());
    }
    let status = secrets.keys().status(org)?;
    let key = status.keys.iter().find(|(info, _)| info.id == id);
    print_if_json(session, &key.map(|(info, items)| KeyObject::new(info, *items)))
}

fn print_if_json(session: &Session, object: &impl Serialize) -> Result<(), Stop> {
    if session.console.format == Format::Table {
        return Ok(());
    }
    let line = serde_json::to_string(object).map_err(|error| Stop::output(error.into()))? + "\n";
    console::standard_output()?.write_all(line.as_bytes()).map_err(Stop::output)
}
