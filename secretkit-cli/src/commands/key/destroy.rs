//! `secretkit key destroy`: one retired key, or a whole org.

use std::ffi::OsString;

use secretkit::seal::{KeyInfo, KeyState};
use secretkit::{
    Action, Clock, Error, ErrorKind, Expiry, Fault, KeyStatus, Part, PartKind, Secrets, Span, SystemClock, Timestamp,
};

use super::reencrypt::number_of_secrets;
use super::{find, print_if_json, print_key};
use crate::arguments::DestroyKeys;
use crate::commands::Session;
use crate::commands::orgs::is_erased;
use crate::failure::Stop;
use crate::global;
use crate::metadata;
use crate::terminal;
use crate::times::to_the_second;

pub(super) fn run(session: &Session, arguments: &DestroyKeys) -> Result<(), Stop> {
    let DestroyKeys { key_id, backups_expired_before, all_keys_of_org } = arguments;
    match (key_id, backups_expired_before, all_keys_of_org) {
        (Some(key), Some(before), None) => one_key(session, key, past(before)?),
        (None, None, Some(org)) => erase(session, org),
        (Some(_), None, None) => {
            let hint =
                "give --backups-expired-before DATE: from then on every backup that still exists was made after \
                        the key was retired"
                    .to_owned();
            Err(Stop::usage("a backup from before the key was retired could never be read again", hint))
        }
        _ => {
            let hint = "give either KEY --backups-expired-before DATE, or --all-keys-of-org ORG".to_owned();
            Err(Stop::usage("what is to be destroyed is not clear", hint))
        }
    }
}

fn one_key(session: &Session, key: &OsString, before: Timestamp) -> Result<(), Stop> {
    let agreed = agreed(session)?;
    let secrets = session.existing()?;
    let status = session.keys_of_org(&secrets)?;
    let (key, org) = (find(&status, key)?, &status.org);
    if key.state == KeyState::Retired {
        let needed = needed_until(&secrets, &status, key)?;
        if before <= needed {
            let message = format!(
                "key {} of org {org} was in use up to {}: backups from then on may need it, and you said that those from \
                 before {} are gone",
                key.id,
                to_the_second(needed),
                to_the_second(before)
            );
            let hint = "wait until those backups have expired, or destroy them, and give a later date".to_owned();
            return Err(Stop::failed(ErrorKind::InUse, message, hint));
        }
        let question = format!(
            "Destroy the {} key {} of org {org} for ever? A backup that still needs it can never be read again. [y/N] ",
            key.used_for, key.id
        );
        if !agreed && !terminal::confirm(&question)? {
            return Err(Stop::failed(ErrorKind::Other, "not destroyed: the answer was not yes", None));
        }
    }
    secrets.keys().destroy(org, key.id)?;
    session.console.notice(&format!("destroyed the {} key {} of org {org}", key.used_for, key.id));
    print_key(session, &secrets, org, key.id)
}

/// Up to when something may have been under a retired key: until it was retired. Where that was not noted, it was one of the
/// changes of the keyring, perhaps the last.
fn needed_until(secrets: &Secrets, status: &KeyStatus, key: &KeyInfo) -> Result<Timestamp, Stop> {
    if let Some(at) = key.retired_at {
        return Ok(at);
    }
    let mut needed = key.created_at;
    for event in secrets.events(&status.org) {
        let event = event?;
        if event.action == Action::ChangeKeyring {
            needed = needed.max(event.at);
        }
    }
    Ok(needed)
}

fn erase(session: &Session, named: &OsString) -> Result<(), Stop> {
    let org = global::part(Some(named), PartKind::Org)?;
    let (Some(org), other) = (org, session.org()?) else { return Ok(()) };
    if session.global.names_org() && other.is_some_and(|other| other != org) {
        return Err(Stop::usage("--org and --all-keys-of-org name different orgs", None));
    }
    let agreed = agreed(session)?;
    let secrets = session.existing()?;
    session.orgs_of(&secrets, Some(&org))?;
    if is_erased(&secrets.keys().status(&org)?) {
        session.console.notice(&format!("org {org} is erased already"));
        return print_erased(session, &org, 0);
    }
    let count = number_of_secrets(&secrets, &org)?;
    let question = format!(
        "This erases org {org}: nobody can ever read its secrets again, {count} of them, or check a value against \
         them.\nTo go on, type the name of the org: "
    );
    if !agreed && terminal::answer(&question)? != org.as_str() {
        return Err(Stop::failed(ErrorKind::Other, "not erased: that was not the name of the org", None));
    }
    secrets.keys().destroy_all(&org)?;
    let secrets_gone = if count == 1 { "1 secret".to_owned() } else { format!("{count} secrets") };
    session.console.notice(&format!("erased org {org}: all its keys are destroyed, and {secrets_gone} with them"));
    session.console.notice("a backup from before can still be opened with the root key; destroy those too");
    print_erased(session, &org, count)
}

fn print_erased(session: &Session, org: &Part, count: u64) -> Result<(), Stop> {
    print_if_json(session, &serde_json::json!({ "org": org, "erased": count }))
}

fn agreed(session: &Session) -> Result<bool, Stop> {
    let agreed = session.global.agreed()?;
    if !agreed && !terminal::is_there() {
        let hint = "give --yes to destroy keys without being asked".to_owned();
        return Err(Stop::usage("key destroy asks first, and there is no terminal to ask at", hint));
    }
    Ok(agreed)
}

/// A date, which is its beginning (UTC), or a time; one that has passed.
fn past(argument: &OsString) -> Result<Timestamp, Stop> {
    let invalid = |why| Error::InvalidMetadata { field: "date", fault: Fault::Shape(why) };
    let text = metadata::plain("date", argument)?;
    let now = SystemClock.now();
    let shape = || invalid("write a date such as 2026-10-01, or a time such as 2026-10-01T18:00:00Z");
    if text.parse::<Span>().is_ok() {
        return Err(shape().into());
    }
    let at = text.parse::<Expiry>().and_then(|at| at.at(now)).map_err(|_| shape())?;
    // As an expiry, a date means the end of the day.
    let at = if text.contains(['T', 't', ' ']) { at } else { at.saturating_sub("1d".parse()?) };
    if at > now {
        return Err(invalid("it has not come yet, and so no backup from before can have expired").into());
    }
    Ok(at)
}
