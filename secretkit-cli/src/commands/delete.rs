//! `secretkit delete`.

use secretkit::{ErrorKind, SecretId, SecretInfo};

use super::{Named, Session};
use crate::arguments::Delete;
use crate::failure::Stop;
use crate::terminal;

pub(super) fn run(session: &Session, arguments: &Delete) -> Result<(), Stop> {
    let named = arguments.name.or_id(&arguments.id)?;
    let agreed = session.global.agreed()?;
    if !agreed && !terminal::is_there() {
        let hint = "give --yes to delete without being asked".to_owned();
        return Err(Stop::usage("delete asks first, and there is no terminal to ask at", hint));
    }
    let secrets = session.settings.open_existing()?;
    let org = session.scope.org();
    let info = match named {
        Named::Name(name) if agreed => secrets.delete(&SecretId::new(session.scope.clone(), name))?,
        Named::Id(id) if agreed => secrets.delete((org, id))?,
        named => {
            let info = match named {
                Named::Name(name) => secrets.info(&SecretId::new(session.scope.clone(), name))?,
                Named::Id(id) => secrets.info((org, id))?,
            };
            let question = format!("Delete {} with its {}? [y/N] ", info.address, revisions(&info));
            if !terminal::confirm(&question)? {
                return Err(Stop::failed(ErrorKind::Other, "not deleted: the answer was not yes", None));
            }
            // By its id: what was made at this address since the question was asked is another secret.
            secrets.delete((org, info.id))?
        }
    };
    session.wrote("deleted", &info)
}

/// How many revisions are kept, the current one among them: the oldest may have been dropped.
fn revisions(info: &SecretInfo) -> String {
    match info.revision.number() - info.first_revision.number() + 1 {
        1 => "1 revision".to_owned(),
        several => format!("{several} revisions"),
    }
}
