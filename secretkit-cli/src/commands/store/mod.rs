//! `secretkit store`.

mod copy;
mod roles;
mod tables;

use super::Session;
use crate::arguments::Store;
use crate::failure::Stop;

pub(super) fn run(session: &Session, command: Store) -> Result<(), Stop> {
    match command {
        Store::Copy(arguments) => copy::run(session, &arguments),
        Store::Status => tables::status(session),
        Store::Migrate => tables::migrate(session),
        Store::Grant(arguments) => roles::grant(session, &arguments),
        Store::Revoke(arguments) => roles::revoke(session, &arguments),
        Store::Grants => roles::list(session),
        Store::Roles(arguments) => roles::print(session, &arguments),
    }
}
