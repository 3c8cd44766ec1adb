//! `secretkit create`, and `set` and `add`.

use secretkit::{PutMode, Revision, SecretId};

use super::{Session, update};
use crate::arguments::Create;
use crate::failure::Stop;
use crate::input;

pub(super) fn run(session: &Session, arguments: Create) -> Result<(), Stop> {
    let Create { name, value, overwrite, update_only } = arguments;
    let id = SecretId::new(session.scope.clone(), name.required()?);
    let value = input::value(value, &session.console)?;
    if update_only {
        return update::by_name(session, &id, &value, None);
    }
    let (secrets, created) = session.settings.open_or_create()?;
    session.announce(&created);
    let mode = if overwrite { PutMode::Overwrite } else { PutMode::Create };
    let info = secrets.put(&id, &value, mode)?;
    session.wrote(if info.revision == Revision::FIRST { "created" } else { "updated" }, &info)
}
