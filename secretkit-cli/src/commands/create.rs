//! `secretkit create`, and `set` and `add`.

use secretkit::{Error, PutMode, Revision, SecretId, SecretInfo};

use super::opened::Opened;
use super::{Session, update};
use crate::arguments::Create;
use crate::failure::{Stop, arguments_for};
use crate::input;

pub(super) fn run(session: &Session, arguments: Create) -> Result<(), Stop> {
    let Create { name, value, overwrite, update_only, metadata } = arguments;
    let id = SecretId::new(session.scope.clone(), name.required()?);
    let edit = metadata.edit()?;
    if update_only {
        return update::write(session, id.into(), value, &edit, None);
    }
    let opened = match input::is_asked_for(&value) && !overwrite {
        true => refused_if_there(session, &id)?,
        false => None,
    };
    let value = input::value(value, input::limit(&session.settings), &session.console)?;
    let secrets = match opened {
        Some(opened) => opened,
        None => session.existing_or_new()?,
    };
    let mode = if overwrite { PutMode::Overwrite } else { PutMode::Create };
    let info = secrets.put_with(&id, &value, mode, &edit)?;
    update::warn_of_consumers(session, &secrets, &info, &edit);
    if info.revision != Revision::FIRST {
        session.wrote("updated", &info)?;
        update::warn_of_refusal(session, &secrets, &info, &edit);
        return Ok(());
    }
    session.wrote("created", &info)?;
    advise_expiry(session, &info);
    Ok(())
}

/// Nobody types a value that cannot be stored. What somebody else makes meanwhile is met by the commit. The store is
/// the one that is written to: a passphrase is asked for once.
fn refused_if_there(session: &Session, id: &SecretId) -> Result<Option<Opened>, Stop> {
    let secrets = match session.existing() {
        Ok(secrets) => secrets,
        // The write makes them.
        Err(Error::NoStore { .. } | Error::NoRootKey(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match secrets.info(id.clone()) {
        Ok(_) => Err(Error::AlreadyExists { id: id.clone() }.into()),
        Err(Error::NotFound { .. }) => Ok(Some(secrets)),
        Err(error) => Err(error.into()),
    }
}

/// A secret that ends by itself is one less to forget.
fn advise_expiry(session: &Session, info: &SecretInfo) {
    if info.metadata.expires_at.is_none() {
        session.console.notice(&format!(
            "it never expires, and an expiry is good practice; to set one, run: secretkit update {} --expires 90d",
            arguments_for(&info.address)
        ));
    }
}
