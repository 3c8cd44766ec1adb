//! `secretkit update`, and `set --update-only`.

use std::ffi::OsString;

use secretkit::{Generation, MetadataEdit, PutMode, SecretId, SecretValue};

use super::{Named, Session};
use crate::arguments::Update;
use crate::failure::Stop;
use crate::input;

pub(super) fn run(session: &Session, arguments: Update) -> Result<(), Stop> {
    let Update { name, id, value, if_generation } = arguments;
    let named = name.or_id(&id)?;
    let expected = if_generation.as_ref().map(generation).transpose()?;
    let value = input::value(value, &session.console)?;
    match named {
        Named::Name(name) => by_name(session, &SecretId::new(session.scope.clone(), name), &value, expected),
        Named::Id(id) => {
            let secrets = session.settings.open_existing()?;
            let info = secrets.update_with((session.scope.org(), id), &value, &MetadataEdit::default(), expected)?;
            session.wrote("updated", &info)
        }
    }
}

/// Where there is no secret there is nothing to update, and where there is no store neither: none is made.
pub(super) fn by_name(
    session: &Session,
    id: &SecretId,
    value: &SecretValue,
    expected: Option<Generation>,
) -> Result<(), Stop> {
    let secrets = session.settings.open_existing()?;
    let info = match expected {
        Some(generation) => secrets.put(id, value, PutMode::Update(generation))?,
        None => secrets.update(id, value)?,
    };
    session.wrote("updated", &info)
}

/// A generation as a person gives it.
pub(super) fn generation(argument: &OsString) -> Result<Generation, Stop> {
    argument
        .to_str()
        .and_then(|text| text.parse().ok())
        .and_then(Generation::new)
        .ok_or_else(|| Stop::usage("a generation is a number from 1 on, as `show` prints it", None))
}
