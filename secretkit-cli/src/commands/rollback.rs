//! `secretkit rollback`.

use std::ffi::OsString;

use secretkit::{MetadataEdit, Revision};

use super::{Session, update};
use crate::arguments::Rollback;
use crate::failure::Stop;

pub(super) fn run(session: &Session, arguments: &Rollback) -> Result<(), Stop> {
    let secret = session.reference(arguments.name.or_id(&arguments.id)?);
    let to = revision(&arguments.to)?;
    let expected = arguments.if_generation.as_ref().map(update::generation).transpose()?;
    let secrets = session.existing()?;
    let info = secrets.rollback(secret, to, expected)?;
    session
        .console
        .notice(&format!("rolled back {} to the value of revision {to}, now revision {}", info.address, info.revision));
    update::warn_of_refusal(session, &secrets, &info, &MetadataEdit::default());
    session.print_object(&info)
}

/// A revision as a person gives it.
pub(super) fn revision(argument: &OsString) -> Result<Revision, Stop> {
    argument
        .to_str()
        .and_then(|text| text.parse().ok())
        .and_then(Revision::new)
        .ok_or_else(|| Stop::usage("a revision is a number from 1 on, as `history` prints it", None))
}
