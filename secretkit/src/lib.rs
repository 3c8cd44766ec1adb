//! Secrets for applications and pipelines, without a server.
//!
//! This is the crate to depend on: it has the vocabulary and the façade of [`secretkit_core`], the SQLite and the
//! PostgreSQL store, and it opens both a store and a root key by URL.
//!
//! ```
//! use secretkit::{PutMode, SecretRequest, SecretValue};
//!
//! # fn main() -> secretkit::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let (store, key) = (folder.path().join("secrets.db"), folder.path().join("root.key"));
//! # secretkit::create_root_key(&key)?;
//! # let (store, key) = (&*format!("sqlite:{}", store.display()), &*format!("file:{}", key.display()));
//! // store = "sqlite:/var/lib/app/secrets.db", key = "file:/etc/app/root.key"
//! let secrets = secretkit::open(store, key)?;
//! secrets.put(&"acme/etl:db/password".parse()?, &SecretValue::copied_from(b"hunter2"), PutMode::Create)?;
//!
//! let task = "acme/etl/production".parse()?;
//! let found = secrets.resolve(&task, &SecretRequest::new("db/password".parse()?))?;
//! assert_eq!(found.value.expose_secret(), b"hunter2");
//! # Ok(())
//! # }
//! ```
//!
//! A test swaps in the store that lives in memory, one line apart:
//!
//! ```
//! use std::sync::Arc;
//! use secretkit::{Access, MemoryStore, RootKey, Secrets};
//!
//! let secrets = Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?), Access::Unrestricted);
//! # Ok::<(), secretkit::Error>(())
//! ```
//!
//! - [`open`] names both and is all that most applications need.
//! - [`Settings`] is the same from the `SECRETKIT_*` variables and the user's own directories, as the command and the
//!   Python package do it.
//! - [`Secrets::new`] joins a store, a key provider and an access policy of your own.

#![forbid(unsafe_code)]

mod anchor;
mod caching;
mod first_use;
mod harden;
mod kept;
mod keys;
mod places;
#[cfg(feature = "postgres")]
mod rights;
mod settings;
mod url;
mod wrap;

pub use secretkit_cache::Staleness;
pub use secretkit_core::{
    Access, Action, Activity, Actor, Advance, Anchored, Clock, Consumer, ConsumerInfo, Copied, CopyFinding,
    CopyProgress, Copying, Description, Digest, Effective, EffectivePages, Encoding, Error, ErrorKind, Event, Events,
    Expiry, Fault, Filter, Finding, Generation, KeyProvider, KeyStatus, Keys, ManualClock, MemoryStore, Metadata,
    MetadataEdit, Mount, Pages, Part, PartKind, Progress, PutItem, PutMode, Reencryption, Resolved, Result, Revision,
    RevisionInfo, RollbackAnchor, RootKey, Scope, SealedValue, Search, SecretId, SecretInfo, SecretName, SecretRecord,
    SecretRef, SecretRequest, SecretStore, SecretValue, Secrets, Selection, Setting, Span, StableId, Subject,
    SystemClock, Tags, Timestamp, Token, VariableName, Verification, Verified, VerifyProgress,
};
pub use secretkit_core::{deliver, seal, store};
#[cfg(feature = "postgres")]
pub use secretkit_postgres::{PostgresStore, PostgresUrl, StoreGrant, StoreRole};
pub use secretkit_sqlite::{Existing, SqliteStore};

pub use anchor::FileAnchor;
pub use caching::{CacheState, Caching, cache_time};
pub use first_use::create_root_key;
pub use harden::{Hardening, Measure, harden_process};
pub use keys::{
    AskPassphrase, CredentialName, KeyCommand, KeyRating, KeyRole, KeyUrl, KeyringEntry, PassphrasePlace,
    PassphraseQuestion,
};
pub use settings::{Created, Settings};
pub use url::{StoreStatus, StoreUrl};
pub use wrap::StoreWrapper;

/// Opens a store and a root key by URL.
///
/// Stores are `sqlite:PATH` and `postgres://…`, made where there is none, and `memory:`. Root keys are those
/// of [`KeyUrl`], and must exist; [`create_root_key`] makes a file once. Nothing is made before the key is read.
///
/// # Errors
/// [`Error::Unsupported`] for a URL of another kind, and what the key and the store say.
pub fn open(store: &str, key: &str) -> Result<Secrets> {
    let (store, key): (StoreUrl, KeyUrl) = (store.parse()?, key.parse()?);
    let key = key.load()?;
    Ok(Secrets::new(store.create()?, key, Access::Unrestricted))
}
