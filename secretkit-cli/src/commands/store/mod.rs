//! `secretkit store`.

mod copy;
mod tables;

use super::Session;
use crate::arguments::Store;
use crate::failure::Stop;

pub(super) fn run(session: &Session, command: Store) -> Result<(), Stop> {
    match command {
        Store::Copy(arguments) => copy::run(session, &arguments),
        Store::Status => tables::status(session),
        Store::Migrate => tables::migrate(session),
    }
}
