//! The PostgreSQL store of secretkit: one schema of a database, any number of machines.
//!
//! You are probably looking for the `secretkit` crate, which opens this store by URL. This crate is separate because it
//! brings a network client, which whoever only wants the vocabulary or another store need not build.
//!
//! ```no_run
//! use std::sync::Arc;
//! use secretkit_core::{Access, PutMode, RootKey, SecretValue, Secrets};
//! use secretkit_postgres::PostgresStore;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(PostgresStore::create(&"postgres://app@db.example/secrets".parse()?)?);
//! let secrets = Secrets::new(store, Arc::new(RootKey::generate()?), Access::Unrestricted);
//! secrets.put(&"acme:token".parse()?, &SecretValue::copied_from(b"t0k3n"), PutMode::Create)?;
//! # Ok(())
//! # }
//! ```
//!
//! What it promises beyond the contract of [`SecretStore`](secretkit_core::SecretStore):
//! - A fetch is one round trip, whatever is wanted. So is a commit, where the server can do with functions what it needs; where
//!   it cannot, it is three, see [`Commits`].
//! - A commit that was acknowledged survives a crash of the server, and one whose answer was lost is found by its token.
//! - Nothing waits for ever: each call ends within its time-outs, with an error that says why.
//! - A process may fork while it has the store open, and both sides go on.
//! - What people choose reaches the server as parameters and never as part of a statement; the schema's name is quoted.
//! - No text of the server's reaches an error, and no password reaches anything.
//!
//! The modules below stand in the order in which a call goes through them.

#![forbid(unsafe_code)]

mod store;

mod schema;
mod settings;
mod url;

mod connect;
mod counted;
mod engines;
mod runtime;
mod session;
mod spin;
mod talk;
mod tls;
mod wire;

mod asked;
mod hearing;
mod listening;
mod said;

mod layout;
mod migrations;
mod product;
mod roles;
mod statements;

mod batch;
mod call;
mod calls;
mod commit;
mod transaction;

mod fetch;
mod more;

mod rows;

mod examine;

mod error;

// The public interface is:
pub use counted::describe;
pub use examine::examine;
pub use layout::Commits;
pub use migrations::{Status, migrate, status};
pub use roles::{StoreGrant, StoreRole, grant, grants, revoke, roles_sql};
pub use store::PostgresStore;
pub use url::PostgresUrl;
