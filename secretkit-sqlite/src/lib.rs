//! The SQLite store of secretkit: one file on a local disk, any number of threads and processes.
//!
//! You are probably looking for the `secretkit` crate, which opens this store by URL. This crate is separate because
//! it compiles SQLite, which whoever only wants the vocabulary or another store need not do.
//!
//! ```
//! use std::sync::Arc;
//! use secretkit_core::{Access, PutMode, RootKey, SecretValue, Secrets};
//! use secretkit_sqlite::SqliteStore;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("secrets.db");
//! let store = Arc::new(SqliteStore::create(&path)?);
//! let secrets = Secrets::new(store, Arc::new(RootKey::generate()?), Access::Unrestricted);
//! secrets.put(&"acme:token".parse()?, &SecretValue::copied_from(b"t0k3n"), PutMode::Create)?;
//! assert_eq!(secrets.get(&"acme:token".parse()?)?.value.expose_secret(), b"t0k3n");
//! # Ok(())
//! # }
//! ```
//!
//! What it promises beyond the contract of [`SecretStore`](secretkit_core::SecretStore):
//! - A commit that was acknowledged survives a kill and a power cut (`synchronous=FULL` on a write-ahead log).
//! - Writers queue for up to five seconds and never fail for having met; readers never wait for writers.
//! - A process may fork while it has the store open, and both sides go on.
//! - The file is 0600 and stays so. A file, directory or file system that is not safe is refused with the remedy.
//! - A file made by somebody else is judged before it is used: its schema must be ours to the letter.
//!
//! The modules below stand in the order in which a call goes through them.

#![deny(unsafe_code)]

mod store;

mod fork;

mod connection;
mod connections;
mod place;
mod schema;
mod watch;
mod way;

mod backup;
mod commit;
mod events;
mod fetch;
mod keyring;
mod list;
mod usage;

mod rows;
mod walk;

mod error;

// The public interface is:
pub use secretkit_files::Existing;
pub use store::SqliteStore;
