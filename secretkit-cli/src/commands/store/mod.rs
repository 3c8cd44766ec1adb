//! `secretkit store`.

mod copy;

use super::Session;
use crate::arguments::Store;
use crate::failure::Stop;

pub(super) fn run(session: &Session, command: Store) -> Result<(), Stop> {
    match command {
        Store::Copy(arguments) => copy::run(session, &arguments),
    }
}
