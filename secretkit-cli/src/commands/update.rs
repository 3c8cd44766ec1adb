//! `secretkit update`, and `set --update-only`.

use std::ffi::OsString;

use secretkit::{Activity, Generation, MetadataEdit, SecretInfo, SecretRef, Secrets};

use super::Session;
use crate::arguments::{Update, ValueArguments};
use crate::failure::{Stop, arguments_for};
use crate::input;
use crate::times::{State, to_the_second};

pub(super) fn run(session: &Session, arguments: Update) -> Result<(), Stop> {
    let Update { name, id, value, if_generation, metadata, removals } = arguments;
    let named = name.or_id(&id)?;
    let expected = if_generation.as_ref().map(generation).transpose()?;
    let mut edit = metadata.edit()?;
    removals.add_to(&mut edit)?;
    write(session, session.reference(named), value, &edit, expected)
}

/// Writes a value with a change of the metadata, or that change alone where it is all that is given. Where there is no
/// secret there is nothing to update, and where there is no store neither: none is made.
pub(super) fn write(
    session: &Session,
    secret: SecretRef,
    value: ValueArguments,
    edit: &MetadataEdit,
    expected: Option<Generation>,
) -> Result<(), Stop> {
    if edit.is_empty() || value.is_given() {
        let (value, secrets) = match input::is_asked_for(&value) {
            true => {
                // Nobody types a value for a secret that is not there.
                let secrets = session.existing()?;
                secrets.info(secret.clone())?;
                (input::value(value, input::limit(&session.settings), &session.console)?, secrets)
            }
            false => (input::value(value, input::limit(&session.settings), &session.console)?, session.existing()?),
        };
        let info = secrets.update_with(secret, &value, edit, expected)?;
        warn_of_consumers(session, &secrets, &info, edit);
        session.wrote("updated", &info)?;
        warn_of_refusal(session, &secrets, &info, edit);
        return Ok(());
    }
    if value.base64 || value.trim_newline || value.allow_empty {
        let hint = "give --file PATH, or -f - to read standard input".to_owned();
        return Err(Stop::usage(
            "--base64, --trim-newline and --allow-empty are about a value, and none is given",
            hint,
        ));
    }
    let secrets = session.existing()?;
    let before = secrets.info(secret.clone())?;
    let info = secrets.edit(secret, edit, expected)?;
    // Whoever came in between makes this say "updated" of what they have written; what is stored is the same.
    let what = if info.generation == before.generation { "unchanged" } else { "updated" };
    warn_of_consumers(session, &secrets, &info, edit);
    session.console.notice(&format!("{what} {}, generation {}", info.address, info.generation));
    session.print_object(&info)
}

/// Says that a new value is refused as the one before was: whoever gives an expired secret a new value may well think that
/// it works again.
pub(super) fn warn_of_refusal(session: &Session, secrets: &Secrets, info: &SecretInfo, edit: &MetadataEdit) {
    let (why, what, option) = match State::of(info, secrets.clock().now()) {
        State::Expired(at) => (format!("it expired at {}", to_the_second(at)), "set another expiry", "--expires 90d"),
        State::Inactive(since) if edit.activity.is_none() => {
            (format!("it was switched off at {}", to_the_second(since)), "switch it on", "--active")
        }
        State::Inactive(_) | State::Active | State::Until(_) => return,
    };
    session.console.warning(&format!(
        "the value is refused all the same, {why}; to {what}, run: secretkit update {} {option}",
        arguments_for(&info.address)
    ));
}

/// Says who goes on without a secret that was switched off. It is off whoever uses it, and whether or not that can be
/// told.
pub(super) fn warn_of_consumers(session: &Session, secrets: &Secrets, info: &SecretInfo, edit: &MetadataEdit) {
    if edit.activity != Some(Activity::Inactive) {
        return;
    }
    match secrets.consumers((info.address.org(), info.id)) {
        Ok(consumers) if consumers.is_empty() => {}
        Ok(consumers) => {
            let names: Vec<_> = consumers.iter().map(|consumer| consumer.name.as_str()).collect();
            session.console.warning(&format!("{} is still used by {}", info.address, names.join(", ")));
        }
        Err(error) => {
            session.console.warning(&format!("{} is off, and who uses it cannot be told: {error}", info.address));
        }
    }
}

pub(super) fn generation(argument: &OsString) -> Result<Generation, Stop> {
    argument
        .to_str()
        .and_then(|text| text.parse().ok())
        .and_then(Generation::new)
        .ok_or_else(|| Stop::usage("a generation is a number from 1 on, as `show` prints it", None))
}
