//! `secretkit delete`.

use secretkit::{Error, ErrorKind, SecretInfo, SecretRef, Secrets};

use super::Session;
use crate::arguments::Delete;
use crate::failure::Stop;
use crate::terminal;
use crate::times;
use crate::visible;

pub(super) fn run(session: &Session, arguments: &Delete) -> Result<(), Stop> {
    let named = arguments.name.or_id(&arguments.id)?;
    let agreed = session.global.agreed()?;
    if !agreed && !terminal::is_there() {
        let hint = "give --yes to delete without being asked".to_owned();
        return Err(Stop::usage("delete asks first, and there is no terminal to ask at", hint));
    }
    let secrets = session.existing()?;
    let secret = session.reference(named);
    let secret = if agreed { secret } else { confirmed(&secrets, secret)? };
    // Whoever has become a consumer since the question was asked is met here.
    let info = secrets.delete(secret)?;
    session.wrote("deleted", &info)
}

/// Asks, unless the answer could change nothing. What comes back is named by its id: what was made at this address
/// since the question was asked is another secret.
fn confirmed(secrets: &Secrets, secret: SecretRef) -> Result<SecretRef, Stop> {
    let info = secrets.info(secret)?;
    let secret = SecretRef::from((info.address.org(), info.id));
    let consumers = secrets.consumers(secret.clone())?;
    if !consumers.is_empty() {
        let consumers = consumers.into_iter().map(|consumer| consumer.name).collect();
        return Err(Error::InUse { id: info.address.clone(), consumers }.into());
    }
    let lately = match info.last_used() {
        Some(used) => format!("last used {} by {}", times::ago(secrets.clock().now(), used.at), used.by),
        None => "no use is recorded".to_owned(),
    };
    let question = format!("Delete {} with its {} ({lately})? [y/N] ", info.address, revisions(&info));
    if !terminal::confirm(&visible::escaped(&question))? {
        return Err(Stop::failed(ErrorKind::Other, "not deleted: the answer was not yes", None));
    }
    Ok(secret)
}

/// How many revisions are kept, the current one among them: the oldest may have been dropped.
fn revisions(info: &SecretInfo) -> String {
    match info.revision.number() - info.first_revision.number() + 1 {
        1 => "1 revision".to_owned(),
        several => format!("{several} revisions"),
    }
}
