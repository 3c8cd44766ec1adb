//! One server for all the tests of a process.

use std::sync::OnceLock;

use crate::address::Address;
use crate::database::Database;
use crate::environment::{self, Named, skip};
use crate::installation;
use crate::options::{Durability, Options};
use crate::server::Server;

/// The server that the tests of this process share, of our own; the first that asks starts it. It does not wait for disks.
///
/// `None`, with the reason printed, where there can be none. What one test does to it all others feel: it is for what a
/// [`Database`] does not offer and changes nothing.
#[must_use]
pub fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let start = || Options::new().max_connections(400).durability(Durability::Relaxed).start();
    SHARED.get_or_init(start).as_ref()
}

/// A fresh database on the shared server, or on the one that `SECRETKIT_TEST_POSTGRES` names.
///
/// `None`, with the reason printed, where there can be none.
///
/// # Panics
///
/// If the server that is named cannot be used.
#[must_use]
pub fn database() -> Option<Database> {
    match environment::named() {
        Named::Off => {
            skip(&format!("{} is `off`", environment::SERVER));
            None
        }
        Named::Nothing => match shared() {
            Some(server) => Some(server.database()),
            // The one that started it printed why; this one is another test.
            None => {
                skip("there is no server to share, as said before");
                None
            }
        },
        Named::Server(url) => {
            let address = Address::parse(&url)
                .unwrap_or_else(|| panic!("{} is no URL of PostgreSQL: {url}", environment::SERVER));
            Some(Database::new(installation::client(), address.clone(), address, ""))
        }
    }
}
